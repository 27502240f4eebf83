//! The keys take turns.

use domain::port::StoreKeysError;
use domain::{Fault, KeyPolicy, KeySet, KeyState, RotationRefusal, SigningAlgorithm};

use super::ensure_keys::EnsureKeys;

/// Lets the next key sign, and publishes a new one to follow it.
#[derive(Clone)]
pub struct RotateKeys {
    /// Where keys are kept and how they are made.
    pub ensure_keys: EnsureKeys,
    /// How they take turns.
    pub policy: KeyPolicy,
}

/// Why the keys did not take turns.
#[derive(Debug, thiserror::Error)]
pub enum RotateKeysError {
    /// It is too early.
    #[error(transparent)]
    Refused(#[from] RotationRefusal),
    /// They could not be stored.
    #[error(transparent)]
    NotStored(#[from] StoreKeysError),
}

impl From<Fault> for RotateKeysError {
    fn from(fault: Fault) -> Self {
        Self::NotStored(fault.into())
    }
}

impl RotateKeys {
    /// Runs the use-case. `is_forced` skips the wait that lets verifiers learn the next key.
    ///
    /// # Errors
    ///
    /// See [`RotateKeysError`].
    pub async fn execute(
        &self,
        algorithm: SigningAlgorithm,
        is_forced: bool,
    ) -> Result<KeySet, RotateKeysError> {
        let EnsureKeys { keys, clock, .. } = &self.ensure_keys;
        let stored = keys.load().await?;
        let fresh = self.ensure_keys.make(algorithm, KeyState::Next).await?;
        let turned = stored.rotated(algorithm, fresh, &self.policy, is_forced, clock.now())?;
        keys.store(stored.revision, &turned.keys).await?;
        Ok(keys.load().await?)
    }
}
