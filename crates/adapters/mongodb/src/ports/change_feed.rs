//! [`ChangeFeed`] on a change stream of the database.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{ChangeFeed, ChangeListener};
use domain::{Change, ClientId, Fault};
use mongodb::bson::{Bson, Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::error::Error;
use serde::Deserialize;
use tokio::time::timeout;

use crate::MongoStores;
use crate::fault::{fault, late};
use crate::stores::{CATALOGUE, CLIENTS, REVOKED_CLIENTS, REVOKED_TOKENS, SIGNING_KEYS};

/// How long the server waits for a change before it says that there is none. Whoever hears nothing
/// for this long, and for the time of a call, knows that the server is gone.
const SILENCE: Duration = Duration::from_secs(2);

/// What the server tells of a change. No content: neither hashes nor keys travel for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    operation_type: String,
    ns: Option<Namespace>,
    document_key: Option<DocumentKey>,
}

#[derive(Deserialize)]
struct Namespace {
    coll: Option<String>,
}

#[derive(Deserialize)]
struct DocumentKey {
    #[serde(rename = "_id")]
    id: Bson,
}

#[async_trait]
impl ChangeFeed for MongoStores {
    async fn follow(&self, listener: &dyn ChangeListener) -> Fault {
        match self.tell(listener).await {
            Ok(never) => match never {},
            Err(fault) => fault,
        }
    }
}

impl MongoStores {
    async fn tell(&self, listener: &dyn ChangeListener) -> Result<Infallible, Fault> {
        let mut stream = self.connection().in_time(self.open()).await?;
        self.connection().in_time(self.catch_up()).await?;
        listener.heard(&Change::Unknown);
        loop {
            // After a failover the driver goes on where it was, or says that it cannot.
            let next = timeout(SILENCE + self.connection().timeout(), stream.next_if_any());
            let told = next.await.map_err(|_| late())?.map_err(|error| fault(&error))?;
            match told {
                Some(event) => listener.heard(&self.change(&event)),
                None if stream.is_alive() => (),
                None => return Err(Fault::unavailable("the database was dropped or renamed")),
            }
        }
    }

    async fn open(&self) -> Result<ChangeStream<Event>, Error> {
        let database = self.connection().database().await?;
        let stream = database.watch().pipeline(self.pipeline()).max_await_time(SILENCE).await?;
        Ok(stream.with_type())
    }

    /// Waits until whatever was written before the stream began can be read.
    ///
    /// The stream begins after the last write that the primary has made, whether or not a majority
    /// has it. Such a write is not told, and as long as no majority has it, it is not read either:
    /// whoever looked again too early would see what was there before, and never hear of it.
    async fn catch_up(&self) -> Result<(), Error> {
        let database = self.connection().database().await?;
        let answer = database.run_command(doc! { "ping": 1 }).await?;
        if let Ok(last_write) = answer.get_timestamp("operationTime") {
            let look = doc! {
                "find": SIGNING_KEYS,
                "filter": { "_id": Bson::MinKey },
                "limit": 1,
                "readConcern": { "level": "majority", "afterClusterTime": last_write },
            };
            database.run_command(look).await?;
        }
        Ok(())
    }

    /// What the server does not tell: notes of last use, secrets that are made or hashed anew, what
    /// it forgets by itself, and whatever other programs do.
    ///
    /// A secret that is made is no news: whoever is refused is looked up again. Neither is a hash
    /// that was made anew, since the old one stands for the same secret. With a salt such news would
    /// cost most: nobody could tell whose secret it is, and every node would doubt all it knows.
    ///
    /// It looks for the collections in its log. The rest is computed for what it found there:
    /// MongoDB 6 fails over some conditions when it tries to make them a search of the log, too.
    fn pipeline(&self) -> [Document; 3] {
        let ours = [CATALOGUE, CLIENTS, SIGNING_KEYS, REVOKED_TOKENS, REVOKED_CLIENTS];
        let watched = [ours.as_slice(), &[self.credentials()]].concat();
        let updated = doc! { "$ifNull": ["$updateDescription.updatedFields", {}] };
        let fields = doc! { "$map": { "input": { "$objectToArray": updated }, "in": "$$this.k" } };
        let is_note = doc! { "$and": [
            { "$eq": ["$operationType", "update"] },
            // Only secrets have a hash.
            { "$setIsSubset": [fields, ["last_login", "last_used", "hash"]] },
            { "$eq": ["$updateDescription.removedFields", []] },
        ] };
        let is_forgotten = doc! { "$and": [
            { "$eq": ["$operationType", "delete"] },
            { "$in": ["$ns.coll", [REVOKED_TOKENS, REVOKED_CLIENTS]] },
        ] };
        let is_of_secrets = doc! { "$eq": ["$ns.coll", { "$literal": self.credentials() }] };
        let is_new_secret =
            doc! { "$and": [{ "$eq": ["$operationType", "insert"] }, is_of_secrets.clone()] };
        let is_foreign = doc! { "$and": [
            is_of_secrets,
            { "$eq": [{ "$type": "$documentKey" }, "object"] },
            { "$eq": [{ "$type": "$documentKey._id.client" }, "missing"] },
        ] };
        [
            doc! { "$match": { "$or": [
                { "ns.coll": { "$in": watched.as_slice() } },
                { "to.coll": { "$in": watched.as_slice() } },
                { "operationType": { "$in": ["dropDatabase", "invalidate"] } },
            ] } },
            doc! { "$project": {
                "operationType": 1,
                "ns.coll": 1,
                "documentKey._id": 1,
                "is_told": { "$not": [
                    { "$or": [is_note, is_new_secret, is_forgotten, is_foreign] },
                ] },
            } },
            doc! { "$match": { "is_told": true } },
        ]
    }

    fn change(&self, event: &Event) -> Change {
        self.named(event).unwrap_or(Change::Unknown)
    }

    /// The change by its name, if it has one: no name has a collection that was dropped.
    fn named(&self, event: &Event) -> Option<Change> {
        let is_of_one =
            matches!(&*event.operation_type, "insert" | "update" | "replace" | "delete");
        let key = &event.document_key.as_ref().filter(|_| is_of_one)?.id;
        let client = || key.as_str()?.parse::<ClientId>().ok();
        match event.ns.as_ref()?.coll.as_deref()? {
            SIGNING_KEYS => Some(Change::Keys),
            CATALOGUE => Some(Change::Catalogue),
            CLIENTS => client().map(Change::Client),
            REVOKED_CLIENTS => client().map(Change::Tokens),
            REVOKED_TOKENS => key.as_str()?.parse().ok().map(Change::Token),
            collection if collection == self.credentials() => {
                let client = key.as_document()?.get_str("client").ok()?;
                self.client_keys().client(client).map(Change::Secrets)
            }
            _ => None,
        }
    }
}
