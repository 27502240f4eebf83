//! The keys take turns because somebody says so.

use domain::port::StoreKeysError;
use domain::{Fault, KeySet, KeyState, RotationRefusal, SigningAlgorithm};

use super::ensure_keys::EnsureKeys;

/// Lets the next keys sign, and publishes new ones to follow them.
#[derive(Clone)]
pub struct RotateKeys {
    /// Where keys are kept and how they are made.
    pub ensure_keys: EnsureKeys,
    /// The algorithms that tokens are signed with.
    pub algorithms: Vec<SigningAlgorithm>,
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
    /// Runs the use-case: every algorithm takes its turn, or none does. `is_forced` skips the wait
    /// that lets verifiers learn the next keys.
    ///
    /// # Errors
    ///
    /// See [`RotateKeysError`].
    pub async fn execute(&self, is_forced: bool) -> Result<KeySet, RotateKeysError> {
        let EnsureKeys { keys, clock, policy, .. } = &self.ensure_keys;
        let stored = keys.load().await?;
        let mut turned = stored.clone();
        for algorithm in &self.algorithms {
            let fresh = self.ensure_keys.make(*algorithm, KeyState::Next).await?;
            turned = turned.rotated(*algorithm, fresh, policy, is_forced, clock.now())?;
        }
        keys.store(stored.revision, &turned.keys).await?;
        Ok(keys.load().await?)
    }
}
