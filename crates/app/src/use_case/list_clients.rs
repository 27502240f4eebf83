//! The clients, a page at a time.

use std::sync::Arc;

use domain::Fault;
use domain::port::{ClientDirectory, ClientPage, ClientQuery};

/// The most clients on one page.
pub const MAX_PAGE: usize = 200;

/// Looks through the clients.
#[derive(Clone)]
pub struct ListClients {
    /// Where clients are kept.
    pub directory: Arc<dyn ClientDirectory>,
}

impl ListClients {
    /// Runs the use-case. A page holds [`MAX_PAGE`] clients at most, whatever was asked for.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self, query: ClientQuery) -> Result<ClientPage, Fault> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        self.directory.page(&ClientQuery { limit, ..query }).await
    }
}
