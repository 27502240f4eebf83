//! A store of fetched tokens that can go out.

use async_trait::async_trait;
use domain::port::TokenCache;
use domain::{CacheKey, Fault, SealedToken, Timestamp};

use super::Faulty;

#[async_trait]
impl<P: TokenCache + ?Sized> TokenCache for Faulty<P> {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        self.working()?.find(key).await
    }

    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.working()?.keep(key, token, until, now).await
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        self.working()?.forget(key).await
    }
}
