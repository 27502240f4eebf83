//! What the operator can choose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

/// The headers to pass on with a request to the CRUD service. It is called for each request, in
/// the task that caused it.
pub type PassedOn = Arc<dyn Fn() -> Vec<(String, String)> + Send + Sync>;

/// What the operator can choose.
#[derive(Clone)]
pub struct CrudOptions {
    /// Where the collection is: `http://crud-service/clients`.
    pub base_url: Url,
    /// How long a call of a port may take, with all its requests; each batch of logins by itself.
    pub timeout: Duration,
    /// The headers to pass on. Those that are none, and those that frame a message, are dropped.
    pub headers: PassedOn,
    /// The most requests that are on their way at one time.
    pub max_connections: usize,
    /// The most requests that wait for their turn; one more is refused at once.
    pub max_waiting: usize,
    /// How long it is remembered that the collection lacks a field. It may be deployed anew.
    pub schema_memory: Duration,
}

impl CrudOptions {
    /// The options of a collection, with everything else at its default.
    #[must_use]
    pub fn new(base_url: Url) -> Self {
        Self {
            base_url,
            timeout: Duration::from_secs(4),
            headers: Arc::new(Vec::new),
            max_connections: 64,
            max_waiting: 256,
            schema_memory: Duration::from_mins(5),
        }
    }
}

impl fmt::Debug for CrudOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL: it may hold a password.
        f.debug_struct("CrudOptions")
            .field("timeout", &self.timeout)
            .field("max_connections", &self.max_connections)
            .field("max_waiting", &self.max_waiting)
            .field("schema_memory", &self.schema_memory)
            .finish_non_exhaustive()
    }
}
