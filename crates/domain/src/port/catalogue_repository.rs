//! Where the catalogue is kept.

use async_trait::async_trait;

use crate::{Catalogue, CatalogueEdition, Fault};

/// Where the catalogue is kept: one document, which is replaced as a whole. So a change of several
/// things is there altogether or not at all.
#[async_trait]
pub trait CatalogueRepository: Send + Sync {
    /// The catalogue; revision 0 and the default one where nothing was ever stored.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: `Corrupt` for a document that this release does not understand whole. What it
    /// passed over might have been what forbids something.
    async fn load(&self) -> Result<CatalogueEdition, Fault>;

    /// Replaces the catalogue if the stored revision is `expected`; the new revision is one more.
    ///
    /// Of concurrent calls that expect one revision, exactly one succeeds.
    ///
    /// # Errors
    ///
    /// See [`StoreCatalogueError`]; after a conflict nothing is changed.
    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError>;
}

/// Why a catalogue was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreCatalogueError {
    /// Somebody changed it since it was loaded.
    #[error("the catalogue was changed meanwhile")]
    Conflict,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}
