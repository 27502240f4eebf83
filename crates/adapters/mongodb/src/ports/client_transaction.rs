//! [`ClientTransaction`] as a transaction over several documents, which takes a replica set.

use std::time::Duration;

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{ApplyError, ClientTransaction, ClientWrite};
use domain::{Client, ClientId, Fault, Revision};
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, ReadPreference, SelectionCriteria, TransactionOptions};
use tokio::time::{sleep, timeout};

use super::change_set_repository::seen;
use crate::MongoStores;
use crate::documents::{ChangeSetDocument, ClientDocument};
use crate::fault::{damaged, fault, late};
use crate::moment::kept;
use crate::stores::{CHANGE_SETS, CLIENTS};

/// How many times as long as one command a transaction may take: it may have a thousand.
const TRANSACTION_PATIENCE: u32 = 10;

/// How long whoever was in somebody's way waits before the next attempt.
const PAUSE: Duration = Duration::from_millis(15);

const ALONE: &str = "this MongoDB server is no member of a replica set, and only those change \
                     several documents at once: make it a replica set (of one member, if need be)";

#[async_trait]
impl ClientTransaction for MongoStores {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        let hello =
            async { self.connection().database().await?.run_command(doc! { "hello": 1 }).await };
        let said = self.connection().in_time(hello).await?;
        let is_router = said.get_str("msg").is_ok_and(|it| it == "isdbgrid");
        Ok((!is_router && !said.contains_key("setName")).then_some(ALONE))
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        if let Some(obstacle) = self.obstacle().await? {
            return Err(ApplyError::Impossible(obstacle));
        }
        // Documents are locked in one order: less is in somebody's way.
        let mut writes: Vec<&ClientWrite> = writes.iter().collect();
        writes.sort_by_key(|write| write.client());
        let writes: Vec<Prepared<'_>> =
            writes.into_iter().map(Prepared::new).collect::<Result<_, _>>()?;
        let limit = self.connection().timeout() * TRANSACTION_PATIENCE;
        // Where it is given up the session is dropped, and the driver aborts what it had begun.
        let work = timeout(limit, self.transact(&writes, set, expected));
        work.await.map_err(|_| late())?
    }
}

/// A write, as the driver wants it.
struct Prepared<'a> {
    client: &'a ClientId,
    filter: Document,
    change: Change,
}

enum Change {
    /// Keeps what the document says, if there is none yet.
    Insert(Document),
    Update(Document),
    Remove,
}

impl<'a> Prepared<'a> {
    fn new(write: &'a ClientWrite) -> Result<Self, Fault> {
        let id = write.client();
        let (expected, change) = match write {
            ClientWrite::Insert(client) => (None, Change::Insert(inserted(client)?)),
            ClientWrite::Update { client, expected } => {
                (Some(expected), Change::Update(ClientDocument::from(client).replaced_fields()?))
            }
            ClientWrite::Remove { expected, .. } => (Some(expected), Change::Remove),
        };
        let mut filter = doc! { "_id": id.as_str() };
        if let Some(Revision(expected)) = expected {
            filter.insert("revision", kept(*expected));
        }
        Ok(Self { client: id, filter, change })
    }
}

/// All fields but the id, which the filter names.
fn inserted(client: &Client) -> Result<Document, Fault> {
    let document = mongodb::bson::serialize_to_document(&ClientDocument::from(client));
    let mut fields = document.map_err(|error| damaged(&error))?;
    fields.remove("_id");
    Ok(fields)
}

impl MongoStores {
    async fn transact(
        &self,
        writes: &[Prepared<'_>],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        let is_passing = |error: &Error| error.contains_label(TRANSIENT_TRANSACTION_ERROR);
        loop {
            // An attempt that was in somebody's way has left nothing behind.
            match self.attempt(writes, set, expected).await {
                Ok(outcome) => return outcome,
                Err(error) if is_passing(&error) => sleep(PAUSE).await,
                Err(error) => return Err(fault(&error).into()),
            }
        }
    }

    async fn attempt(
        &self,
        writes: &[Prepared<'_>],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<Result<(), ApplyError>, Error> {
        let database = self.connection().database().await?;
        let mut session = database.client().start_session().await?;
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(self.connection().write_concern())
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build();
        session.start_transaction().with_options(options).await?;
        let sets = database.collection::<Document>(CHANGE_SETS);
        let fields = ChangeSetDocument::from(set).replaced_fields();
        let marked = sets
            .update_one(seen(&set.id, expected), doc! { "$set": fields })
            .session(&mut session)
            .await?;
        if marked.matched_count == 0 {
            session.abort_transaction().await?;
            return Ok(Err(ApplyError::Superseded));
        }
        let clients = database.collection::<Document>(CLIENTS);
        let mut moved = Vec::new();
        for Prepared { client, filter, change } in writes {
            let filter = filter.clone();
            let is_done = match change {
                // An insert of what is there already would end the transaction.
                Change::Insert(fields) => {
                    let made = clients.update_one(filter, doc! { "$setOnInsert": fields });
                    made.upsert(true).session(&mut session).await?.upserted_id.is_some()
                }
                Change::Update(fields) => {
                    let updated = clients.update_one(filter, doc! { "$set": fields });
                    updated.session(&mut session).await?.matched_count != 0
                }
                Change::Remove => {
                    let removed = clients.delete_one(filter).session(&mut session).await?;
                    removed.deleted_count != 0
                }
            };
            if !is_done {
                moved.push((*client).clone());
            }
        }
        if !moved.is_empty() {
            session.abort_transaction().await?;
            return Ok(Err(ApplyError::Moved(moved)));
        }
        commit(&mut session).await.map(Ok)
    }
}

/// Asks until it is known what became of it: the servers know a commit again.
async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    loop {
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}
