//! Where change sets are kept.

use async_trait::async_trait;

use crate::change_set::{ChangeSet, ChangeSetSummary};
use crate::{ChangeSetId, Fault, Revision};

/// Where change sets are kept: in the store of clients, so that a commit is one change of it.
#[async_trait]
pub trait ChangeSetRepository: Send + Sync {
    /// The change set, with all it remembers.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; an unknown `id` is not an error.
    async fn find(&self, id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault>;

    /// The change sets that come after `query.before` where the greatest id comes first.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn page(&self, query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault>;

    /// At most `limit` change sets of whose last commit or rollback something may still have to be
    /// done, the smallest id first.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn unsettled(&self, limit: usize) -> Result<Vec<ChangeSetId>, Fault>;

    /// Keeps a change set that was not known before. `false`, and nothing is changed, if its id is
    /// taken. When this returns, it survives a crash.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; then it may be kept all the same.
    async fn insert(&self, set: &ChangeSet) -> Result<bool, Fault>;

    /// Replaces a change set whose stored revision is `expected`; `set.revision` is the new one.
    /// `false`, and nothing is changed, if it is gone or has another.
    ///
    /// Of concurrent updates that expect one revision, exactly one succeeds; a
    /// [`ClientTransaction`](super::ClientTransaction) that expects it counts as one of them.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; then it may be replaced all the same.
    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<bool, Fault>;

    /// Forgets a change set whose stored revision is `expected`. `false`, and nothing is changed,
    /// if it is gone or has another.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn remove(&self, id: &ChangeSetId, expected: Revision) -> Result<bool, Fault>;
}

/// Which change sets to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetQuery {
    /// The last id of the page before; `None` for the first page.
    pub before: Option<ChangeSetId>,
    /// The most change sets on a page.
    pub limit: usize,
}

/// Some of the change sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetPage {
    /// What is shown of them, the greatest id first.
    pub sets: Vec<ChangeSetSummary>,
    /// Whether more follow.
    pub has_more: bool,
}
