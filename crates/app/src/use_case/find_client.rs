//! One client, as an operator sees it.

use std::sync::Arc;

use domain::port::ClientRepository;
use domain::{Client, ClientId, Fault};

/// Finds a client in whatever state it is.
#[derive(Clone)]
pub struct FindClient {
    /// Where clients are kept: the store itself, since an operator wants to see what is there.
    pub clients: Arc<dyn ClientRepository>,
}

impl FindClient {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.clients.find(id).await
    }
}
