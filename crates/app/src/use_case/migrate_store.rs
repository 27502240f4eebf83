//! Copies clients and their secrets from one store to another.

use std::sync::Arc;

use domain::port::{
    ClientDirectory, ClientQuery, ClientRepository, CredentialRepository, InsertClientError,
    TokenDigester,
};
use domain::{Audience, ClaimName, Client, ClientId, Credential, Fault, Permission, TokenDigest};
use futures_util::future::try_join_all;
use serde_json::json;

/// How many clients are read at once.
const PAGE: usize = 200;
/// How many clients are copied at the same time.
const AT_ONCE: usize = 16;

/// Where clients and their secrets are kept.
#[derive(Clone)]
pub struct ClientStores {
    /// The clients.
    pub clients: Arc<dyn ClientRepository>,
    /// The same clients, to look through.
    pub directory: Arc<dyn ClientDirectory>,
    /// Their secrets.
    pub credentials: Arc<dyn CredentialRepository>,
}

/// Copies clients and their secrets from one store to another: ids, hashes, and everything that
/// decides.
///
/// Nothing is overwritten and nothing is removed, so it can be broken off and begun again, on
/// stores in use: what is there already, and the same, is passed over. Secrets go first, so that no
/// client is ever without those it had.
#[derive(Clone)]
pub struct MigrateStore {
    /// What is copied.
    pub from: ClientStores,
    /// Where to.
    pub to: ClientStores,
    /// How both are compared.
    pub digester: Arc<dyn TokenDigester>,
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationMode {
    /// Only what would be done is told.
    DryRun,
    /// As [`MigrationMode::DryRun`], and the target is not even looked into: it is empty.
    DryRunIntoNothing,
    /// Everything is copied, then compared.
    Copy,
}

/// How many there are of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the source.
    pub read: u64,
    /// Not in the target before: copied, or in a dry run to be copied.
    pub copied: u64,
    /// In the target already, and the same.
    pub present: u64,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// The clients.
    pub clients: Tally,
    /// Their secrets.
    pub secrets: Tally,
    /// What was not copied, because something else is in its place or the target has no room for
    /// it.
    pub conflicts: Vec<MigrationConflict>,
    /// What a comparison of both afterwards showed; there unless it was a dry run.
    pub verification: Option<Verification>,
}

impl MigrationReport {
    /// Whether everything that is in the source is in the target.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.conflicts.is_empty() && self.verification.as_ref().is_none_or(Verification::is_equal)
    }
}

/// Something that was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationConflict {
    /// Whose.
    pub client: ClientId,
    /// What, and why.
    pub what: String,
}

/// Both sides, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The source.
    pub source: Fingerprint,
    /// As much of it as is in the target.
    pub target: Fingerprint,
}

impl Verification {
    /// Whether both are the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

/// Clients and their secrets, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many clients.
    pub clients: u64,
    /// How many secrets.
    pub secrets: u64,
    /// The SHA-256 digest of all of them in the order of their ids, in hexadecimal digits. Moments
    /// and revisions are left out: some stores count them in their own way.
    pub digest: String,
}

impl MigrateStore {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: then a part may have been copied, and the next run goes on from there.
    #[tracing::instrument(level = "debug", name = "migrate_store", skip_all)]
    pub async fn execute(&self, mode: MigrationMode) -> Result<MigrationReport, Fault> {
        let mut report = MigrationReport::default();
        let mut after = None;
        while let Some(page) = self.page(&mut after).await? {
            for some in page.chunks(AT_ONCE) {
                let copies = some.iter().map(|client| self.client(client, mode));
                for done in try_join_all(copies).await? {
                    report.clients.add(done.clients);
                    report.secrets.add(done.secrets);
                    report.conflicts.extend(done.conflicts);
                }
            }
        }
        if mode == MigrationMode::Copy {
            report.verification = Some(self.verify().await?);
        }
        Ok(report)
    }

