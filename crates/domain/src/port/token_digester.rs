//! How tokens of ours are kept without being known.

use crate::TokenDigest;

/// How tokens of ours are kept without being known: they have at least 256 bits of entropy, so
/// a plain digest needs neither salt nor cost.
pub trait TokenDigester: Send + Sync {
    /// The SHA-256 digest of a token or a secret.
    fn digest(&self, token: &str) -> TokenDigest;

    /// Whether two digests are the same, in constant time.
    fn is_same(&self, one: &TokenDigest, other: &TokenDigest) -> bool;
}
