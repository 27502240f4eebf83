//! How secrets are kept without being known.

use async_trait::async_trait;

use crate::{ClientSecret, Fault, SecretHash};

/// How secrets are kept without being known.
///
/// The scheme is read from the stored hash, so that several live side by side.
#[async_trait]
pub trait SecretHasher: Send + Sync {
    /// Hashes a secret in the configured scheme, with a salt of its own.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Overloaded` if too many wait already.
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault>;

    /// Whether `presented` is known to be the secret behind `expected` without computing anything
    /// slow. `false` says nothing: then `verify` decides.
    async fn recalls(&self, presented: &ClientSecret, expected: &SecretHash) -> bool {
        let _ = (presented, expected);
        false
    }

    /// Whether `presented` is the secret behind `expected`.
    ///
    /// Costs the same for a right and for a wrong secret, and for `None`, which stands for a
    /// client nobody has heard of and never matches (threat T22).
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Overloaded` if too many wait already, `Corrupt` if `expected` is no
    /// hash of a known scheme.
    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault>;
}

/// What came of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the secret.
    Mismatch,
    /// It is the secret.
    Match,
    /// It is the secret, and its hash is of another scheme or cost than is configured now: hash
    /// it again.
    MatchOutdated,
}
