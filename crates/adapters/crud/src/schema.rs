//! What the collection does not take, found out by trying.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
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

    /// The collection took the fields, so it has them.
    pub(crate) fn has_all(&self, fields: &JsonObject) {
        self.known().retain(|name, _| !fields.contains_key(*name));
    }

    /// Takes out what the collection lacks and we can do without.
    pub(crate) fn fit(&self, fields: &mut JsonObject) {
        fields.retain(|name, _| !field::DISPENSABLE.contains(&name.as_str()) || !self.lacks(name));
    }

    /// Finds out why the collection refused `fields`: each is tried by itself in a change of nobody.
    /// What was found to be lacking is not tried again for a while: whoever may register must not be
    /// able to make many requests of one.
    pub(crate) async fn culprit(
        &self,
        collection: &Collection,
        fields: &JsonObject,
    ) -> Result<Culprit, Fault> {
        let is_known = |name: &&String| field::lackable(name).is_some() && self.lacks(name);
        if let Some(name) = fields.keys().find(is_known) {
            return Ok(Culprit::Field(name.clone()));
        }
        // If not even this passes, a refusal says nothing about a field.
        if refuses(collection, &set(field::NAME, &json!("x"))).await? {
            return Ok(Culprit::Nobody);
        }
        let mut has_found = false;
        for name in field::DISPENSABLE {
            if let Some(value) = fields.get(name)
                && refuses(collection, &set(name, value)).await?
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
            if !is_tried && refuses(collection, &set(name, value)).await? {
                self.look_into(collection, name).await;
                return Ok(Culprit::Field(name.clone()));
            }
        }
        // A change cannot try the state: it is what is left.
        if fields.contains_key(field::STATE) {
            return Ok(Culprit::Field(field::STATE.to_owned()));
        }
        Ok(Culprit::Nobody)
    }

    /// Remembers a field whose value was refused, if the collection lacks it: then it does not even
    /// let it be taken away. Otherwise only that value was wrong, and the next one may be right.
    async fn look_into(&self, collection: &Collection, name: &str) {
        let Some(name) = field::lackable(name) else { return };
        // Where this fails nothing is remembered, and the culprit is known all the same.
        if let Ok(true) = refuses(collection, &json!({"$unset": {name: true}})).await {
            self.known().insert(name, Instant::now());
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        // Nothing in there is half-changed by a panic.
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The change of one field.
fn set(name: &str, value: &Value) -> Value {
    json!({"$set": {name: value}})
}

/// Whether the collection refuses such a change, tried on a client that nobody is.
async fn refuses(collection: &Collection, change: &Value) -> Result<bool, Fault> {
    let request = Request::patch(change).with(field::CLIENT_ID, nobody());
    match collection.ask(&request).await?.reply {
        Reply::Refused => Ok(true),
        reply @ (Reply::Done(_) | Reply::Taken | Reply::Absent) => {
            reply.done("a change of no client")?;
            Ok(false)
        }
    }
}

/// An id that no client has. A condition that nothing can fulfil would do as well, but whoever
/// stands before the service may not know it for one; an id is what every change is found by.
fn nobody() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("nobody-{:016x}{:016x}", random(), random())
}
