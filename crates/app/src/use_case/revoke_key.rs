//! Signing keys are taken away at once.

use domain::port::StoreKeysError;
use domain::{Fault, KeyId, KeySet, SigningAlgorithm, UnknownKey};

use super::ensure_keys::EnsureKeys;

/// How often a change is tried again that others were quicker with.
const TRIES: usize = 5;

/// Takes signing keys away: tokens they signed are worth nothing from then on, and something signs
/// in their place (threat T42).
#[derive(Clone)]
pub struct RevokeKey {
    /// Where keys are kept and how they are made.
    pub ensure_keys: EnsureKeys,
    /// The algorithms that tokens are signed with.
    pub algorithms: Vec<SigningAlgorithm>,
}

/// Why the key is still there.
#[derive(Debug, thiserror::Error)]
pub enum RevokeKeyError {
    /// It is not there at all.
    #[error(transparent)]
    Unknown(#[from] UnknownKey),
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
    /// Takes one key away. Where it was the one that signs, the next one signs in its place, and
    /// where there is none, a new one; a new one is published to follow. A turn of the keys at the
    /// same moment is no obstacle.
    ///
    /// # Errors
    ///
    /// See [`RevokeKeyError`].
    pub async fn execute(&self, id: &KeyId) -> Result<KeySet, RevokeKeyError> {
        self.replace(|stored| stored.without(id)).await
    }

    /// Takes every key away that there is, and signs with new ones: for the day on which whoever
    /// reads the store of the keys may have been somebody else. Verifiers that cache the old keys
    /// refuse new tokens until they fetch again.
    ///
    /// # Errors
    ///
    /// See [`RevokeKeyError`].
    pub async fn all(&self) -> Result<KeySet, RevokeKeyError> {
        let nothing = |stored: &KeySet| KeySet { revision: stored.revision, keys: Vec::new() };
        self.replace(|stored| Ok(nothing(stored))).await
    }

    async fn replace(
        &self,
        change: impl Fn(&KeySet) -> Result<KeySet, UnknownKey> + Send + Sync,
    ) -> Result<KeySet, RevokeKeyError> {
        let keys = &self.ensure_keys.keys;
        let mut tries = 1;
        loop {
            let stored = keys.load().await?;
            let rest = self.ensure_keys.completed(&change(&stored)?, &self.algorithms).await?;
            match keys.store(stored.revision, &rest.keys).await {
                Ok(()) => return Ok(keys.load().await?),
                Err(StoreKeysError::Conflict) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
