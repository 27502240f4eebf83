//! Clients in a map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use domain::port::{
    ClientDirectory, ClientPage, ClientQuery, ClientRepository, InsertClientError, LoginLedger,
    UpdateClientError,
};
use domain::{Client, ClientId, Fault, Login, Revision};

/// Clients in a map, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryClients(RwLock<BTreeMap<ClientId, Client>>);

impl MemoryClients {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ClientId, Client>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ClientId, Client>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ClientRepository for MemoryClients {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        Ok(self.read().get(id).cloned())
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        match self.write().entry(client.id.clone()) {
            Entry::Occupied(_) => Err(InsertClientError::AlreadyExists),
            Entry::Vacant(slot) => {
                slot.insert(client.clone());
                Ok(())
            }
        }
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let mut clients = self.write();
        let stored = clients.get_mut(&client.id).ok_or(UpdateClientError::Unknown)?;
        if stored.revision != expected {
            return Err(UpdateClientError::Conflict);
        }
        *stored = Client { last_login: stored.last_login, ..client.clone() };
        Ok(())
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        Ok(self.write().remove(id).is_some())
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
        let clients = self.read();
        let mut wanted =
            clients.range((from, Bound::Unbounded)).map(|(_, client)| client).filter(is_wanted);
        let page = wanted.by_ref().take(query.limit).cloned().collect();
        Ok(ClientPage { clients: page, has_more: wanted.next().is_some() })
    }
}

#[async_trait]
impl LoginLedger for MemoryClients {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        let mut clients = self.write();
        for login in logins {
            if let Some(client) = clients.get_mut(&login.client) {
                client.last_login = client.last_login.max(Some(login.at));
            }
        }
        Ok(())
    }
}
