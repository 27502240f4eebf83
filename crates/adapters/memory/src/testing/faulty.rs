//! Stores that can go out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, BootstrapRepository, CatalogueRepository, ChangeSetPage, ChangeSetQuery,
    ChangeSetRepository, ClientDirectory, ClientPage, ClientQuery, ClientRepository,
    ClientTransaction, ClientWrite, CredentialRepository, InsertClientError, KeyRepository,
    LoginLedger, ReplayGuard, SecretHasher, StoreCatalogueError, StoreKeysError, TokenRepository,
    UpdateClientError, Verdict,
};
use domain::{
    Catalogue, CatalogueEdition, ChangeSetId, Client, ClientId, ClientSecret, Credential,
    EndingSecret, Fault, KeySet, Login, Revision, SecretHash, SecretId, SecretUse, SigningKey,
    Timestamp, TokenDigest, TokenId,
};

/// A store that can go out: while it is, every method is a fault and changes nothing.
#[derive(Debug, Default)]
pub struct Faulty<P: ?Sized> {
    is_out: AtomicBool,
    is_corrupt: AtomicBool,
    refusals: AtomicUsize,
    store: Arc<P>,
}

impl<P: ?Sized> Faulty<P> {
    /// A store that works as `store` does, until it goes out.
    #[must_use]
    pub fn new(store: Arc<P>) -> Self {
        Self {
            is_out: AtomicBool::new(false),
            is_corrupt: AtomicBool::new(false),
            refusals: AtomicUsize::new(0),
            store,
        }
    }

    /// Goes out: every method is a fault of kind `Unavailable`.
    pub fn go_out(&self) {
        self.is_corrupt.store(false, Ordering::SeqCst);
        self.is_out.store(true, Ordering::SeqCst);
    }

    /// Breaks: every method is a fault of kind `Corrupt`.
    pub fn go_bad(&self) {
        self.is_corrupt.store(true, Ordering::SeqCst);
        self.is_out.store(true, Ordering::SeqCst);
    }

    /// Works again.
    pub fn come_back(&self) {
        self.is_out.store(false, Ordering::SeqCst);
    }

    /// How many calls met a fault.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.refusals.load(Ordering::SeqCst)
    }

    pub(super) fn working(&self) -> Result<&P, Fault> {
        if !self.is_out.load(Ordering::SeqCst) {
            return Ok(&self.store);
        }
        self.refusals.fetch_add(1, Ordering::SeqCst);
        Err(if self.is_corrupt.load(Ordering::SeqCst) {
            Fault::corrupt("the store was broken")
        } else {
            Fault::unavailable("the store was switched off")
        })
    }
}

/// Implements a port by asking [`Faulty::working`] first.
macro_rules! faulty {
    ($port:ident { $(fn $method:ident($($arg:ident: $ty:ty),*) -> $result:ty;)+ }) => {
        #[async_trait]
        impl<P: $port + ?Sized> $port for Faulty<P> {
            $(async fn $method(&self, $($arg: $ty),*) -> $result {
                self.working()?.$method($($arg),*).await
            })+
        }
    };
}

faulty! { ClientRepository {
    fn find(id: &ClientId) -> Result<Option<Client>, Fault>;
    fn insert(client: &Client) -> Result<(), InsertClientError>;
    fn update(client: &Client, expected: Revision) -> Result<(), UpdateClientError>;
    fn remove(id: &ClientId) -> Result<bool, Fault>;
}}

faulty! { ChangeSetRepository {
    fn find(id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault>;
    fn page(query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault>;
    fn unsettled(limit: usize) -> Result<Vec<ChangeSetId>, Fault>;
    fn insert(set: &ChangeSet) -> Result<bool, Fault>;
    fn update(set: &ChangeSet, expected: Revision) -> Result<bool, Fault>;
    fn remove(id: &ChangeSetId, expected: Revision) -> Result<bool, Fault>;
}}

faulty! { ClientTransaction {
    fn obstacle() -> Result<Option<&'static str>, Fault>;
    fn apply(
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision
    ) -> Result<(), ApplyError>;
}}

faulty! { ClientDirectory {
    fn page(query: &ClientQuery) -> Result<ClientPage, Fault>;
}}

faulty! { LoginLedger {
    fn record(logins: &[Login]) -> Result<(), Fault>;
}}

faulty! { CredentialRepository {
    fn list(client: &ClientId) -> Result<Vec<Credential>, Fault>;
    fn insert(client: &ClientId, credential: &Credential) -> Result<bool, Fault>;
    fn rehash(
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash
    ) -> Result<bool, Fault>;
    fn expire(client: &ClientId, secret: &SecretId, at: Timestamp) -> Result<bool, Fault>;
    fn remove(client: &ClientId, secret: &SecretId) -> Result<bool, Fault>;
    fn remove_all(client: &ClientId) -> Result<(), Fault>;
    fn record_uses(uses: &[SecretUse]) -> Result<(), Fault>;
    fn ending(
        from: Timestamp,
        until: Timestamp,
        limit: usize
    ) -> Result<Vec<EndingSecret>, Fault>;
}}

faulty! { TokenRepository {
    fn revoke(id: &TokenId, until: Timestamp) -> Result<(), Fault>;
    fn is_revoked(id: &TokenId) -> Result<bool, Fault>;
    fn revoke_client(
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp
    ) -> Result<(), Fault>;
    fn client_revoked_until(client: &ClientId) -> Result<Option<Timestamp>, Fault>;
}}

faulty! { ReplayGuard {
    fn burn(
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp
    ) -> Result<bool, Fault>;
}}

faulty! { KeyRepository {
    fn load() -> Result<KeySet, Fault>;
    fn store(expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError>;
}}

faulty! { CatalogueRepository {
    fn load() -> Result<CatalogueEdition, Fault>;
    fn store(expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError>;
}}

faulty! { BootstrapRepository {
    fn find() -> Result<Option<TokenDigest>, Fault>;
    fn claim(digest: &TokenDigest) -> Result<bool, Fault>;
    fn replace(digest: &TokenDigest) -> Result<(), Fault>;
}}

faulty! { SecretHasher {
    fn hash(secret: &ClientSecret) -> Result<SecretHash, Fault>;
    fn verify(
        presented: &ClientSecret,
        expected: Option<&SecretHash>
    ) -> Result<Verdict, Fault>;
}}
