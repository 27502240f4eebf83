//! There is a key to sign with.

use std::sync::Arc;

use domain::port::{Clock, Entropy, KeyMaker, KeyRepository, StoreKeysError};
use domain::{Fault, KeyPolicy, KeySet, KeyState, SigningAlgorithm, SigningKey};

use crate::make;

/// Makes the keys that are missing: of a first start one that signs, and one that is published to
/// sign next; of an algorithm that is new, one that is published.
#[derive(Clone)]
pub struct EnsureKeys {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyRepository>,
    /// How they are made.
    pub maker: Arc<dyn KeyMaker>,
    /// Where their names come from.
    pub entropy: Arc<dyn Entropy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How they take turns.
    pub policy: KeyPolicy,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum EnsureKeysError {
    /// The configured files hold no key for the configured algorithm.
    #[error("no active key for {} is configured: add one to keys.files, or change tokens.algorithm", .0.name())]
    NotConfigured(SigningAlgorithm),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl EnsureKeys {
    /// Runs the use-case. Of several nodes that start at once, one makes the keys and all use
    /// them.
    ///
    /// # Errors
    ///
    /// See [`EnsureKeysError`].
    pub async fn execute(
        &self,
        algorithms: &[SigningAlgorithm],
    ) -> Result<KeySet, EnsureKeysError> {
        loop {
            let stored = self.keys.load().await?;
            let lacks = |it: &SigningAlgorithm| stored.signing(*it).is_none();
            let Some(lacking) = algorithms.iter().copied().find(lacks) else {
                return Ok(stored);
            };
            let keys = self.completed(&stored, algorithms).await?.keys;
            match self.keys.store(stored.revision, &keys).await {
                // What was stored is loaded again, whoever stored it.
                Ok(()) | Err(StoreKeysError::Conflict) => (),
                Err(StoreKeysError::ReadOnly) => {
                    return Err(EnsureKeysError::NotConfigured(lacking));
                }
                Err(StoreKeysError::Fault(fault)) => return Err(fault.into()),
            }
        }
    }

    /// The keys with those that `algorithms` lack.
    pub(crate) async fn completed(
        &self,
        keys: &KeySet,
        algorithms: &[SigningAlgorithm],
    ) -> Result<KeySet, Fault> {
        let mut completed = keys.clone();
        for algorithm in algorithms {
            for state in keys.missing(*algorithm, &self.policy) {
                completed.keys.push(self.make(*algorithm, *state).await?);
            }
        }
        Ok(completed)
    }

    pub(crate) async fn make(
        &self,
        algorithm: SigningAlgorithm,
        state: KeyState,
    ) -> Result<SigningKey, Fault> {
        Ok(SigningKey {
            id: make::key_id(self.entropy.as_ref())?,
            algorithm,
            state,
            private_key: self.maker.make(algorithm).await?,
            created_at: self.clock.now(),
            retired_at: None,
        })
    }
}
