//! A change set is forgotten.

use domain::{ChangeSetId, Revision};

use super::staging::{ChangesError, Staging};

/// How often somebody else may come first.
const ATTEMPTS: usize = 5;

/// Forgets a change set: a draft never takes effect, and what was committed can no longer be rolled
/// back.
#[derive(Clone)]
pub struct DiscardChanges {
    /// What change sets need.
    pub staging: Staging,
}

impl DiscardChanges {
    /// Runs the use-case: forgets the change set, if its revision is one of `expected`; `None`
    /// stands for whatever it is. One of which something is still to be done stays until it is.
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
        // Whoever means any revision means the next one, too.
        for _ in 0..ATTEMPTS {
            match self.attempt(id, expected).await {
                Err(ChangesError::Superseded) if expected.is_none() => (),
                outcome => return outcome,
            }
        }
        Err(ChangesError::Superseded)
    }

    async fn attempt(
        &self,
        id: &ChangeSetId,
        expected: Option<&[Revision]>,
    ) -> Result<(), ChangesError> {
        let staging = &self.staging;
        let mut set = staging.settle(staging.find_at(id, expected).await?).await?;
        if !set.is_settled() {
            let mend = "what follows from it is not done yet: try again in a few seconds";
            return Err(ChangesError::WrongState { state: set.state.name(), mend });
        }
        if !set.pending.is_empty() {
            // First of all, whoever is about to commit it can do so no more.
            let expected = set.revision;
            set = set.renewed(staging.clock.now());
            if !staging.sets.update(&set, expected).await? {
                return Err(ChangesError::Superseded);
            }
            staging.remove(&set.pending).await?;
        }
        if !staging.sets.remove(id, set.revision).await? {
            return Err(ChangesError::Superseded);
        }
        Ok(())
    }
}
