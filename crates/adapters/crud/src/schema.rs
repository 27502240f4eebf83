//! What the collection does not take, found out by trying.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Fault, JsonObject};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::collection::{Collection, Reply, Request};
use crate::document::field;

/// The fields that the collection is known to lack, for some time: it may be deployed anew.
pub(crate) struct Schema {
    lacking: Mutex<BTreeMap<&'static str, Instant>>,
    memory: Duration,
}

/// Why a document was refused.
#[derive(Debug)]
pub(crate) enum Culprit {
    /// Fields that we can do without; they are known now.
    Dispensable,
    /// A field whose value we may not drop.
    Field(String),
    /// It cannot be told.
    Nobody,
}

impl Schema {
    pub(crate) fn new(memory: Duration) -> Self {
        Self { lacking: Mutex::default(), memory }
    }

    /// Whether the collection lacks the field, as far as we remember.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.known().get(name).is_some_and(|noted| noted.elapsed() < self.memory)
    }

    /// The collection was seen to have the field, whatever we remember: it was deployed anew.
    pub(crate) fn has(&self, name: &str) {
        self.known().remove(name);
    }

    /// Takes out what the collection lacks and we can do without.
    pub(crate) fn fit(&self, fields: &mut JsonObject) {
        fields.retain(|name, _| !self.lacks(name));
    }

    /// Finds out why the collection refused `fields`: each is tried by itself in a change of no
    /// document at all.
    pub(crate) async fn culprit(
        &self,
        collection: &Collection,
        fields: &JsonObject,
    ) -> Result<Culprit, Fault> {
        // If not even this passes, a refusal says nothing about a field.
        if refuses(collection, field::NAME, &json!("x")).await? {
            return Ok(Culprit::Nobody);
        }
        let mut has_found = false;
        for name in field::DISPENSABLE {
            if let Some(value) = fields.get(name)
                && refuses(collection, name, value).await?
            {
                self.known().insert(name, Instant::now());
                has_found = true;
            }
        }
        if has_found {
            return Ok(Culprit::Dispensable);
        }
        for (name, value) in fields {
            let is_tried = field::DISPENSABLE.contains(&name.as_str()) || name == field::STATE;
            if !is_tried && refuses(collection, name, value).await? {
                return Ok(Culprit::Field(name.clone()));
            }
        }
        // A change cannot try the state: it is what is left.
        if fields.contains_key(field::STATE) {
            return Ok(Culprit::Field(field::STATE.to_owned()));
        }
        Ok(Culprit::Nobody)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        // Nothing in there is half-changed by a panic.
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn refuses(collection: &Collection, name: &str, value: &Value) -> Result<bool, Fault> {
    let mut set = JsonObject::new();
    set.insert(name.to_owned(), value.clone());
    let nobody = json!({field::CLIENT_ID: {"$in": []}});
    let request = Request::patch(&json!({"$set": set})).with("_q", nobody.to_string());
    match collection.ask(&request).await?.reply {
        Reply::Refused => Ok(true),
        reply @ (Reply::Done(_) | Reply::Taken | Reply::Absent) => {
            reply.done("a change of no client")?;
            Ok(false)
        }
    }
}
