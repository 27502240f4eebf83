//! How a cache behaves, and how it fares.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How a cache behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The most entries it holds.
    pub capacity: u64,
    /// How long an entry is served without asking the store: the bound within which a change made
    /// elsewhere bites.
    pub fresh_for: Duration,
    /// How long after it was loaded an entry is served while the store is out; zero for never.
    pub stale_for: Duration,
    /// How long a store that is out is not asked for the same entry again.
    pub retry_after: Duration,
}

/// How a cache fares; one may be shared by several caches.
#[derive(Debug, Default)]
pub struct CacheStatistics {
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
}

impl CacheStatistics {
    /// How often the cache answered by itself.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How often somebody had to wait for the store.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// How often the store was asked in vain, and an old answer kept in use.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    pub(crate) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }
}