    /// The clients that follow `after`, which is moved to the last of them.
    async fn page(&self, after: &mut Option<ClientId>) -> Result<Option<Vec<Client>>, Fault> {
        let query = ClientQuery { after: after.clone(), limit: PAGE, search: None };
        let page = self.from.directory.page(&query).await?.clients;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.id.clone());
        Ok(Some(page))
    }

    async fn client(&self, client: &Client, mode: MigrationMode) -> Result<MigrationReport, Fault> {
        let id = &client.id;
        let secrets = self.from.credentials.list(id).await?;
        let mut done = MigrationReport::default();
        done.clients.read = 1;
        done.secrets.read = count(&secrets);
        if mode == MigrationMode::DryRunIntoNothing {
            done.clients.copied = 1;
            done.secrets.copied = count(&secrets);
            return Ok(done);
        }
        let found = self.to.clients.find(id).await?;
        if found.as_ref().is_some_and(|found| !is_same(found, client)) {
            done.conflict(id, "the target has another client with this id".to_owned());
            return Ok(done);
        }
        let known = self.to.credentials.list(id).await?;
        for secret in &secrets {
            match known.iter().find(|it| it.id == secret.id) {
                Some(it) if it.hash == secret.hash => done.secrets.present += 1,
                Some(_) => {
                    let what = format!("the target has another hash for the secret {}", secret.id);
                    done.conflict(id, what);
                    return Ok(done);
                }
                None => {
                    if mode == MigrationMode::Copy {
                        self.to.credentials.insert(id, secret).await?;
                    }
                    done.secrets.copied += 1;
                }
            }
        }
        if found.is_some() {
            done.clients.present = 1;
            return Ok(done);
        }
        if mode == MigrationMode::Copy {
            match self.to.clients.insert(client).await {
                Ok(()) => (),
                Err(InsertClientError::AlreadyExists) => {
                    done.conflict(id, "somebody made a client with this id meanwhile".to_owned());
                    return Ok(done);
                }
                Err(error @ InsertClientError::Refused { .. }) => {
                    done.conflict(id, error.to_string());
                    return Ok(done);
                }
                Err(InsertClientError::Fault(fault)) => return Err(fault),
            }
        }
        done.clients.copied = 1;
        Ok(done)
    }

    /// Reads both sides once more.
    async fn verify(&self) -> Result<Verification, Fault> {
        let mut source = Sum::default();
        let mut target = Sum::default();
        let mut after = None;
        while let Some(page) = self.page(&mut after).await? {
            for some in page.chunks(AT_ONCE) {
                let pairs = some.iter().map(|client| async move {
                    let id = &client.id;
                    let own = self.from.credentials.list(id).await?;
                    let copy = self.to.clients.find(id).await?;
                    let copied = self.to.credentials.list(id).await?;
                    Ok::<_, Fault>((own, copy, copied))
                });
                let pairs = try_join_all(pairs).await?;
                for (client, (own, copy, copied)) in some.iter().zip(pairs) {
                    source.add(self.digester.as_ref(), client, &own);
                    if let Some(copy) = copy {
                        target.add(self.digester.as_ref(), &copy, &copied);
                    }
                }
            }
        }
        Ok(Verification { source: source.fingerprint(), target: target.fingerprint() })
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.copied += other.copied;
        self.present += other.present;
    }
}

impl MigrationReport {
    fn conflict(&mut self, client: &ClientId, what: String) {
        self.conflicts.push(MigrationConflict { client: client.clone(), what });
    }
}

fn count(secrets: &[Credential]) -> u64 {
    secrets.len() as u64
}

fn is_same(one: &Client, other: &Client) -> bool {
    described(one, &[]) == described(other, &[])
}

/// All that decides, in one text.
fn described(client: &Client, secrets: &[Credential]) -> String {
    let mut secrets: Vec<_> = secrets.iter().collect();
    secrets.sort_by(|one, other| one.id.cmp(&other.id));
    let secrets: Vec<_> = secrets
        .into_iter()
        .map(|it| {
            json!({
                "id": it.id.as_str(),
                "name": it.name.as_ref().map(ToString::to_string),
                "hash": it.hash.as_str(),
                "selector": it.selector.map(|it| it.0),
                "expires_at": it.expires_at.map(domain::Timestamp::as_unix_millis),
            })
        })
        .collect();
    json!({
        "id": client.id.as_str(),
        "name": client.name.as_str(),
        "state": client.state.name(),
        "authentication": client.authentication.name(),
        "keys": client.keys.iter().map(domain::PublicJwk::to_json).collect::<Vec<_>>(),
        "capabilities": client.capabilities.iter().map(|it| it.name()).collect::<Vec<_>>(),
        "permissions": client.permissions.iter().map(Permission::as_str).collect::<Vec<_>>(),
        "audience": client.audience.iter().map(Audience::as_str).collect::<Vec<_>>(),
        "scope": client.scope.to_string(),
        "custom_claims":
            client.allowed_custom_claims.iter().map(ClaimName::as_str).collect::<Vec<_>>(),
        "metadata": client.metadata,
        "informative": client.informative.as_object(),
        "secrets": secrets,
    })
    .to_string()
}

/// A digest that grows.
#[derive(Default)]
struct Sum {
    clients: u64,
    secrets: u64,
    digest: Option<TokenDigest>,
}

impl Sum {
    fn add(&mut self, digester: &dyn TokenDigester, client: &Client, secrets: &[Credential]) {
        let text = format!("{}{}", self.hexadecimal(), described(client, secrets));
        self.digest = Some(digester.digest(&text));
        self.clients += 1;
        self.secrets += count(secrets);
    }

    fn hexadecimal(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for byte in self.digest.iter().flat_map(|digest| digest.0) {
            // Writing to a text never fails.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn fingerprint(&self) -> Fingerprint {
        let digest = self.hexadecimal();
        Fingerprint { clients: self.clients, secrets: self.secrets, digest }
    }
}
