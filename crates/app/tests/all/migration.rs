//! Clients and their secrets move from one store to another.

use std::sync::Arc;

use adapter_memory::testing::{Faulty, PlainDigester};
use adapter_memory::{MemoryClients, MemoryCredentials};
use app::{ClientStores, MigrateStore, MigrationMode, MigrationReport, Tally};
use domain::port::{ClientRepository as _, CredentialRepository as _};
use domain::{
    AuthenticationMethod, Client, ClientId, ClientState, Credential, InformativeMetadata, Revision,
    Scope, SecretHash, Timestamp,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_900_000_000_000);

struct Side {
    clients: Arc<Faulty<MemoryClients>>,
    credentials: Arc<Faulty<MemoryCredentials>>,
}

impl Side {
    fn new() -> Self {
        Self {
            clients: Arc::new(Faulty::new(Arc::new(MemoryClients::default()))),
            credentials: Arc::new(Faulty::new(Arc::new(MemoryCredentials::default()))),
        }
    }

    fn stores(&self) -> ClientStores {
        ClientStores {
            clients: self.clients.clone(),
            directory: self.clients.clone(),
            credentials: self.credentials.clone(),
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

fn migration(from: &Side, to: &Side) -> MigrateStore {
    MigrateStore { from: from.stores(), to: to.stores(), digester: Arc::new(PlainDigester) }
}

async fn migrate(from: &Side, to: &Side, mode: MigrationMode) -> MigrationReport {
    migration(from, to).execute(mode).await.unwrap()
}

#[tokio::test]
async fn everything_is_copied_and_compared() {
    let (from, to) = (source(450).await, Side::new());

    let report = migrate(&from, &to, MigrationMode::Copy).await;

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.clients, Tally { read: 450, copied: 450, present: 0 });
    assert_eq!(report.secrets, Tally { read: 675, copied: 675, present: 0 });
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

    let report = migrate(&from, &to, MigrationMode::DryRun).await;

    assert_eq!(report.clients, Tally { read: 3, copied: 2, present: 1 });
    assert_eq!(report.secrets, Tally { read: 4, copied: 3, present: 1 });
    assert_eq!(report.verification, None);
    assert_eq!(to.clients.find(&"c0001".parse().unwrap()).await.unwrap(), None);
    assert!(to.credentials.list(&"c0001".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_into_nothing_does_not_ask_the_target() {
    let (from, to) = (source(3).await, Side::new());
    to.clients.go_out();
    to.credentials.go_out();

    let report = migrate(&from, &to, MigrationMode::DryRunIntoNothing).await;

    assert_eq!(report.clients, Tally { read: 3, copied: 3, present: 0 });
    assert_eq!((to.clients.refusals(), to.credentials.refusals()), (0, 0));
}

/// Wherever it breaks off, no client is without its secrets, and the next run goes on.
#[tokio::test]
async fn what_was_broken_off_goes_on() {
    let (from, to) = (source(40).await, Side::new());
    to.clients.go_out();
    migration(&from, &to).execute(MigrationMode::Copy).await.unwrap_err();
    to.clients.come_back();
    to.keep(&client("c0000"), &[secret("s1")]).await;

    let report = migrate(&from, &to, MigrationMode::Copy).await;

    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.clients, Tally { read: 40, copied: 39, present: 1 });
    let again = migrate(&from, &to, MigrationMode::Copy).await;
    assert_eq!(again.clients, Tally { read: 40, copied: 0, present: 40 });
    assert_eq!(again.secrets, Tally { read: 60, copied: 0, present: 60 });
    assert!(again.is_complete());
}

#[tokio::test]
async fn what_is_there_is_never_overwritten() {
    let (from, to) = (source(4).await, Side::new());
    let other = Client { permissions: Vec::new(), ..client("c0001") };
    to.keep(&other, &[]).await;
    let other_hash = Credential { hash: SecretHash::new("$plain$other"), ..secret("s1") };
    to.keep(&client("c0002"), std::slice::from_ref(&other_hash)).await;

    let report = migrate(&from, &to, MigrationMode::Copy).await;

    assert!(!report.is_complete());
    let conflicts: Vec<_> =
        report.conflicts.iter().map(|it| format!("{}: {}", it.client, it.what)).collect();
    assert_eq!(
        conflicts,
        [
            "c0001: the target has another client with this id",
            "c0002: the target has another hash for the secret s1",
        ]
    );
    assert_eq!(to.clients.find(&other.id).await.unwrap(), Some(other));
    assert_eq!(to.credentials.list(&"c0002".parse().unwrap()).await.unwrap(), [other_hash]);
    assert_eq!(report.clients, Tally { read: 4, copied: 2, present: 0 });
}

/// A hash that differs shows in the digest, whoever changed it behind our back.
#[tokio::test]
async fn the_comparison_sees_every_difference() {
    let (from, to) = (source(2).await, Side::new());
    migrate(&from, &to, MigrationMode::Copy).await;
    let id: ClientId = "c0000".parse().unwrap();
    assert!(to.credentials.insert(&id, &secret("extra")).await.unwrap());

    let report = migrate(&from, &to, MigrationMode::Copy).await;

    let verification = report.verification.clone().unwrap();
    assert_ne!(verification.source.digest, verification.target.digest);
    assert!(!report.is_complete());
}
