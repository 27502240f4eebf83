//! Hashes of secrets in a map.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::port::CredentialRepository;
use domain::{
    ClientId, Credential, EndingSecret, Fault, SecretHash, SecretId, SecretUse, Timestamp,
};

use crate::lock::locked;

/// Hashes of secrets in a map, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryCredentials(Mutex<HashMap<ClientId, Vec<Credential>>>);

impl MemoryCredentials {
    /// What `change` makes of the secret; `None` if there is none.
    fn change<T>(
        &self,
        client: &ClientId,
        secret: &SecretId,
        change: impl FnOnce(&mut Credential) -> T,
    ) -> Option<T> {
        locked(&self.0)
            .get_mut(client)?
            .iter_mut()
            .find(|credential| credential.id == *secret)
            .map(change)
    }
}

#[async_trait]
impl CredentialRepository for MemoryCredentials {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        Ok(locked(&self.0).get(client).cloned().unwrap_or_default())
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        let mut all = locked(&self.0);
        let credentials = all.entry(client.clone()).or_default();
        if credentials.iter().any(|it| it.id == credential.id) {
            return Ok(false);
        }
        let place = credentials.partition_point(|it| it.created_at <= credential.created_at);
        credentials.insert(place, credential.clone());
        Ok(true)
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        let is_rehashed = self.change(client, secret, |credential| {
            let is_old = credential.hash == *old;
            if is_old {
                credential.hash = new.clone();
            }
            is_old
        });
        Ok(is_rehashed.unwrap_or(false))
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let end = self.change(client, secret, |credential| {
            let end = credential.expires_at.map_or(at, |end| end.min(at));
            credential.expires_at = Some(end);
        });
        Ok(end.is_some())
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        let mut all = locked(&self.0);
        let Some(credentials) = all.get_mut(client) else {
            return Ok(false);
        };
        let before = credentials.len();
        credentials.retain(|credential| credential.id != *secret);
        let is_removed = credentials.len() < before;
        if credentials.is_empty() {
            all.remove(client);
        }
        Ok(is_removed)
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        locked(&self.0).remove(client);
        Ok(())
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        for secret_use in uses {
            self.change(&secret_use.client, &secret_use.secret, |credential| {
                credential.last_used = credential.last_used.max(Some(secret_use.at));
            });
        }
        Ok(())
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        let all = locked(&self.0);
        let ends = |it: &Credential| it.expires_at.filter(|end| (from..until).contains(end));
        let mut ending: Vec<EndingSecret> = all
            .iter()
            .flat_map(|(client, secrets)| secrets.iter().map(move |secret| (client, secret)))
            .filter(|(_, secret)| ends(secret).is_some())
            .map(|(client, secret)| EndingSecret {
                client: Some(client.clone()),
                secret: secret.clone(),
            })
            .collect();
        ending.sort_by_key(|it| it.secret.expires_at);
        ending.truncate(limit);
        Ok(ending)
    }
}
