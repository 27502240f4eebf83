//! A secret is taken back at once.

use std::sync::Arc;

use domain::port::CredentialRepository;
use domain::{ClientId, Fault, SecretId};

/// Takes one secret back. Tokens that were issued with it live on: revoke them, or disable the
/// client, where the secret was stolen.
#[derive(Clone)]
pub struct RevokeSecret {
    /// Where the hashes of secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
}

impl RevokeSecret {
    /// Runs the use-case. `false` if there was no such secret.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    #[tracing::instrument(level = "debug", name = "revoke_secret", skip_all)]
    pub async fn execute(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        self.credentials.remove(client, secret).await
    }
}
