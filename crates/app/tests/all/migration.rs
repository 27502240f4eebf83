//! Clients and their secrets move from one store to another.

mod catalogue;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adapter_memory::testing::{Faulty, PlainDigester};
use adapter_memory::{MemoryCatalogue, MemoryClients, MemoryCredentials};
use app::{ClientStores, MigrateStore, MigrationMode, MigrationReport, Tally};
use async_trait::async_trait;
use domain::port::{
    ClientRepository, CredentialRepository as _, InsertClientError, UpdateClientError,
};
use domain::{
    AuthenticationMethod, Client, ClientId, ClientState, Credential, Fault, InformativeMetadata,
    Revision, Scope, SecretHash, Timestamp, TokenFormat,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_900_000_000_000);

const COPY: MigrationMode = MigrationMode { is_dry_run: false, overwrites: false };
const UPDATE: MigrationMode = MigrationMode { is_dry_run: false, overwrites: true };

const fn dry(mode: MigrationMode) -> MigrationMode {
    MigrationMode { is_dry_run: true, ..mode }
}

struct Side {
    clients: Arc<Faulty<MemoryClients>>,
    credentials: Arc<Faulty<MemoryCredentials>>,
    catalogue: Arc<MemoryCatalogue>,
}

impl Side {
    fn new() -> Self {
        Self {
            clients: Arc::new(Faulty::new(Arc::new(MemoryClients::default()))),
            credentials: Arc::new(Faulty::new(Arc::new(MemoryCredentials::default()))),
            catalogue: Arc::default(),
        }
    }

    fn stores(&self) -> ClientStores {
        ClientStores {
            clients: self.clients.clone(),
            directory: self.clients.clone(),
            credentials: self.credentials.clone(),
            catalogue: self.catalogue.clone(),
        }
    }

    async fn keep(&self, client: &Client, secrets: &[Credential]) {
        for secret in secrets {
            assert!(self.credentials.insert(&client.id, secret).await.unwrap());
        }
        self.clients.insert(client).await.unwrap();
    }
}

fn client(id: &str) -> Client {
    Client {
        id: id.parse().unwrap(),
        name: "a client".parse().unwrap(),
        state: ClientState::Public,
        authentication: AuthenticationMethod::ClientSecretBasic,
        keys: Vec::new(),
        capabilities: std::collections::BTreeSet::new(),
        permissions: vec!["read".parse().unwrap()],
        audience: Vec::new(),
        scope: Scope::default(),
        allowed_custom_claims: Vec::new(),
        settings: domain::ClientSettings::default(),
        metadata: None,
        informative: InformativeMetadata::default(),
        created_at: NOW,
        updated_at: NOW,
        last_login: None,
        revision: Revision::FIRST,
    }
}

fn secret(id: &str) -> Credential {
    Credential {
        id: id.parse().unwrap(),
        name: None,
        hash: SecretHash::new(format!("$plain${id}")),
        selector: None,
        created_at: NOW,
        expires_at: None,
        last_used: None,
    }
}

async fn source(count: usize) -> Side {
    let side = Side::new();
    for number in 0..count {
        let secrets = [secret("s1"), secret("s2")];
        side.keep(&client(&format!("c{number:04}")), secrets.get(..1 + number % 2).unwrap()).await;
    }
    side
}

fn tally(read: u64, copied: u64, updated: u64, present: u64) -> Tally {
    Tally { read, copied, updated, present }
}

fn said(report: &MigrationReport) -> Vec<String> {
    report.conflicts.iter().map(|it| format!("{}: {}", it.client, it.what)).collect()
}

fn id(id: &str) -> ClientId {
    id.parse().unwrap()
}

fn migration(from: &Side, to: &Side) -> MigrateStore {
    MigrateStore { from: from.stores(), to: to.stores(), digester: Arc::new(PlainDigester) }
}

async fn migrate(from: &Side, to: &Side, mode: MigrationMode) -> MigrationReport {
    migration(from, to).execute(mode).await.unwrap()
}

