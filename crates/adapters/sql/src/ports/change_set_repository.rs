//! [`ChangeSetRepository`] on a table.

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{ChangeSetPage, ChangeSetQuery, ChangeSetRepository};
use domain::{ChangeSetId, Fault, Revision};

use crate::number::kept;
use crate::rows::ChangeSetRow;
use crate::{Engine, Stores};

const FIND: &str = "select body from change_sets where id = $1";

const FIRST_PAGE: &str = "select summary from change_sets order by id desc limit $1";

const NEXT_PAGE: &str = "
    select summary from change_sets where id < $2 order by id desc limit $1";

const UNSETTLED: &str = "
    select id from change_sets where is_settled = 0 order by id limit $1";

const INSERT: &str = "
    insert into change_sets (id, revision, is_settled, summary, body) values ($1, $2, $3, $4, $5)
    on conflict (id) do nothing";

pub(super) const UPDATE: &str = "
    update change_sets set revision = $2, is_settled = $3, summary = $4, body = $5
    where id = $1 and revision = $6";

const REMOVE: &str = "delete from change_sets where id = $1 and revision = $2";

#[async_trait]
impl<E: Engine> ChangeSetRepository for Stores<E> {
    async fn find(&self, id: &ChangeSetId) -> Result<Option<ChangeSet>, Fault> {
        let rows: Vec<(String,)> = self.engine.read(FIND, &[id.as_str().into()]).await?;
        rows.first().map(|(body,)| ChangeSetRow::believed(body)).transpose()
    }

    async fn page(&self, query: &ChangeSetQuery) -> Result<ChangeSetPage, Fault> {
        // One more than asked for tells whether there is more.
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows: Vec<(String,)> = match &query.before {
            None => self.engine.read(FIRST_PAGE, &[limit.into()]).await?,
            Some(id) => self.engine.read(NEXT_PAGE, &[limit.into(), id.as_str().into()]).await?,
        };
        let has_more = query.limit < rows.len();
        rows.truncate(query.limit);
        let sets = rows.iter().map(|(summary,)| ChangeSetRow::believed_summary(summary));
        Ok(ChangeSetPage { sets: sets.collect::<Result<_, _>>()?, has_more })
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<ChangeSetId>, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(String,)> = self.engine.read(UNSETTLED, &[limit.into()]).await?;
        rows.iter().map(|(id,)| id.parse().map_err(Fault::corrupt)).collect()
    }

    async fn insert(&self, set: &ChangeSet) -> Result<bool, Fault> {
        let row = ChangeSetRow::from(set);
        Ok(self.engine.write(INSERT, &row.arguments()).await? != 0)
    }

    async fn update(&self, set: &ChangeSet, expected: Revision) -> Result<bool, Fault> {
        let row = ChangeSetRow::from(set);
        let arguments = [row.arguments().as_slice(), &[kept(expected.0).into()]].concat();
        Ok(self.engine.write(UPDATE, &arguments).await? != 0)
    }

    async fn remove(&self, id: &ChangeSetId, expected: Revision) -> Result<bool, Fault> {
        let arguments = [id.as_str().into(), kept(expected.0).into()];
        Ok(self.engine.write(REMOVE, &arguments).await? != 0)
    }
}
