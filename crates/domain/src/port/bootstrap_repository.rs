//! Where the digest of the bootstrap token is kept.

use async_trait::async_trait;

use crate::{Fault, TokenDigest};

/// Where the digest of the bootstrap token is kept: the one that manages the server before any
/// client can.
#[async_trait]
pub trait BootstrapRepository: Send + Sync {
    /// The digest, if a token was ever made.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn find(&self) -> Result<Option<TokenDigest>, Fault>;

    /// Keeps `digest` if none is kept yet. Of concurrent claims exactly one returns `true`.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn claim(&self, digest: &TokenDigest) -> Result<bool, Fault>;

    /// Keeps `digest` in place of whatever was kept.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn replace(&self, digest: &TokenDigest) -> Result<(), Fault>;
}