#[tokio::test]
async fn everything_is_copied_and_compared() {
    let (from, to) = (source(450).await, Side::new());

    let report = migrate(&from, &to, COPY).await;

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.clients, tally(450, 450, 0, 0));
    assert_eq!(report.secrets, tally(675, 675, 0, 0));
    let verification = report.verification.unwrap();
    assert_eq!((verification.target.clients, verification.target.secrets), (450, 675));
    assert_eq!(verification.source.digest.len(), 64);
    let id: ClientId = "c0001".parse().unwrap();
    assert_eq!(to.clients.find(&id).await.unwrap(), from.clients.find(&id).await.unwrap());
    assert_eq!(to.credentials.list(&id).await.unwrap(), from.credentials.list(&id).await.unwrap());
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_what_would_be_done() {
    let (from, to) = (source(3).await, Side::new());
    to.keep(&client("c0000"), &[secret("s1")]).await;

    let report = migrate(&from, &to, dry(COPY)).await;

    assert_eq!(report.clients, tally(3, 2, 0, 1));
    assert_eq!(report.secrets, tally(4, 3, 0, 1));
    assert_eq!(report.verification, None);
    assert_eq!(to.clients.find(&"c0001".parse().unwrap()).await.unwrap(), None);
    assert!(to.credentials.list(&"c0001".parse().unwrap()).await.unwrap().is_empty());
}

/// Wherever it breaks off, no client is without its secrets, and the next run goes on.
#[tokio::test]
async fn what_was_broken_off_goes_on() {
    let (from, to) = (source(40).await, Side::new());
    to.clients.go_out();
    migration(&from, &to).execute(COPY).await.unwrap_err();
    to.clients.come_back();
    to.keep(&client("c0000"), &[secret("s1")]).await;

    let report = migrate(&from, &to, COPY).await;

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.clients, tally(40, 39, 0, 1));
    let again = migrate(&from, &to, COPY).await;
    assert_eq!(again.clients, tally(40, 0, 0, 40));
    assert_eq!(again.secrets, tally(60, 0, 0, 60));
    assert!(again.is_complete());
}

/// Clients in the target, each of which differs in another way from those of `source(8)`.
async fn others() -> Side {
    let side = Side::new();
    let (one, two) = (secret("s1"), secret("s2"));
    let permitted = Client { permissions: Vec::new(), ..client("c0000") };
    let settings =
        domain::ClientSettings { token_format: Some(TokenFormat::Reference), ..Default::default() };
    let trashed = Client { settings, state: ClientState::Trash, ..client("c0001") };
    let other_hash = Credential { hash: SecretHash::new("$plain$other"), ..one.clone() };
    let other_end = Credential { expires_at: Some(NOW), ..two.clone() };
    side.keep(&permitted, std::slice::from_ref(&one)).await;
    side.keep(&trashed, &[one.clone(), two.clone()]).await;
    side.keep(&client("c0002"), std::slice::from_ref(&other_hash)).await;
    side.keep(&client("c0003"), &[other_end]).await;
    side.keep(&client("c0004"), &[one.clone(), secret("gone")]).await;
    side.keep(&client("c0005"), &[one, two]).await;
    // What a broken off run leaves behind is no client yet, but no secret of another may live on.
    assert!(side.credentials.insert(&id("c0006"), &other_hash).await.unwrap());
    side.keep(&client("extra"), &[]).await;
    side
}

async fn everything(side: &Side) -> Vec<(Client, Vec<Credential>)> {
    use domain::port::{ClientDirectory as _, ClientQuery};
    let query = ClientQuery { after: None, limit: 1_000, search: None };
    let mut all = Vec::new();
    for client in side.clients.page(&query).await.unwrap().clients {
        let secrets = side.credentials.list(&client.id).await.unwrap();
        all.push((client, secrets));
    }
    all
}

