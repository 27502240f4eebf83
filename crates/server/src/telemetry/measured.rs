//! A decorator that measures a store, whatever port it is behind.

use std::sync::Arc;

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, CatalogueRepository, ChangeSetPage, ChangeSetQuery, ChangeSetRepository,
    ClientDirectory, ClientPage, ClientQuery, ClientRepository, ClientTransaction, ClientWrite,
    CredentialRepository, InsertClientError, KeyRepository, LoginLedger, ReferenceTokenRepository,
    ReplayGuard, StoreCatalogueError, StoreKeysError, TokenRepository, UpdateClientError,
};
use domain::{
    Catalogue, CatalogueEdition, ChangeSetId, Client, ClientId, Credential, EndingSecret, Fault,
    FaultKind, KeySet, Login, ReferenceToken, Revision, SecretHash, SecretId, SecretUse,
    SigningKey, Timestamp, TokenDigest, TokenId,
};

use super::metrics::Metrics;
use super::stopwatch;

/// Measures every call of the port `P`.
pub(crate) struct Measured<P: ?Sized> {
    pub(crate) inner: Arc<P>,
    pub(crate) store: &'static str,
    pub(crate) metrics: Arc<Metrics>,
}

/// What kind of fault an error is, if it is one.
trait MayBeFault {
    fn fault(&self) -> Option<FaultKind>;
}

impl MayBeFault for Fault {
    fn fault(&self) -> Option<FaultKind> {
        Some(self.kind())
    }
}

impl MayBeFault for InsertClientError {
    fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::AlreadyExists | Self::Refused { .. } => None,
            Self::Fault(fault) => Some(fault.kind()),
        }
    }
}

impl MayBeFault for UpdateClientError {
    fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::Unknown | Self::Conflict | Self::Refused { .. } => None,
            Self::Fault(fault) => Some(fault.kind()),
        }
    }
}

impl MayBeFault for ApplyError {
    fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::Moved(_) | Self::Superseded | Self::Impossible(_) => None,
            Self::Fault(fault) => Some(fault.kind()),
        }
    }
}

impl MayBeFault for StoreCatalogueError {
    fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::Conflict => None,
            Self::Fault(fault) => Some(fault.kind()),
        }
    }
}

impl MayBeFault for StoreKeysError {
    fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::Conflict | Self::ReadOnly => None,
            Self::Fault(fault) => Some(fault.kind()),
        }
    }
}

impl<P: ?Sized> Measured<P> {
    #[tracing::instrument(level = "debug", name = "store", skip_all, fields(store = self.store, operation = operation))]
    async fn measure<T, E: MayBeFault>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started = stopwatch::start();
        let outcome = call.await;
        let fault = outcome.as_ref().err().and_then(MayBeFault::fault);
        self.metrics.store(self.store, operation, fault, started.elapsed());
        outcome
    }
}

#[async_trait]
impl ClientRepository for Measured<dyn ClientRepository> {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.measure("find_client", self.inner.find(id)).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        self.measure("insert_client", self.inner.insert(client)).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        self.measure("update_client", self.inner.update(client, expected)).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.measure("remove_client", self.inner.remove(id)).await
    }
}

#[async_trait]
impl ChangeSetRepository for Measured<dyn ChangeSetRepository> {
    async fn find(&self, id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault> {
        self.measure("find_change_set", self.inner.find(id)).await
    }

    async fn page(&self, query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault> {
        self.measure("page_change_sets", self.inner.page(query)).await
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<ChangeSetId>, Fault> {
        self.measure("unsettled_change_sets", self.inner.unsettled(limit)).await
    }

    async fn insert(&self, set: &ChangeSet) -> Result<bool, Fault> {
        self.measure("insert_change_set", self.inner.insert(set)).await
    }

    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<bool, Fault> {
        self.measure("update_change_set", self.inner.update(set, expected)).await
    }

    async fn remove(&self, id: &ChangeSetId, expected: Revision) -> Result<bool, Fault> {
        self.measure("remove_change_set", self.inner.remove(id, expected)).await
    }
}

#[async_trait]
impl ClientTransaction for Measured<dyn ClientTransaction> {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        self.measure("transaction_obstacle", self.inner.obstacle()).await
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        self.measure("apply_change_set", self.inner.apply(writes, set, expected)).await
    }
}

#[async_trait]
impl ClientDirectory for Measured<dyn ClientDirectory> {
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        self.measure("page_clients", self.inner.page(query)).await
    }
}

#[async_trait]
impl LoginLedger for Measured<dyn LoginLedger> {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        self.measure("record_logins", self.inner.record(logins)).await
    }
}

#[async_trait]
impl CredentialRepository for Measured<dyn CredentialRepository> {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        self.measure("list_credentials", self.inner.list(client)).await
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        self.measure("insert_credential", self.inner.insert(client, credential)).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        self.measure("rehash_credential", self.inner.rehash(client, secret, old, new)).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        self.measure("expire_credential", self.inner.expire(client, secret, at)).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        self.measure("remove_credential", self.inner.remove(client, secret)).await
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        self.measure("remove_credentials", self.inner.remove_all(client)).await
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        self.measure("record_secret_uses", self.inner.record_uses(uses)).await
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        self.measure("ending_credentials", self.inner.ending(from, until, limit)).await
    }
}

#[async_trait]
impl TokenRepository for Measured<dyn TokenRepository> {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        self.measure("revoke_token", self.inner.revoke(id, until)).await
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        self.measure("is_token_revoked", self.inner.is_revoked(id)).await
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        self.measure("revoke_client", self.inner.revoke_client(client, issued_until, until)).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        self.measure("client_revoked_until", self.inner.client_revoked_until(client)).await
    }
}

#[async_trait]
impl ReferenceTokenRepository for Measured<dyn ReferenceTokenRepository> {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        self.measure("insert_reference", self.inner.insert(digest, token)).await
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        self.measure("find_reference", self.inner.find(digest)).await
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        self.measure("remove_reference", self.inner.remove(digest)).await
    }
}

#[async_trait]
impl ReplayGuard for Measured<dyn ReplayGuard> {
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        self.measure("burn_assertion", self.inner.burn(client, id, until, now)).await
    }
}

#[async_trait]
impl CatalogueRepository for Measured<dyn CatalogueRepository> {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        self.measure("load_catalogue", self.inner.load()).await
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        self.measure("store_catalogue", self.inner.store(expected, catalogue)).await
    }
}

#[async_trait]
impl KeyRepository for Measured<dyn KeyRepository> {
    async fn load(&self) -> Result<KeySet, Fault> {
        self.measure("load_keys", self.inner.load()).await
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        self.measure("store_keys", self.inner.store(expected, keys)).await
    }
}
