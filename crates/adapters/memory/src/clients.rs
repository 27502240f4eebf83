//! Clients in a map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{
    ClientDirectory, ClientPage, ClientQuery, ClientRepository, InsertClientError, LoginLedger,
    UpdateClientError,
};
use domain::{ChangeSetId, Client, ClientId, Fault, Login, Revision};

/// Clients in a map, and the change sets that are about them, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryClients(RwLock<Kept>);

/// What is changed together is behind one lock.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) sets: BTreeMap<ChangeSetId, ChangeSet>,
}

impl MemoryClients {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ClientRepository for MemoryClients {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        Ok(self.read().clients.get(id).cloned())
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        match self.write().clients.entry(client.id.clone()) {
            Entry::Occupied(_) => Err(InsertClientError::AlreadyExists),
            Entry::Vacant(slot) => {
                slot.insert(client.clone());
                Ok(())
            }
        }
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let mut kept = self.write();
        let stored = kept.clients.get_mut(&client.id).ok_or(UpdateClientError::Unknown)?;
        if stored.revision != expected {
            return Err(UpdateClientError::Conflict);
        }
        *stored = Client { last_login: stored.last_login, ..client.clone() };
        Ok(())
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        Ok(self.write().clients.remove(id).is_some())
    }
}

#[async_trait]
impl ClientDirectory for MemoryClients {
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        let search = query.search.as_ref().map(|it| it.to_ascii_lowercase());
        let is_wanted = |client: &&Client| {
            search.as_ref().is_none_or(|search| {
                let holds = |text: &str| text.to_ascii_lowercase().contains(search);
                holds(client.id.as_str()) || holds(client.name.as_str())
            })
        };
        let from = query.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let kept = self.read();
        let following = kept.clients.range((from, Bound::Unbounded)).map(|(_, client)| client);
        let mut wanted = following.filter(is_wanted);
        let page = wanted.by_ref().take(query.limit).cloned().collect();
        Ok(ClientPage { clients: page, has_more: wanted.next().is_some() })
    }
}

#[async_trait]
impl LoginLedger for MemoryClients {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        let mut kept = self.write();
        for login in logins {
            if let Some(client) = kept.clients.get_mut(&login.client) {
                client.last_login = client.last_login.max(Some(login.at));
            }
        }
        Ok(())
    }
}
