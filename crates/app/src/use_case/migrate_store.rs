//! Copies clients, their secrets and the catalogue from one store to another.

mod catalogue;
mod copying;
mod difference;
mod report;

use std::collections::HashSet;
use std::sync::Arc;

use domain::port::{
    CatalogueRepository, ClientDirectory, ClientQuery, ClientRepository, CredentialRepository,
    TokenDigester,
};
use domain::{Client, ClientId, Fault};
use futures_util::future::try_join_all;

use difference::{Difference, Sum};
pub use report::{
    CatalogueCopy, CatalogueOutcome, Fingerprint, MigrationConflict, MigrationReport, Tally,
    Verification,
};

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
    /// What is registered at the service.
    pub catalogue: Arc<dyn CatalogueRepository>,
}

/// Copies clients, their secrets and the catalogue from one store to another: ids, hashes, and
/// everything that decides.
///
/// It can be broken off and begun again, on stores in use: what is there already, and the same, is
/// passed over. What is there and differs is named, and left as it is unless the mode says
/// otherwise; no client is ever removed. Secrets go first, so that no client is ever without those
/// it had.
#[derive(Clone)]
pub struct MigrateStore {
    /// What is copied.
    pub from: ClientStores,
    /// Where to.
    pub to: ClientStores,
    /// How both are compared.
    pub digester: Arc<dyn TokenDigester>,
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MigrationMode {
    /// Whether nothing is, and only what would be done is told.
    pub is_dry_run: bool,
    /// Whether clients in the target that differ are overwritten, secrets and all: the source is
    /// right.
    pub overwrites: bool,
}

impl MigrateStore {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: then a part may have been copied, and the next run goes on from there.
    #[tracing::instrument(level = "debug", name = "migrate_store", skip_all)]
    pub async fn execute(&self, mode: MigrationMode) -> Result<MigrationReport, Fault> {
        let catalogue = self.catalogue(mode).await?;
        let mut report = MigrationReport { catalogue, ..MigrationReport::default() };
        let mut ids = HashSet::new();
        let mut after = None;
        while let Some(page) = page(&self.from, &mut after).await? {
            for some in page.chunks(AT_ONCE) {
                let copies = some.iter().map(|client| self.client(client, mode));
                for done in try_join_all(copies).await? {
                    report.add(done);
                }
            }
            ids.extend(page.into_iter().map(|client| client.id));
        }
        report.extras = self.extras(&ids).await?;
        if !mode.is_dry_run {
            self.verify(&mut report).await?;
            self.verify_catalogue(&mut report.catalogue).await?;
        }
        Ok(report)
    }

    /// The clients of the target that are none of `ids`.
    async fn extras(&self, ids: &HashSet<ClientId>) -> Result<Vec<ClientId>, Fault> {
        let mut extras = Vec::new();
        let mut after = None;
        while let Some(page) = page(&self.to, &mut after).await? {
            let page = page.into_iter().map(|client| client.id);
            extras.extend(page.filter(|id| !ids.contains(id)));
        }
        Ok(extras)
    }

    /// Reads both sides once more, and notes what differs and was not named yet.
    async fn verify(&self, report: &mut MigrationReport) -> Result<(), Fault> {
        let named: HashSet<_> = report.conflicts.iter().map(|it| it.client.clone()).collect();
        let mut source = Sum::default();
        let mut target = Sum::default();
        let mut after = None;
        while let Some(page) = page(&self.from, &mut after).await? {
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
                    if let Some(copy) = &copy {
                        target.add(self.digester.as_ref(), copy, &copied);
                    }
                    let difference = Difference::between(client, &own, copy.as_ref(), &copied);
                    if !difference.is_none() && !named.contains(&client.id) {
                        report.conflict(&client.id, format!("after the copy: {difference}"));
                    }
                }
            }
        }
        let (source, target) = (source.fingerprint(), target.fingerprint());
        report.verification = Some(Verification { source, target });
        Ok(())
    }
}

/// The clients that follow `after`, which is moved to the last of them.
async fn page(
    stores: &ClientStores,
    after: &mut Option<ClientId>,
) -> Result<Option<Vec<Client>>, Fault> {
    let query = ClientQuery { after: after.clone(), limit: PAGE, search: None };
    let page = stores.directory.page(&query).await?.clients;
    let Some(last) = page.last() else { return Ok(None) };
    *after = Some(last.id.clone());
    Ok(Some(page))
}
