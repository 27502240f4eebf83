//! A store of tokens that nobody waits for while it is out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{Clock, TokenCache};
use domain::{CacheKey, Fault, SealedToken, Timestamp};

/// A store of tokens that is left alone for a while after it was found out: a request that could
/// do without it must not wait for it. Then one request at a time tries it again.
pub struct TokenCacheBreaker {
    store: Arc<dyn TokenCache>,
    clock: Arc<dyn Clock>,
    pause: Duration,
    /// Until when the store is left alone, in milliseconds since the epoch; 0 for not at all.
    closed_until: AtomicU64,
}

impl TokenCacheBreaker {
    /// Leaves `store` alone for `pause` whenever it was found out.
    #[must_use]
    pub fn new(store: Arc<dyn TokenCache>, clock: Arc<dyn Clock>, pause: Duration) -> Self {
        Self { store, clock, pause, closed_until: AtomicU64::new(0) }
    }

    /// Lets a call through, or not. Whoever is let through after a pause begins the next one, so
    /// that nobody follows until it has come back.
    fn enter(&self) -> Result<(), Fault> {
        let closed_until = self.closed_until.load(Ordering::Relaxed);
        if closed_until == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let next = now.after(self.pause).as_unix_millis();
        // A clock that was set back must not keep it closed for longer than a pause.
        let is_over = closed_until <= now.as_unix_millis() || next < closed_until;
        let is_first = || {
            let exchanged = self.closed_until.compare_exchange(
                closed_until,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            exchanged.is_ok()
        };
        if is_over && is_first() {
            return Ok(());
        }
        Err(Fault::unavailable("the store of tokens was out a moment ago"))
    }

    fn noted<T>(&self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        let closed_until = match &outcome {
            Err(fault) if fault.is_passing() => self.clock.now().after(self.pause).as_unix_millis(),
            // A store that answers nonsense answers.
            Ok(_) | Err(_) => 0,
        };
        self.closed_until.store(closed_until, Ordering::Relaxed);
        outcome
    }
}

#[async_trait]
impl TokenCache for TokenCacheBreaker {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        self.enter()?;
        self.noted(self.store.find(key).await)
    }

    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.enter()?;
        self.noted(self.store.keep(key, token, until, now).await)
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        self.enter()?;
        self.noted(self.store.forget(key).await)
    }
}

impl fmt::Debug for TokenCacheBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCacheBreaker").field("pause", &self.pause).finish_non_exhaustive()
    }
}
