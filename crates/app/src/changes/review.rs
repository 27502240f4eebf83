//! A change set is reviewed.

use domain::ChangeSetId;
use domain::change_set::{ChangeSet, ChangeSetState, Transition};

use super::problems::DraftProblem;
use super::staging::{ChangesError, Staging};

/// Shows what a change set would do, or did.
#[derive(Clone)]
pub struct ReviewChanges {
    /// What change sets need.
    pub staging: Staging,
}

/// What a change set would do, or did.
#[derive(Debug)]
pub struct ReviewedChanges {
    /// The change set.
    pub set: ChangeSet,
    /// What becomes, or became, of each client, ordered by id; nothing of those that stay what they
    /// are. Of a draft with problems, only what has none.
    pub transitions: Vec<Transition>,
    /// Everything that keeps a draft from being committed, as things are now.
    pub problems: Vec<DraftProblem>,
}

impl ReviewChanges {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    #[tracing::instrument(level = "debug", name = "review_changes", skip_all)]
    pub async fn execute(&self, id: &ChangeSetId) -> Result<ReviewedChanges, ChangesError> {
        let set = self.staging.find(id).await?;
        let (transitions, problems) = match &set.state {
            ChangeSetState::Draft => {
                let known = self.staging.known(&set.operations).await?;
                let plan = self.staging.plan(&set.operations, &known, self.staging.clock.now())?;
                (plan.transitions, plan.problems)
            }
            ChangeSetState::Committed(it) | ChangeSetState::RolledBack { commitment: it, .. } => {
                (it.transitions.clone(), Vec::new())
            }
        };
        Ok(ReviewedChanges { set, transitions, problems })
    }
}
