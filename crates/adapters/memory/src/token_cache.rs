//! Fetched tokens in a bounded map.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;

use async_trait::async_trait;
use domain::port::TokenCache;
use domain::{CacheKey, Fault, SealedToken, Timestamp};
use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::bounded::bounded;

/// Fetched tokens in a bounded map, gone with the process. One whose time is over leaves when it
/// is asked for, or when its room is needed.
pub struct MemoryTokenCache(Cache<CacheKey, Entry, UnitWeighter, RandomState>);

#[derive(Clone)]
struct Entry {
    token: Arc<SealedToken>,
    ends_at: Option<Instant>,
}

impl Entry {
    fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= Instant::now())
    }
}

impl MemoryTokenCache {
    /// A cache of at most `capacity` tokens.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self(bounded(capacity))
    }
}

impl fmt::Debug for MemoryTokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenCache").finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenCache for MemoryTokenCache {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        let Some(entry) = self.0.get(key) else {
            return Ok(None);
        };
        if entry.is_over() {
            drop(self.0.remove_if(key, Entry::is_over));
            return Ok(None);
        }
        Ok(Some(SealedToken::clone(&entry.token)))
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
            drop(self.0.remove(key));
        } else {
            // What ends beyond the end of the machine's time does not end.
            let ends_at = Instant::now().checked_add(lives_for);
            self.0.insert(key.clone(), Entry { token: Arc::new(token.clone()), ends_at });
        }
        Ok(())
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        drop(self.0.remove(key));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_token_whose_time_is_over_leaves_when_it_is_asked_for() {
        let cache = MemoryTokenCache::new(10);
        let (now, key) = (Timestamp::from_unix_seconds(1), CacheKey([1; 32]));
        let token = SealedToken(vec![7]);
        cache.keep(&key, &token, now.after(Duration::from_millis(20)), now).await.unwrap();
        assert_eq!(cache.find(&key).await.unwrap(), Some(token));

        tokio::time::sleep(Duration::from_millis(40)).await;

        assert_eq!(cache.find(&key).await.unwrap(), None);
        assert_eq!(cache.0.len(), 0);
    }
}
