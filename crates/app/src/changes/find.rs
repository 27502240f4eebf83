//! Change sets are looked up, and listed.

use domain::change_set::ChangeSet;
use domain::port::{ChangeSetPage, ChangeSetQuery};
use domain::{ChangeSetId, Fault};

use super::staging::{ChangesError, Staging};
use crate::use_case::list_clients::MAX_PAGE;

/// Finds a change set.
#[derive(Clone)]
pub struct FindChanges {
    /// What change sets need.
    pub staging: Staging,
}

/// Lists change sets.
#[derive(Clone)]
pub struct ListChanges {
    /// What change sets need.
    pub staging: Staging,
}

impl FindChanges {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    pub async fn execute(&self, id: &ChangeSetId) -> Result<ChangeSet, ChangesError> {
        self.staging.find(id).await
    }
}

impl ListChanges {
    /// Runs the use-case: the latest come first. A page holds [`MAX_PAGE`] change sets at most,
    /// whatever was asked for.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self, query: ChangeSetQuery) -> Result<ChangeSetPage, Fault> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        self.staging.sets.page(&ChangeSetQuery { limit, ..query }).await
    }
}
