//! [`ChangeSetRepository`] on a collection.

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{ChangeSetPage, ChangeSetQuery, ChangeSetRepository};
use domain::{ChangeSetId, Fault, Revision};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use crate::MongoStores;
use crate::documents::ChangeSetDocument;
use crate::moment::kept;
use crate::stores::CHANGE_SETS;

/// What a list needs of a change set.
#[derive(Deserialize)]
struct Listed {
    summary: String,
}

/// What is needed of one that is not settled.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "_id")]
    id: String,
}

#[async_trait]
impl ChangeSetRepository for MongoStores {
    async fn find(&self, id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault> {
        let find = async {
            let sets = self.collection::<ChangeSetDocument>(CHANGE_SETS).await?;
            sets.find_one(doc! { "_id": id.as_str() }).await
        };
        self.connection().in_time(find).await?.map(ChangeSet::try_from).transpose()
    }

    async fn page(&self, query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault> {
        let filter = query.before.as_ref().map_or_else(Document::new, |before| {
            doc! { "_id": { "$lt": before.as_str() } }
        });
        // One more than asked for tells whether there is more.
        let limit = u32::try_from(query.limit).unwrap_or(u32::MAX).saturating_add(1);
        let find = async {
            let sets = self.collection::<Listed>(CHANGE_SETS).await?;
            let found = sets
                .find(filter)
                .projection(doc! { "summary": 1 })
                .sort(doc! { "_id": -1 })
                .limit(i64::from(limit))
                .await?;
            found.try_collect::<Vec<_>>().await
        };
        let mut found = self.connection().in_time(find).await?;
        let has_more = query.limit < found.len();
        found.truncate(query.limit);
        let sets = found.iter().map(|it| ChangeSetDocument::believed_summary(&it.summary));
        Ok(ChangeSetPage { sets: sets.collect::<Result<_, _>>()?, has_more })
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<ChangeSetId>, Fault> {
        let limit = i64::from(u32::try_from(limit).unwrap_or(u32::MAX));
        let find = async {
            let sets = self.collection::<Named>(CHANGE_SETS).await?;
            let found = sets
                .find(doc! { "is_settled": false })
                .projection(doc! { "_id": 1 })
                .sort(doc! { "_id": 1 })
                .limit(limit)
                .await?;
            found.try_collect::<Vec<_>>().await
        };
        let found = self.connection().in_time(find).await?;
        found.iter().map(|it| it.id.parse().map_err(Fault::corrupt)).collect()
    }

    async fn insert(&self, set: &ChangeSet) -> Result<bool, Fault> {
        self.insert_new(CHANGE_SETS, ChangeSetDocument::from(set)).await
    }

    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<bool, Fault> {
        let fields = ChangeSetDocument::from(set).replaced_fields();
        let update = async {
            let sets = self.collection::<Document>(CHANGE_SETS).await?;
            sets.update_one(seen(&set.id, expected), doc! { "$set": fields }).await
        };
        Ok(self.connection().in_time(update).await?.matched_count != 0)
    }

    async fn remove(&self, id: &ChangeSetId, expected: Revision) -> Result<bool, Fault> {
        let remove = async {
            let sets = self.collection::<Document>(CHANGE_SETS).await?;
            sets.delete_one(seen(id, expected)).await
        };
        Ok(self.connection().in_time(remove).await?.deleted_count != 0)
    }
}

/// The change set as somebody has seen it.
pub(super) fn seen(id: &ChangeSetId, revision: Revision) -> Document {
    doc! { "_id": id.as_str(), "revision": kept(revision.0) }
}
