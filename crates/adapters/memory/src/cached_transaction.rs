//! Transactions that the cache of this node hears of.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::Revision;
use domain::change_set::ChangeSet;
use domain::port::{ApplyError, ClientTransaction, ClientWrite};
use domain::{ClientId, Fault};

use crate::CachedClients;

/// Transactions after which the cache looks again at each client that was changed, however they
/// end: one that failed may have been carried out all the same.
pub struct CachedTransaction {
    store: Arc<dyn ClientTransaction>,
    cache: Arc<CachedClients>,
}

impl CachedTransaction {
    /// Transactions of `store`, which is the one behind `cache`.
    #[must_use]
    pub fn new(store: Arc<dyn ClientTransaction>, cache: Arc<CachedClients>) -> Self {
        Self { store, cache }
    }
}

impl fmt::Debug for CachedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTransaction").field("cache", &self.cache).finish_non_exhaustive()
    }
}

struct ForgetAtEnd<'a> {
    cache: &'a CachedClients,
    clients: Vec<&'a ClientId>,
}

impl Drop for ForgetAtEnd<'_> {
    fn drop(&mut self) {
        for client in &self.clients {
            self.cache.invalidate(client);
        }
    }
}

#[async_trait]
impl ClientTransaction for CachedTransaction {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        self.store.obstacle().await
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        let clients = writes.iter().map(ClientWrite::client).collect();
        let _at_end = ForgetAtEnd { cache: &self.cache, clients };
        self.store.apply(writes, set, expected).await
    }
}
