//! Reference tokens of another store, remembered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{Clock, ReferenceTokenRepository};
use domain::{Fault, ReferenceToken, TokenDigest};

use crate::answer::Keep;
use crate::cache_options::{CacheOptions, CacheStatistics};
use crate::read_through::ReadThrough;

/// Reference tokens of another store, remembered until their room is needed: what a token stands
/// for never changes. Whether it was taken back is another question, which `CachedTokens` answers.
/// What nobody knows is not remembered, so that guessing takes no room.
pub struct CachedReferences {
    store: Arc<dyn ReferenceTokenRepository>,
    cache: ReadThrough<TokenDigest, Option<Arc<ReferenceToken>>>,
}

impl CachedReferences {
    /// Remembers at most `capacity` tokens of `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn ReferenceTokenRepository>,
        capacity: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let options = CacheOptions {
            capacity,
            fresh_for: Duration::ZERO,
            stale_for: Duration::ZERO,
            retry_after: Duration::ZERO,
        };
        let keep = |token: &Option<Arc<ReferenceToken>>| match token {
            Some(token) if is_small(token) => Keep::Always,
            Some(_) | None => Keep::Not,
        };
        Self { store, cache: ReadThrough::new(options, clock, keep) }
    }

    /// How the cache fares.
    #[must_use]
    pub fn statistics(&self) -> Arc<CacheStatistics> {
        self.cache.statistics()
    }
}

/// Whether many of its size may be remembered: clients can put into tokens what they like.
fn is_small(token: &ReferenceToken) -> bool {
    const MOST: usize = 1_024;
    let members = token.claims.iter();
    members.map(|(name, value)| name.len() + value.to_string().len()).sum::<usize>() <= MOST
}

impl fmt::Debug for CachedReferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedReferences").field("cache", &self.cache).finish_non_exhaustive()
    }
}

#[async_trait]
impl ReferenceTokenRepository for CachedReferences {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        let is_new = self.store.insert(digest, token).await?;
        if is_new && is_small(token) {
            self.cache.learn(digest, Some(Arc::new(token.clone())));
        }
        Ok(is_new)
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        let load = async { Ok(self.store.find(digest).await?.map(Arc::new)) };
        Ok(self.cache.get(digest, load).await?.map(Arc::unwrap_or_clone))
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(digest);
        self.store.remove(digest).await
    }
}
