//! Change sets in a map, beside the clients that they are about.

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, ChangeSetPage, ChangeSetQuery, ChangeSetRepository, ClientTransaction, ClientWrite,
};
use domain::{ChangeSetId, Client, ClientId, Fault, Revision};

use crate::MemoryClients;
use crate::clients::Kept;

#[async_trait]
impl ChangeSetRepository for MemoryClients {
    async fn find(&self, id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault> {
        Ok(self.read().sets.get(id).cloned())
    }

    async fn page(&self, query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault> {
        let kept = self.read();
        let is_next = |id: &ChangeSetId| query.before.as_ref().is_none_or(|before| id < before);
        let mut wanted = kept.sets.iter().rev().filter(|(id, _)| is_next(id));
        let sets = wanted.by_ref().take(query.limit).map(|(_, set)| set.summary()).collect();
        Ok(ChangeSetPage { sets, has_more: wanted.next().is_some() })
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<ChangeSetId>, Fault> {
        let kept = self.read();
        let unsettled = kept.sets.values().filter(|set| !set.is_settled());
        Ok(unsettled.take(limit).map(|set| set.id.clone()).collect())
    }

    async fn insert(&self, set: &ChangeSet) -> Result<bool, Fault> {
        let mut kept = self.write();
        let is_new = !kept.sets.contains_key(&set.id);
        if is_new {
            kept.sets.insert(set.id.clone(), set.clone());
        }
        Ok(is_new)
    }

    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<bool, Fault> {
        let mut kept = self.write();
        let is_same = kept.has_set(&set.id, expected);
        if is_same {
            kept.sets.insert(set.id.clone(), set.clone());
        }
        Ok(is_same)
    }

    async fn remove(&self, id: &ChangeSetId, expected: Revision) -> Result<bool, Fault> {
        let mut kept = self.write();
        let is_same = kept.has_set(id, expected);
        if is_same {
            kept.sets.remove(id);
        }
        Ok(is_same)
    }
}

#[async_trait]
impl ClientTransaction for MemoryClients {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        Ok(None)
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        let mut kept = self.write();
        if !kept.has_set(&set.id, expected) {
            return Err(ApplyError::Superseded);
        }
        let mut moved: Vec<ClientId> = writes
            .iter()
            .filter(|write| kept.has_moved(write))
            .map(|write| write.client().clone())
            .collect();
        if !moved.is_empty() {
            moved.sort();
            return Err(ApplyError::Moved(moved));
        }
        for write in writes {
            kept.carry_out(write);
        }
        kept.sets.insert(set.id.clone(), set.clone());
        Ok(())
    }
}

impl Kept {
    fn has_set(&self, id: &ChangeSetId, revision: Revision) -> bool {
        self.sets.get(id).is_some_and(|set| set.revision == revision)
    }

    fn has_moved(&self, write: &ClientWrite) -> bool {
        let stored = self.clients.get(write.client()).map(|client| client.revision);
        match write {
            ClientWrite::Insert(_) => stored.is_some(),
            ClientWrite::Update { expected, .. } | ClientWrite::Remove { expected, .. } => {
                stored != Some(*expected)
            }
        }
    }

    fn carry_out(&mut self, write: &ClientWrite) {
        let id = write.client();
        match write {
            ClientWrite::Insert(client) => drop(self.clients.insert(id.clone(), client.clone())),
            ClientWrite::Update { client, .. } => {
                let last_login = self.clients.get(id).and_then(|stored| stored.last_login);
                let client = Client { last_login, ..client.clone() };
                self.clients.insert(id.clone(), client);
            }
            ClientWrite::Remove { .. } => drop(self.clients.remove(id)),
        }
    }
}
