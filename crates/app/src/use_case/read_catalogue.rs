//! An operator looks at what is registered.

use std::sync::Arc;

use domain::port::CatalogueRepository;
use domain::{CatalogueEdition, Fault};

/// Reads the catalogue as it is stored now.
#[derive(Clone)]
pub struct ReadCatalogue {
    /// Where it is kept.
    pub catalogue: Arc<dyn CatalogueRepository>,
}

impl ReadCatalogue {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    #[tracing::instrument(level = "debug", name = "read_catalogue", skip_all)]
    pub async fn execute(&self) -> Result<CatalogueEdition, Fault> {
        self.catalogue.load().await
    }
}
