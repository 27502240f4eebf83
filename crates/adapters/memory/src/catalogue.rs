//! The catalogue in a variable.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::port::{CatalogueRepository, StoreCatalogueError};
use domain::{Catalogue, CatalogueEdition, Fault};

use crate::lock::locked;

/// The catalogue in a variable, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryCatalogue(Mutex<CatalogueEdition>);

#[async_trait]
impl CatalogueRepository for MemoryCatalogue {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        Ok(locked(&self.0).clone())
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        let mut stored = locked(&self.0);
        if stored.revision != expected {
            return Err(StoreCatalogueError::Conflict);
        }
        let (revision, catalogue) = (expected.saturating_add(1), catalogue.clone());
        *stored = CatalogueEdition { revision, catalogue };
        Ok(())
    }
}
