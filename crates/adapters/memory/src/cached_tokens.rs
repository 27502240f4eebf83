//! Revocations of another store, remembered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{Clock, TokenRepository};
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::answer::Keep;
use crate::cache_options::{CacheOptions, CacheStatistics};
use crate::read_through::ReadThrough;

/// Revocations of another store, remembered.
///
/// - That a token was taken back is remembered until its room is needed: it stays so.
/// - That it was not is remembered for `fresh_for`: this is the bound within which a revocation
///   made on another node bites (threat T34). One made here bites at once. The same goes for the
///   moment until which a client's tokens were taken back.
/// - While the store is out, what is not fresh is a fault: an old "no" is no answer.
pub struct CachedTokens {
    store: Arc<dyn TokenRepository>,
    tokens: ReadThrough<TokenId, bool>,
    clients: ReadThrough<ClientId, Option<Timestamp>>,
}

impl CachedTokens {
    /// Remembers at most `capacity` tokens of `store`, and as many clients.
    #[must_use]
    pub fn new(
        store: Arc<dyn TokenRepository>,
        capacity: u64,
        fresh_for: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let options = CacheOptions {
            capacity,
            fresh_for,
            stale_for: Duration::ZERO,
            retry_after: Duration::ZERO,
        };
        let keep = |is_revoked: &bool| if *is_revoked { Keep::Always } else { Keep::Fresh };
        Self {
            store,
            tokens: ReadThrough::new(options, Arc::clone(&clock), keep),
            clients: ReadThrough::new(options, clock, |_| Keep::Fresh),
        }
    }

    /// Forgets what is known of one token: somebody took it back.
    pub fn invalidate(&self, id: &TokenId) {
        self.tokens.forget(id);
    }

    /// Forgets what is known of a client's tokens: somebody took them back.
    pub fn invalidate_client(&self, client: &ClientId) {
        self.clients.forget(client);
    }

    /// Holds no "no" for fresh any more: somebody took something back.
    pub fn doubt_all(&self) {
        self.tokens.doubt_all();
        self.clients.doubt_all();
    }

    /// How the cache of tokens fares.
    #[must_use]
    pub fn statistics(&self) -> Arc<CacheStatistics> {
        self.tokens.statistics()
    }
}

impl fmt::Debug for CachedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTokens").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenRepository for CachedTokens {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        let outcome = {
            let _at_end = self.tokens.forget_at_end(id);
            self.store.revoke(id, until).await
        };
        if outcome.is_ok() {
            self.tokens.learn(id, true);
        }
        outcome
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        self.tokens.get(id, self.store.is_revoked(id)).await
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let _at_end = self.clients.forget_at_end(client);
        self.store.revoke_client(client, issued_until, until).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        self.clients.get(client, self.store.client_revoked_until(client)).await
    }
}
