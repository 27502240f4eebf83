//! Fetched tokens in a bounded map.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::TokenCache;
use domain::{CacheKey, Fault, SealedToken, Timestamp};
use moka::Expiry;
use moka::sync::Cache;

/// Fetched tokens in a bounded map, gone with the process.
pub struct MemoryTokenCache(Cache<CacheKey, Entry>);

#[derive(Clone)]
struct Entry {
    token: Arc<SealedToken>,
    lives_for: Duration,
}

struct AsLongAsItLives;

impl MemoryTokenCache {
    /// A cache of at most `capacity` tokens.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).expire_after(AsLongAsItLives).build())
    }
}

impl fmt::Debug for MemoryTokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenCache").finish_non_exhaustive()
    }
}

impl Expiry<CacheKey, Entry> for AsLongAsItLives {
    fn expire_after_create(
        &self,
        _key: &CacheKey,
        entry: &Entry,
        _now: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.lives_for)
    }

    fn expire_after_update(
        &self,
        _key: &CacheKey,
        entry: &Entry,
        _now: std::time::Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lives_for)
    }
}

#[async_trait]
impl TokenCache for MemoryTokenCache {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        Ok(self.0.get(key).map(|entry| SealedToken::clone(&entry.token)))
    }

    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let lives_for = until.since(now);
        if lives_for.is_zero() {
            self.0.invalidate(key);
        } else {
            self.0.insert(key.clone(), Entry { token: Arc::new(token.clone()), lives_for });
        }
        Ok(())
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        self.0.invalidate(key);
        Ok(())
    }
}
