//! A signing key is taken away at once.

use std::sync::Arc;

use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeyId, KeySet, RevocationRefusal};

/// Takes a signing key away: tokens it signed are worth nothing from then on (threat T42).
#[derive(Clone)]
pub struct RevokeKey {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyRepository>,
}

/// Why the key is still there.
#[derive(Debug, thiserror::Error)]
pub enum RevokeKeyError {
    /// It cannot go.
    #[error(transparent)]
    Refused(#[from] RevocationRefusal),
    /// The keys could not be stored.
    #[error(transparent)]
    NotStored(#[from] StoreKeysError),
}

impl From<Fault> for RevokeKeyError {
    fn from(fault: Fault) -> Self {
        Self::NotStored(fault.into())
    }
}

impl RevokeKey {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`RevokeKeyError`].
    pub async fn execute(&self, id: &KeyId) -> Result<KeySet, RevokeKeyError> {
        let stored = self.keys.load().await?;
        let rest = stored.without(id)?;
        self.keys.store(stored.revision, &rest.keys).await?;
        Ok(self.keys.load().await?)
    }
}
