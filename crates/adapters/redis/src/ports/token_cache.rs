//! [`TokenCache`] on keys that end.

use async_trait::async_trait;
use domain::port::TokenCache;
use domain::{CacheKey, Fault, SealedToken, Timestamp};
use redis::{cmd, from_redis_value};

use crate::RedisStores;
use crate::failure::Failure;
use crate::site::Errand;

/// Longer than any token lives: what Redis adds its clock to must not overflow.
const MOST_MILLIS: u128 = 1 << 50;

/// Redis is told how long to remember, not until when: its clock may be another.
#[async_trait]
impl TokenCache for RedisStores {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        let key = self.keys.cached(key);
        let mut command = cmd("GET");
        command.arg(&key);
        let errand = Errand { key: Some(&key), command, is_written: false, is_repeatable: true };
        let answer = self.site.run(&errand).await?;
        let bytes: Option<Vec<u8>> =
            from_redis_value(answer).map_err(|_| Failure::Absurd("a token that is no text"))?;
        Ok(bytes.map(SealedToken))
    }

    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let lives_for = until.since(now).as_millis().min(MOST_MILLIS);
        if lives_for == 0 {
            return self.forget(key).await;
        }
        let key = self.keys.cached(key);
        let mut command = cmd("SET");
        let lives_for = u64::try_from(lives_for).unwrap_or(u64::MAX);
        command.arg(&key).arg(token.0.as_slice()).arg("PX").arg(lives_for);
        let errand = Errand { key: Some(&key), command, is_written: false, is_repeatable: true };
        self.site.run(&errand).await?;
        Ok(())
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        let key = self.keys.cached(key);
        let mut command = cmd("DEL");
        command.arg(&key);
        let errand = Errand { key: Some(&key), command, is_written: false, is_repeatable: true };
        self.site.run(&errand).await?;
        Ok(())
    }
}
