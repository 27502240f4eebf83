//! A document of `tokenwright_change_sets`.

use domain::Fault;
use domain::change_set::{ChangeSet, ChangeSetSummary};
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::json::{object, parse_object};
use crate::moment::kept;

/// A document of `tokenwright_change_sets`. What it says is JSON text, as in [`ClientDocument`].
///
/// [`ClientDocument`]: super::ClientDocument
#[derive(Serialize, Deserialize)]
pub(crate) struct ChangeSetDocument {
    #[serde(rename = "_id")]
    id: String,
    revision: i64,
    is_settled: bool,
    summary: String,
    body: String,
}

impl ChangeSetDocument {
    /// The fields that an update replaces: all but the id.
    pub(crate) fn replaced_fields(&self) -> Document {
        let Self { id: _, revision, is_settled, summary, body } = self;
        doc! { "revision": revision, "is_settled": is_settled, "summary": summary, "body": body }
    }

    /// What the summary says.
    pub(crate) fn believed_summary(summary: &str) -> Result<ChangeSetSummary, Fault> {
        ChangeSetSummary::parse(&parse_object(summary)?).map_err(Fault::corrupt)
    }
}

impl From<&ChangeSet> for ChangeSetDocument {
    fn from(set: &ChangeSet) -> Self {
        Self {
            id: set.id.to_string(),
            revision: kept(set.revision.0),
            is_settled: set.is_settled(),
            summary: object(&set.summary().to_json()),
            body: object(&set.to_json()),
        }
    }
}

impl TryFrom<ChangeSetDocument> for ChangeSet {
    type Error = Fault;

    fn try_from(kept: ChangeSetDocument) -> Result<Self, Fault> {
        Self::parse(&parse_object(&kept.body)?).map_err(Fault::corrupt)
    }
}
