//! A row of `change_sets`.

use domain::Fault;
use domain::change_set::{ChangeSet, ChangeSetSummary};

use super::json::{object, parse_object};
use crate::Argument;
use crate::number::kept;

/// A row of `change_sets`, as it is written.
pub(crate) struct ChangeSetRow {
    id: String,
    revision: i64,
    is_settled: i64,
    summary: String,
    body: String,
}

impl ChangeSetRow {
    /// The columns in the order of the table.
    pub(crate) fn arguments(&self) -> [Argument<'_>; 5] {
        [
            (&self.id).into(),
            self.revision.into(),
            self.is_settled.into(),
            (&self.summary).into(),
            (&self.body).into(),
        ]
    }

    /// The change set that a `body` is.
    pub(crate) fn believed(body: &str) -> Result<ChangeSet, Fault> {
        ChangeSet::parse(&parse_object(body)?).map_err(Fault::corrupt)
    }

    /// What a `summary` says.
    pub(crate) fn believed_summary(summary: &str) -> Result<ChangeSetSummary, Fault> {
        ChangeSetSummary::parse(&parse_object(summary)?).map_err(Fault::corrupt)
    }
}

impl From<&ChangeSet> for ChangeSetRow {
    fn from(set: &ChangeSet) -> Self {
        Self {
            id: set.id.to_string(),
            revision: kept(set.revision.0),
            is_settled: i64::from(set.is_settled()),
            summary: object(&set.summary().to_json()),
            body: object(&set.to_json()),
        }
    }
}
