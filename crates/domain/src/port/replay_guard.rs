//! Which assertions were used already.

use async_trait::async_trait;

use crate::{ClientId, Fault, Timestamp, TokenId};

/// Which assertions were used already (RFC 7523 section 3, point 7; threat T18).
#[async_trait]
pub trait ReplayGuard: Send + Sync {
    /// Burns an assertion's `jti` for its client. `true` for the first time, `false` for every
    /// further time until `until`.
    ///
    /// Of concurrent calls with one client and one `jti`, exactly one returns `true`. The same
    /// `jti` of another client is another. When this returns, the entry survives a crash of this
    /// process. Entries are forgotten at some time after `until`, so that memory is bounded.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: then nobody may be let in, since a replay cannot be ruled out.
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Fault>;
}
