//! Which tokens were taken back.

use async_trait::async_trait;

use crate::{ClientId, Fault, Timestamp, TokenId};

/// Which tokens were taken back before they expired (RFC 7009).
#[async_trait]
pub trait TokenRepository: Send + Sync {
    /// Takes back one token. `until` is when it expires: after that the entry may be forgotten.
    /// Doing so twice is doing so once. When this returns, the entry survives a crash.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault>;

    /// Whether the token was taken back.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault>;

    /// Takes back every token of a client that was issued at `issued_until` or earlier. `until`
    /// is when the last of them expires. A second call never makes the moment an earlier one.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault>;

    /// Until when a client's tokens were taken back: those issued then or earlier are worth
    /// nothing.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault>;
}
