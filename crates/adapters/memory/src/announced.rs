//! Stores whose changes other nodes are told of.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, CatalogueRepository, ClientRepository, ClientTransaction, ClientWrite,
    CredentialRepository, InsertClientError, KeyRepository, Known, StoreCatalogueError,
    StoreKeysError, TokenRepository, UpdateClientError,
};
use domain::{
    Catalogue, CatalogueEdition, Change, Client, ClientId, Credential, EndingSecret, Fault, KeySet,
    Revision, SecretHash, SecretId, SecretUse, SigningKey, Timestamp, TokenId,
};

use crate::News;

/// A store whose changes other nodes are told of.
///
/// A change is told at the end of a write, however it ends: one that failed may have been carried
/// out all the same. A client that is made is no news: nobody remembers that it was not there. A
/// secret that is made is none either: whoever is refused is looked up again. Nor is a hash that was
/// made anew, since the old one stands for the same secret.
pub struct Announced<R: ?Sized> {
    inner: Arc<R>,
    news: Arc<News>,
}

impl<R: ?Sized> Announced<R> {
    /// Tells `news` of the changes of `inner`.
    #[must_use]
    pub fn new(inner: Arc<R>, news: Arc<News>) -> Self {
        Self { inner, news }
    }

    fn tell_at_end(&self, change: Change) -> impl Drop + use<'_, R> {
        TellAtEnd { news: &self.news, change: Some(change) }
    }
}

impl<R: ?Sized> fmt::Debug for Announced<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announced").field("news", &self.news).finish_non_exhaustive()
    }
}

struct TellAtEnd<'a> {
    news: &'a News,
    change: Option<Change>,
}

impl Drop for TellAtEnd<'_> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.news.tell(change);
        }
    }
}

#[async_trait]
impl ClientRepository for Announced<dyn ClientRepository> {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.inner.find(id).await
    }

    async fn look_up(&self, id: &ClientId) -> Result<Known<Option<Client>>, Fault> {
        self.inner.look_up(id).await
    }

    async fn look_again(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.inner.look_again(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        self.inner.insert(client).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let _at_end = self.tell_at_end(Change::Client(client.id.clone()));
        self.inner.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        let _at_end = self.tell_at_end(Change::Client(id.clone()));
        self.inner.remove(id).await
    }
}

#[async_trait]
impl ClientTransaction for Announced<dyn ClientTransaction> {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        self.inner.obstacle().await
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        let changed = |write: &ClientWrite| match write {
            ClientWrite::Insert(_) => None,
            ClientWrite::Update { .. } | ClientWrite::Remove { .. } => {
                Some(self.tell_at_end(Change::Client(write.client().clone())))
            }
        };
        let _at_end: Vec<_> = writes.iter().filter_map(changed).collect();
        self.inner.apply(writes, set, expected).await
    }
}

#[async_trait]
impl CredentialRepository for Announced<dyn CredentialRepository> {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        self.inner.list(client).await
    }

    async fn look_up(&self, client: &ClientId) -> Result<Known<Vec<Credential>>, Fault> {
        self.inner.look_up(client).await
    }

    async fn look_again(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        self.inner.look_again(client).await
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        self.inner.insert(client, credential).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        self.inner.rehash(client, secret, old, new).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let _at_end = self.tell_at_end(Change::Secrets(client.clone()));
        self.inner.expire(client, secret, at).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        let _at_end = self.tell_at_end(Change::Secrets(client.clone()));
        self.inner.remove(client, secret).await
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        let _at_end = self.tell_at_end(Change::Secrets(client.clone()));
        self.inner.remove_all(client).await
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        self.inner.record_uses(uses).await
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        self.inner.ending(from, until, limit).await
    }
}

#[async_trait]
impl TokenRepository for Announced<dyn TokenRepository> {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        let _at_end = self.tell_at_end(Change::Token(id.clone()));
        self.inner.revoke(id, until).await
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        self.inner.is_revoked(id).await
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let _at_end = self.tell_at_end(Change::Tokens(client.clone()));
        self.inner.revoke_client(client, issued_until, until).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        self.inner.client_revoked_until(client).await
    }
}

#[async_trait]
impl KeyRepository for Announced<dyn KeyRepository> {
    async fn load(&self) -> Result<KeySet, Fault> {
        self.inner.load().await
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let _at_end = self.tell_at_end(Change::Keys);
        self.inner.store(expected, keys).await
    }
}

#[async_trait]
impl CatalogueRepository for Announced<dyn CatalogueRepository> {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        self.inner.load().await
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        let _at_end = self.tell_at_end(Change::Catalogue);
        self.inner.store(expected, catalogue).await
    }
}
