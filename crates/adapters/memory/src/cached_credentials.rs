//! Hashes of secrets of another store, remembered.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::port::{Clock, CredentialRepository, Known};
use domain::{
    ClientId, Credential, EndingSecret, Fault, SecretHash, SecretId, SecretUse, Timestamp,
};

use crate::answer::Keep;
use crate::cache_options::{CacheOptions, CacheStatistics};
use crate::read_through::ReadThrough;

/// Hashes of secrets of another store, remembered by the rules of
/// [`CachedClients`](crate::CachedClients): fresh ones cost no I/O, many questions at once are
/// one, old ones serve while the store is out, and a client without secrets is not remembered.
///
/// Uses are written through without forgetting anything: `last_used` may lag behind.
pub struct CachedCredentials {
    store: Arc<dyn CredentialRepository>,
    cache: ReadThrough<ClientId, Arc<[Credential]>>,
}

impl CachedCredentials {
    /// Remembers the secrets of `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn CredentialRepository>,
        options: CacheOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keep = |secrets: &Arc<[_]>| if secrets.is_empty() { Keep::Not } else { Keep::Fresh };
        Self { store, cache: ReadThrough::new(options, clock, keep) }
    }

    /// Forgets the secrets of one client: somebody else changed them.
    pub fn invalidate(&self, client: &ClientId) {
        self.cache.forget(client);
    }

    /// Holds nothing for fresh any more: somebody else changed something.
    pub fn doubt_all(&self) {
        self.cache.doubt_all();
    }

    /// How the cache fares.
    #[must_use]
    pub fn statistics(&self) -> Arc<CacheStatistics> {
        self.cache.statistics()
    }

    async fn load(&self, client: &ClientId) -> Result<Arc<[Credential]>, Fault> {
        Ok(self.store.list(client).await?.into())
    }
}

impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredentials").field("cache", &self.cache).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialRepository for CachedCredentials {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        Ok(self.cache.get(client, self.load(client)).await?.to_vec())
    }

    async fn look_up(&self, client: &ClientId) -> Result<Known<Vec<Credential>>, Fault> {
        let Known { value, is_remembered } = self.cache.look_up(client, self.load(client)).await?;
        Ok(Known { value: value.to_vec(), is_remembered })
    }

    async fn look_again(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        Ok(self.cache.look_again(client, self.load(client)).await?.to_vec())
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(client);
        self.store.insert(client, credential).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(client);
        self.store.rehash(client, secret, old, new).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(client);
        self.store.expire(client, secret, at).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(client);
        self.store.remove(client, secret).await
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        let _at_end = self.cache.forget_at_end(client);
        self.store.remove_all(client).await
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        self.store.record_uses(uses).await
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        self.store.ending(from, until, limit).await
    }
}
