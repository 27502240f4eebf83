//! A secret is taken back at once.

use std::sync::Arc;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{ClientRepository, CredentialRepository};
use domain::{ClientId, Fault, SecretId};

/// Takes one secret back. Tokens that were issued with it live on: revoke them, or disable the
/// client, where the secret was stolen.
#[derive(Clone)]
pub struct RevokeSecret {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
}

/// Why a secret was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RevokeSecretError {
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl RevokeSecret {
    /// Runs the use-case. `false` if there was no such secret.
    ///
    /// # Errors
    ///
    /// See [`RevokeSecretError`].
    #[tracing::instrument(level = "debug", name = "revoke_secret", skip_all)]
    pub async fn execute(
        &self,
        client: &ClientId,
        secret: &SecretId,
        mandate: &Mandate,
    ) -> Result<bool, RevokeSecretError> {
        mandate.check(self.clients.find(client).await?.as_ref(), None)?;
        Ok(self.credentials.remove(client, secret).await?)
    }
}
