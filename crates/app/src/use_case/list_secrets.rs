//! What is known of a client's secrets.

use std::sync::Arc;

use domain::port::{ClientRepository, CredentialRepository};
use domain::{ClientId, Credential, Fault};

/// Lists a client's secrets: their names and dates, never the secrets.
#[derive(Clone)]
pub struct ListSecrets {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
}

impl ListSecrets {
    /// Runs the use-case. `None` if there is no such client.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self, id: &ClientId) -> Result<Option<Vec<Credential>>, Fault> {
        match self.clients.find(id).await? {
            Some(_) => self.credentials.list(id).await.map(Some),
            None => Ok(None),
        }
    }
}
