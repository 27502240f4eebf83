//! How a secret is kept that has to be known again.

use crate::{ClientId, ClientSecret, CompactMac, Fault, SecretHash, SecretId};

/// How secrets are kept with which clients make MACs (`client_secret_jwt`): sealed, since a MAC
/// cannot be computed from a hash. Not `async`: the key is in memory.
///
/// What is sealed for one secret of one client is worth nothing for any other: whoever can write to
/// the store cannot give one client the secret of another.
pub trait MacVerifier: Send + Sync {
    /// Seals a secret: nobody learns anything of it, but its length, who has not the sealing key. Of
    /// one secret it never makes the same twice.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Corrupt` if there is no key to seal with, or if the secret is shorter than
    /// a key may be ([`MIN_KEY_BYTES`](crate::MacAlgorithm::MIN_KEY_BYTES)) or longer than any secret.
    fn seal(&self, owner: SecretOwner<'_>, secret: &ClientSecret) -> Result<SecretHash, Fault>;

    /// Whether `jws` has a MAC, under its own algorithm, by the secret that is `sealed` for its owner,
    /// compared in constant time. `None` stands for a client nobody has heard of: it never matches,
    /// and costs the same (threat T22).
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Corrupt` if it was not sealed for this owner with this key, or is something
    /// else altogether.
    fn is_by(
        &self,
        jws: &CompactMac,
        sealed: Option<(SecretOwner<'_>, &SecretHash)>,
    ) -> Result<bool, Fault>;

    /// Whether `presented` is the secret that is `sealed` for `owner`, compared in constant time.
    ///
    /// # Errors
    ///
    /// As [`MacVerifier::is_by`].
    fn is_secret(
        &self,
        presented: &ClientSecret,
        owner: SecretOwner<'_>,
        sealed: &SecretHash,
    ) -> Result<bool, Fault>;
}

/// Which secret of which client.
#[derive(Clone, Copy, Debug)]
pub struct SecretOwner<'a> {
    /// The client.
    pub client: &'a ClientId,
    /// Which of its secrets.
    pub secret: &'a SecretId,
}
