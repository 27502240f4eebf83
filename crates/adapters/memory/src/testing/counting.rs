//! Stores that count who reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::port::{
    ClientRepository, CredentialRepository, InsertClientError, TokenRepository, UpdateClientError,
};
use domain::{
    Client, ClientId, Credential, EndingSecret, Fault, Revision, SecretHash, SecretId, SecretUse,
    Timestamp, TokenId,
};

/// A store that counts its reads, and yields before each, so that reads at the same time do
/// overlap.
#[derive(Debug, Default)]
pub struct Counting<P: ?Sized> {
    reads: AtomicUsize,
    store: Arc<P>,
}

impl<P: ?Sized> Counting<P> {
    /// Counts the reads of `store`.
    #[must_use]
    pub fn new(store: Arc<P>) -> Self {
        Self { reads: AtomicUsize::new(0), store }
    }

    /// How often it was read: `find`, `list`, `is_revoked`, `client_revoked_until`.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    async fn read(&self) -> &P {
        self.reads.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        &self.store
    }
}

#[async_trait]
impl<P: ClientRepository + ?Sized> ClientRepository for Counting<P> {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.read().await.find(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        self.store.insert(client).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        self.store.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.store.remove(id).await
    }
}

#[async_trait]
impl<P: CredentialRepository + ?Sized> CredentialRepository for Counting<P> {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        self.read().await.list(client).await
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        self.store.insert(client, credential).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        self.store.rehash(client, secret, old, new).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        self.store.expire(client, secret, at).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        self.store.remove(client, secret).await
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
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
        self.read().await.ending(from, until, limit).await
    }
}

#[async_trait]
impl<P: TokenRepository + ?Sized> TokenRepository for Counting<P> {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        self.store.revoke(id, until).await
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        self.read().await.is_revoked(id).await
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        self.store.revoke_client(client, issued_until, until).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        self.read().await.client_revoked_until(client).await
    }
}
