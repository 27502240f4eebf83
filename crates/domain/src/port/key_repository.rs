//! Where signing keys come from, and who uses them.

use async_trait::async_trait;

use crate::{Fault, KeySet, PrivateKeyPem, SigningAlgorithm, SigningKey};

/// Where signing keys are kept.
#[async_trait]
pub trait KeyRepository: Send + Sync {
    /// All keys; revision 0 and none where nothing was ever stored.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn load(&self) -> Result<KeySet, Fault>;

    /// Replaces all keys if the stored revision is `expected`; the new revision is one more.
    ///
    /// Of concurrent calls that expect one revision, exactly one succeeds: so several nodes that
    /// start at once agree on one key.
    ///
    /// # Errors
    ///
    /// See [`StoreKeysError`]; then nothing is changed.
    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError>;
}

/// Why keys were not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreKeysError {
    /// Somebody changed the keys since they were loaded.
    #[error("the keys were changed meanwhile")]
    Conflict,
    /// The keys are what the configuration says, and only it can change them.
    #[error("the keys are files named in the configuration: change them there")]
    ReadOnly,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Makes private keys.
#[async_trait]
pub trait KeyMaker: Send + Sync {
    /// A new private key for `algorithm`, as PKCS#8 PEM: RSA with 2048 bits, P-256, or Ed25519.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn make(&self, algorithm: SigningAlgorithm) -> Result<PrivateKeyPem, Fault>;
}

/// Who signs and verifies with the keys.
pub trait KeyRingInstaller: Send + Sync {
    /// Uses `keys` from now on, all at once: whoever signs or verifies meanwhile does so with the
    /// old keys or with the new ones, never with some of both.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Corrupt` if a key cannot be used; then the old ones stay.
    fn install(&self, keys: &KeySet) -> Result<(), Fault>;
}
