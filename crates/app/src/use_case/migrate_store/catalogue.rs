//! How the catalogue is brought to the target.

use domain::port::StoreCatalogueError;
use domain::{CatalogueEdition, Fault};

use super::report::{CatalogueCopy, CatalogueOutcome};
use super::{MigrateStore, MigrationMode};

impl MigrateStore {
    /// Brings the catalogue to the target, or says what that would do. It goes before the clients,
    /// so that nobody who looks meanwhile finds a client with more than is registered.
    pub(super) async fn catalogue(&self, mode: MigrationMode) -> Result<CatalogueCopy, Fault> {
        let source = self.from.catalogue.load().await?;
        let target = self.to.catalogue.load().await?;
        let mut copy = CatalogueCopy {
            scopes: source.catalogue.scopes().len() as u64,
            resources: source.catalogue.resources().len() as u64,
            differences: Vec::new(),
            outcome: outcome(&source, &target, mode),
        };
        match copy.outcome {
            CatalogueOutcome::Nothing | CatalogueOutcome::Present => return Ok(copy),
            CatalogueOutcome::Copied => (),
            CatalogueOutcome::Overwritten | CatalogueOutcome::Differs => {
                copy.differences = target.catalogue.changes_to(&source.catalogue);
            }
        }
        if mode.is_dry_run || copy.outcome == CatalogueOutcome::Differs {
            return Ok(copy);
        }
        match self.to.catalogue.store(target.revision, &source.catalogue).await {
            Ok(()) => Ok(copy),
            Err(StoreCatalogueError::Fault(fault)) => Err(fault),
            Err(StoreCatalogueError::Conflict) => {
                let differences = vec!["somebody changed it meanwhile".to_owned()];
                Ok(CatalogueCopy { outcome: CatalogueOutcome::Differs, differences, ..copy })
            }
        }
    }

    /// Compares both sides once more.
    pub(super) async fn verify_catalogue(&self, copy: &mut CatalogueCopy) -> Result<(), Fault> {
        if matches!(copy.outcome, CatalogueOutcome::Nothing | CatalogueOutcome::Differs) {
            return Ok(());
        }
        let source = self.from.catalogue.load().await?.catalogue;
        let target = self.to.catalogue.load().await?.catalogue;
        if source != target {
            copy.outcome = CatalogueOutcome::Differs;
            copy.differences = target.changes_to(&source);
        }
        Ok(())
    }
}

fn outcome(
    source: &CatalogueEdition,
    target: &CatalogueEdition,
    mode: MigrationMode,
) -> CatalogueOutcome {
    if source.revision == 0 {
        CatalogueOutcome::Nothing
    } else if source.catalogue == target.catalogue {
        CatalogueOutcome::Present
    } else if target.revision == 0 {
        CatalogueOutcome::Copied
    } else if mode.overwrites {
        CatalogueOutcome::Overwritten
    } else {
        CatalogueOutcome::Differs
    }
}
