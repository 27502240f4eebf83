//! Where reference tokens are kept.

use async_trait::async_trait;

use crate::{Fault, ReferenceToken, TokenDigest};

/// Where reference tokens are kept, each under its digest: whoever reads the store learns no token
/// (threat T38).
///
/// The store forgets by its own means what has expired, at some time after it did, and never makes
/// whoever issues tokens wait for that.
#[async_trait]
pub trait ReferenceTokenRepository: Send + Sync {
    /// Keeps a token that was not known before. `false`, and nothing is changed, if the digest is
    /// taken. When this returns, the token survives a crash of this process.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault>;

    /// The token of this digest, if there is one. One that has expired may still be found: whoever
    /// asks compares the time.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; an unknown digest is not an error.
    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault>;

    /// Forgets a token. `false` if there was none.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault>;
}
