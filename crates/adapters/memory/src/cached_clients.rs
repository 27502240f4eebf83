//! Clients of another store, remembered.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::port::{ClientRepository, Clock, InsertClientError, Known, UpdateClientError};
use domain::{Client, ClientId, Fault, Revision};

use crate::answer::Keep;
use crate::cache_options::{CacheOptions, CacheStatistics};
use crate::kept_client::KeptClient;
use crate::read_through::ReadThrough;

/// Clients of another store, remembered.
///
/// - A client found less than `fresh_for` ago is found without any I/O.
/// - However many want one client at once, the store is asked once.
/// - While the store is out, a client is served until `stale_for` has passed since it was loaded,
///   and the store is asked for it once per `retry_after`. What breaks an invariant is never
///   hidden so.
/// - Clients nobody has heard of are not remembered: a million made-up ids take no room.
/// - Changes made here bite at once, those made elsewhere within `fresh_for`, or when
///   [`CachedClients::invalidate`] is told of them. While the store is out, within `stale_for`.
/// - `last_login` may lag behind by as much.
pub struct CachedClients {
    store: Arc<dyn ClientRepository>,
    cache: ReadThrough<ClientId, Option<Arc<KeptClient>>>,
}

impl CachedClients {
    /// Remembers the clients of `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn ClientRepository>,
        options: CacheOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keep = |client: &Option<_>| if client.is_some() { Keep::Fresh } else { Keep::Not };
        Self { store, cache: ReadThrough::new(options, clock, keep) }
    }

    /// Forgets one client: somebody else changed it.
    pub fn invalidate(&self, id: &ClientId) {
        self.cache.forget(id);
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

    async fn load(&self, id: &ClientId) -> Result<Option<Arc<KeptClient>>, Fault> {
        Ok(self.store.find(id).await?.map(|it| Arc::new(KeptClient::packed(it))))
    }
}

impl fmt::Debug for CachedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedClients").field("cache", &self.cache).finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientRepository for CachedClients {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        let found = self.cache.get(id, self.load(id)).await?;
        Ok(found.map(|it| it.unpacked(id)))
    }

    async fn look_up(&self, id: &ClientId) -> Result<Known<Option<Client>>, Fault> {
        let Known { value, is_remembered } = self.cache.look_up(id, self.load(id)).await?;
        Ok(Known { value: value.map(|it| it.unpacked(id)), is_remembered })
    }

    async fn look_again(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        let found = self.cache.look_again(id, self.load(id)).await?;
        Ok(found.map(|it| it.unpacked(id)))
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        let _at_end = self.cache.forget_at_end(&client.id);
        self.store.insert(client).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let _at_end = self.cache.forget_at_end(&client.id);
        self.store.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        let _at_end = self.cache.forget_at_end(id);
        self.store.remove(id).await
    }
}
