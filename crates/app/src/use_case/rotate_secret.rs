//! A new secret takes the place of the old ones.

use std::time::Duration;

use domain::ClientId;
use domain::management::Mandate;

use super::add_secret::{AddSecret, AddSecretError, AddSecretRequest, AddedSecret};

/// Makes a new secret and lets the old ones end after an overlap.
#[derive(Clone)]
pub struct RotateSecret {
    /// How the new secret is made.
    pub add_secret: AddSecret,
}

impl RotateSecret {
    /// Runs the use-case. With an overlap of zero the old secrets are worth nothing at once.
    ///
    /// # Errors
    ///
    /// See [`AddSecretError`].
    #[tracing::instrument(level = "debug", name = "rotate_secret", skip_all)]
    pub async fn execute(
        &self,
        id: &ClientId,
        request: AddSecretRequest,
        overlap: Duration,
        mandate: &Mandate,
    ) -> Result<AddedSecret, AddSecretError> {
        let AddSecret { credentials, clock, .. } = &self.add_secret;
        let old = credentials.list(id).await?;
        let added = self.add_secret.execute(id, request, mandate).await?;
        let end = clock.now().after(overlap);
        for credential in old {
            credentials.expire(id, &credential.id, end).await?;
        }
        Ok(added)
    }
}
