//! What a house has registered.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryCatalogue;
use adapter_memory::testing::ManualClock;
use app::{
    CatalogueInUse, EditCatalogue, EditCatalogueError, Expectation, PreviewToken, RefreshCatalogue,
};
use domain::catalogue::CatalogueChange;
use domain::{Catalogue, CatalogueEdition, CatalogueMode};
use futures_util::FutureExt as _;
use serde_json::Value;

use super::House;

/// How long a catalogue is good that was read once.
pub(crate) const CATALOGUE_GOOD_FOR: Duration = Duration::from_mins(15);

impl House {
    /// A house in which only what is registered counts.
    pub(crate) fn strict() -> Self {
        let house = Self::new();
        let mode = CatalogueMode::Registered;
        let catalogue_in_use = Self::in_use(mode, &house.clock);
        Self { catalogue_mode: mode, catalogue_in_use, ..house }
    }

    /// What a node has that read an empty store.
    pub(super) fn in_use(mode: CatalogueMode, clock: &Arc<ManualClock>) -> Arc<CatalogueInUse> {
        let in_use = Arc::new(CatalogueInUse::new(mode, CATALOGUE_GOOD_FOR));
        let catalogue = Arc::new(MemoryCatalogue::default());
        let clock = clock.clone();
        let refresh = RefreshCatalogue { catalogue, in_use: in_use.clone(), clock };
        assert!(refresh.execute().now_or_never().unwrap().unwrap());
        in_use
    }

    pub(crate) fn refresh_catalogue(&self) -> RefreshCatalogue {
        RefreshCatalogue {
            catalogue: self.catalogue.clone(),
            in_use: self.catalogue_in_use.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn edit_catalogue(&self) -> EditCatalogue {
        EditCatalogue {
            catalogue: self.catalogue.clone(),
            in_use: self.catalogue_in_use.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn preview_token(&self) -> PreviewToken {
        PreviewToken {
            clients: self.clients.clone(),
            catalogue: self.catalogue_in_use.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Replaces the catalogue, whatever it is.
    pub(crate) async fn register_all(
        &self,
        document: Value,
    ) -> Result<CatalogueEdition, EditCatalogueError> {
        let catalogue = Catalogue::parse(document.as_object().unwrap())?;
        let change = CatalogueChange::Replace(catalogue);
        self.edit_catalogue().execute(change, &Expectation::Nothing).await
    }
}
