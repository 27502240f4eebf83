//! An operator changes what is registered.

use std::sync::Arc;

use domain::catalogue::{CatalogueChange, EditRefusal};
use domain::port::{CatalogueRepository, Clock, StoreCatalogueError};
use domain::{CatalogueEdition, Fault, InvalidCatalogue};

use super::refresh_catalogue::RefreshCatalogue;
use crate::catalogue_in_use::CatalogueInUse;

/// How often a change that may be made to whatever is there is tried.
const ATTEMPTS: usize = 10;

/// Changes the catalogue, as a whole or a part of it. The change bites on this node at once, on
/// others when they hear of it.
#[derive(Clone)]
pub struct EditCatalogue {
    /// Where it is kept.
    pub catalogue: Arc<dyn CatalogueRepository>,
    /// Where it is taken up.
    pub in_use: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// What must be so for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Whatever is so.
    Nothing,
    /// What is changed is there.
    Present,
    /// What is made is not there.
    Absent,
    /// What is changed is there, and the revision of the catalogue is one of these.
    Revisions(Vec<u64>),
}

/// Why the catalogue was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditCatalogueError {
    /// What should be removed is not there.
    #[error("nothing of that name is registered")]
    Unknown,
    /// It is not as the caller expects.
    #[error("it is not as expected: read it again, and send its new ETag")]
    Unexpected,
    /// What would come out is no good catalogue.
    #[error(transparent)]
    Invalid(#[from] InvalidCatalogue),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<EditRefusal> for EditCatalogueError {
    fn from(refusal: EditRefusal) -> Self {
        match refusal {
            EditRefusal::Unknown => Self::Unknown,
            EditRefusal::Invalid(error) => Self::Invalid(error),
        }
    }
}

impl EditCatalogue {
    /// What takes up a catalogue that others changed, in the same place.
    #[must_use]
    pub fn refresh(&self) -> RefreshCatalogue {
        RefreshCatalogue {
            catalogue: Arc::clone(&self.catalogue),
            in_use: Arc::clone(&self.in_use),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Runs the use-case. What changes nothing is not stored.
    ///
    /// # Errors
    ///
    /// See [`EditCatalogueError`].
    #[tracing::instrument(level = "debug", name = "edit_catalogue", skip_all)]
    pub async fn execute(
        &self,
        change: CatalogueChange,
        expected: &Expectation,
    ) -> Result<CatalogueEdition, EditCatalogueError> {
        let turn = self.in_use.turn().await;
        for _ in 0..ATTEMPTS {
            let read_at = self.clock.now();
            let CatalogueEdition { revision, catalogue } = self.catalogue.load().await?;
            let is_there = change.has_subject(&catalogue);
            let is_as_expected = match expected {
                Expectation::Nothing => true,
                Expectation::Present => is_there,
                Expectation::Absent => !is_there,
                Expectation::Revisions(revisions) => is_there && revisions.contains(&revision),
            };
            if !is_as_expected {
                return Err(EditCatalogueError::Unexpected);
            }
            let changed = change.clone().applied(&catalogue)?;
            let edition = if changed == catalogue {
                CatalogueEdition { revision, catalogue }
            } else {
                match self.catalogue.store(revision, &changed).await {
                    Ok(()) => CatalogueEdition { revision: revision + 1, catalogue: changed },
                    // Whoever expects one revision is told; all others mean what is there by then.
                    Err(StoreCatalogueError::Conflict) => continue,
                    Err(StoreCatalogueError::Fault(fault)) => return Err(fault.into()),
                }
            };
            turn.take_up(edition.clone(), read_at);
            return Ok(edition);
        }
        Err(Fault::overloaded("the catalogue is being changed by many others").into())
    }
}
