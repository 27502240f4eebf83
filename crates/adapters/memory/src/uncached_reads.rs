//! Reads from the store, writes through the cache.

use std::sync::Arc;

use async_trait::async_trait;
use domain::port::{ClientRepository, InsertClientError, UpdateClientError};
use domain::{Client, ClientId, Fault, Revision};

use crate::CachedClients;

/// Clients as operators need them: what is read is what is stored now, and what is changed bites
/// in the cache at once.
pub struct UncachedReads {
    store: Arc<dyn ClientRepository>,
    cache: Arc<CachedClients>,
}

impl UncachedReads {
    /// Reads from `store`, which is the one behind `cache`.
    #[must_use]
    pub fn new(store: Arc<dyn ClientRepository>, cache: Arc<CachedClients>) -> Self {
        Self { store, cache }
    }
}

#[async_trait]
impl ClientRepository for UncachedReads {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.store.find(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        self.cache.insert(client).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        self.cache.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.cache.remove(id).await
    }
}
