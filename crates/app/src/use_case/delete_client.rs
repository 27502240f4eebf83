//! A client is deleted.

use std::sync::Arc;
use std::time::Duration;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{ClientRepository, Clock, CredentialRepository, TokenRepository};
use domain::{ClientId, Fault};

/// Deletes a client, its secrets and its tokens.
#[derive(Clone)]
pub struct DeleteClient {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// Which tokens were taken back.
    pub tokens: Arc<dyn TokenRepository>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long the longest token lives.
    pub longest_lifetime: Duration,
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteClientError {
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl DeleteClient {
    /// Runs the use-case. The client itself goes last: whatever fails before, a second try finds
    /// it and finishes the work. Its id is never used again, so tokens that another node issues
    /// while it still remembers the client are revoked as well.
    ///
    /// # Errors
    ///
    /// See [`DeleteClientError`].
    #[tracing::instrument(level = "debug", name = "delete_client", skip_all)]
    pub async fn execute(&self, id: &ClientId, mandate: &Mandate) -> Result<(), DeleteClientError> {
        let client = self.clients.find(id).await?.ok_or(DeleteClientError::Unknown)?;
        mandate.check(Some(&client), None)?;
        self.revoke_tokens(id).await?;
        self.credentials.remove_all(id).await?;
        self.clients.remove(id).await?;
        Ok(())
    }

    async fn revoke_tokens(&self, id: &ClientId) -> Result<(), Fault> {
        let end = self.clock.now().after(self.longest_lifetime);
        self.tokens.revoke_client(id, end, end).await
    }
}
