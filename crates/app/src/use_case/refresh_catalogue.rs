//! Every node goes by the catalogue that is stored.

use std::sync::Arc;

use domain::Fault;
use domain::port::{CatalogueRepository, Clock};

use crate::catalogue_in_use::CatalogueInUse;

/// Takes up a catalogue that another node, or a command, changed.
#[derive(Clone)]
pub struct RefreshCatalogue {
    /// Where it is kept.
    pub catalogue: Arc<dyn CatalogueRepository>,
    /// Where it is taken up.
    pub in_use: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl RefreshCatalogue {
    /// Runs the use-case. `true` if the catalogue is another than before.
    ///
    /// # Errors
    ///
    /// See [`Fault`]; then what is in use stays in use, for as long as it is good.
    pub async fn execute(&self) -> Result<bool, Fault> {
        let turn = self.in_use.turn().await;
        let read_at = self.clock.now();
        let edition = self.catalogue.load().await?;
        Ok(turn.take_up(edition, read_at))
    }
}