#[tokio::test]
async fn what_differs_is_named_in_a_dry_run_as_in_a_run_and_never_overwritten() {
    let (from, to) = (source(8).await, others().await);
    let before = everything(&to).await;

    let planned = migrate(&from, &to, dry(COPY)).await;
    assert_eq!(everything(&to).await, before);
    let report = migrate(&from, &to, COPY).await;

    assert_eq!(
        said(&report),
        [
            "c0000: differs in permissions",
            "c0001: differs in settings, state",
            "c0002: secret s1 differs in hash",
            "c0003: secret s2 differs in expires_at; secret s1 is not in the target",
            "c0004: secret gone is in the target alone",
            "c0006: is not in the target; secret s1 differs in hash",
        ]
    );
    assert_eq!(report.extras, [id("extra")]);
    assert!(!report.is_complete() && !planned.is_complete());
    assert!(!report.verification.clone().unwrap().is_equal());
    assert_eq!(MigrationReport { verification: None, ..report.clone() }, planned);
    assert_eq!(report.clients, tally(8, 1, 0, 1));
    let mut after = everything(&to).await;
    after.retain(|(client, _)| client.id != id("c0007"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_differs_is_overwritten_where_that_is_asked_for() {
    let (from, to) = (source(8).await, others().await);
    let before = everything(&to).await;

    let planned = migrate(&from, &to, dry(UPDATE)).await;
    assert_eq!(everything(&to).await, before);
    let report = migrate(&from, &to, UPDATE).await;

    assert!(report.is_complete() && planned.is_complete(), "{report:?}");
    assert_eq!(MigrationReport { verification: None, ..report.clone() }, planned);
    assert_eq!(report.clients, tally(8, 2, 2, 4));
    assert_eq!(report.secrets, tally(12, 3, 3, 6));
    assert_eq!(report.removed_secrets, 1);
    assert_eq!(report.extras, [id("extra")]);
    assert!(to.clients.find(&id("extra")).await.unwrap().is_some());
    let stored = to.clients.find(&id("c0001")).await.unwrap().unwrap();
    assert_eq!(stored, Client { revision: Revision::FIRST.next(), ..client("c0001") });
    assert_eq!(to.credentials.list(&id("c0002")).await.unwrap(), [secret("s1")]);
    let again = migrate(&from, &to, UPDATE).await;
    assert_eq!(again.clients, tally(8, 0, 0, 8));
}

/// A secret that came to the source meanwhile stands in nobody's way.
#[tokio::test]
async fn a_new_secret_of_a_known_client_is_copied() {
    let (from, to) = (source(2).await, Side::new());
    migrate(&from, &to, COPY).await;
    assert!(from.credentials.insert(&id("c0000"), &secret("new")).await.unwrap());

    let report = migrate(&from, &to, COPY).await;

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.secrets, tally(4, 1, 0, 3));
}

/// Clients whose documents begin as drafts, as in a collection of a crud-service.
struct Drafting {
    clients: Arc<Faulty<MemoryClients>>,
    is_read_only: AtomicBool,
}

#[async_trait]
impl ClientRepository for Drafting {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.clients.find(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        let state = match client.state {
            ClientState::Public => ClientState::Draft,
            other => other,
        };
        self.clients.insert(&Client { state, ..client.clone() }).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        if self.is_read_only.load(Ordering::SeqCst) {
            return Err(Fault::unavailable("the store is read-only").into());
        }
        self.clients.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.clients.remove(id).await
    }
}

fn drafting(from: &Side, to: &Side) -> (MigrateStore, Arc<Drafting>) {
    let drafting =
        Arc::new(Drafting { clients: to.clients.clone(), is_read_only: AtomicBool::new(false) });
    let mut migration = migration(from, to);
    migration.to.clients = drafting.clone();
    (migration, drafting)
}

#[tokio::test]
async fn a_target_with_a_state_of_its_own_gets_that_of_the_source() {
    let (from, to) = (source(2).await, Side::new());
    let trashed = Client { state: ClientState::Trash, ..client("trashed") };
    from.keep(&trashed, &[]).await;

    let report = drafting(&from, &to).0.execute(COPY).await.unwrap();

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.clients, tally(3, 3, 0, 0));
    assert!(to.clients.find(&id("c0000")).await.unwrap().unwrap().is_enabled());
    assert_eq!(to.clients.find(&trashed.id).await.unwrap(), Some(trashed));
}

#[tokio::test]
async fn a_draft_that_a_broken_off_run_left_is_published_and_no_other() {
    let (from, to) = (source(2).await, Side::new());
    let (migration, target) = drafting(&from, &to);
    target.is_read_only.store(true, Ordering::SeqCst);
    migration.execute(COPY).await.unwrap_err();
    target.is_read_only.store(false, Ordering::SeqCst);
    let draft = to.clients.find(&id("c0000")).await.unwrap().unwrap();
    assert_eq!(draft.state, ClientState::Draft);

    let report = migration.execute(COPY).await.unwrap();

    assert!(report.is_complete(), "{report:?}");
    let published = to.clients.find(&draft.id).await.unwrap().unwrap();
    assert!(published.is_enabled());
    // Whatever somebody did to it since then is not undone.
    let later = Timestamp::from_unix_millis(NOW.as_unix_millis() + 1);
    let revision = published.revision.next();
    let touched = Client { updated_at: later, revision, ..draft };
    to.clients.update(&touched, published.revision).await.unwrap();
    let report = migration.execute(COPY).await.unwrap();
    assert_eq!(said(&report), ["c0000: differs in state"]);
    assert_eq!(to.clients.find(&touched.id).await.unwrap(), Some(touched));
}
