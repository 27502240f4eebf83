//! A change set is forgotten.

use domain::change_set::ChangeSet;
use domain::{ChangeSetId, Revision};

use super::staging::{ChangesError, Staging};

/// Forgets a change set: a draft never takes effect, and what was committed can no longer be rolled
/// back.
#[derive(Clone)]
pub struct DiscardChanges {
    /// What change sets need.
    pub staging: Staging,
}

impl DiscardChanges {
    /// Runs the use-case: forgets the change set, if its revision is one of `expected`; `None`
    /// stands for whatever it is.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    #[tracing::instrument(level = "debug", name = "discard_changes", skip_all)]
    pub async fn execute(
        &self,
        id: &ChangeSetId,
        expected: Option<&[Revision]>,
    ) -> Result<(), ChangesError> {
        let staging = &self.staging;
        let mut set = staging.settle(staging.find_at(id, expected).await?).await?;
        if !set.pending.is_empty() {
            // First of all, whoever is about to commit it can do so no more.
            let expected = set.revision;
            set = set.renewed(staging.clock.now());
            self.update(&set, expected).await?;
            staging.remove(&set.pending).await?;
        }
        if !staging.sets.remove(id, set.revision).await? {
            return Err(ChangesError::Superseded);
        }
        Ok(())
    }

    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<(), ChangesError> {
        match self.staging.sets.update(set, expected).await? {
            true => Ok(()),
            false => Err(ChangesError::Superseded),
        }
    }
}
