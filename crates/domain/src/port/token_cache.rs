//! Where tokens that were fetched for others are remembered.

use async_trait::async_trait;

use crate::{CacheKey, Fault, SealedToken, Timestamp};

/// Where tokens that were fetched for others are remembered, so that several gateways fetch each of
/// them once. The store knows neither what a token was fetched with nor the token.
///
/// It may forget whatever it likes at any time: what is not there is fetched again.
#[async_trait]
pub trait TokenCache: Send + Sync {
    /// The token that is remembered, unless its time is over.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: whoever asks goes on as if there were none.
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault>;

    /// Remembers a token in place of whatever was remembered, until `until` at most. `now` is the
    /// time of whoever says so: the store counts from its own.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; then it may be remembered or not.
    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault>;

    /// Forgets a token.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn forget(&self, key: &CacheKey) -> Result<(), Fault>;
}
