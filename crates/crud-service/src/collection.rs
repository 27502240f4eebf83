//! What can be done with the documents of a collection.

use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::{IndexOptions, ReturnDocument};
use mongodb::{Database, IndexModel};
use serde_json::{Map, Value, json};

use crate::State;
use crate::answer::Answer;
use crate::definition::Definition;
use crate::field_value::kept;
use crate::json::object;
use crate::query::Query;
use crate::refusal::{Refusal, UNKNOWN_FIELD};

const NO_OBJECT: Refusal = Refusal::BadRequest("body must be object");

/// A collection of MongoDB with a definition.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub(crate) database: Database,
    pub(crate) name: String,
    pub(crate) definition: Definition,
}

/// A request, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// What follows the path of the collection, cut at its slashes.
    pub(crate) path: Vec<&'a str>,
    pub(crate) words: Vec<(String, String)>,
    pub(crate) body: &'a [u8],
    /// Who asks.
    pub(crate) user: &'a str,
}

impl Collection {
    /// Makes the unique index, unless it is there.
    pub(crate) async fn prepare(&self) -> mongodb::error::Result<()> {
        let options = IndexOptions::builder().unique(true).build();
        let index = IndexModel::builder().keys(doc! { "clientId": 1 }).options(options).build();
        self.documents().create_index(index).await.map(drop)
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        self.database.run_command(doc! { "ping": 1 }).await.is_ok()
    }

    /// Forgets every document.
    pub(crate) async fn remove_everything(&self) -> mongodb::error::Result<()> {
        self.documents().drop().await
    }

    pub(crate) async fn carry_out(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        match (asked.method, asked.path.as_slice()) {
            ("GET", [] | [""]) => self.list(asked).await,
            ("GET", ["count"]) => self.count(asked).await,
            ("POST", [] | [""]) => self.insert(asked).await,
            ("POST", [id, "state"]) => self.change_state(asked, id).await,
            ("PATCH", ["bulk"]) => self.patch_bulk(asked).await,
            ("PATCH", [] | [""]) => self.patch_many(asked).await,
            ("PATCH", [id]) => self.patch_one(asked, id).await,
            ("DELETE", [id]) => self.delete(asked, id).await,
            (_, _) => Err(Refusal::NotFound),
        }
    }

    async fn list(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        let query = self.query(asked)?;
        let documents = self.documents();
        let mut find = documents.find(query.filter).limit(query.limit).skip(query.skip);
        if let Some(sort) = query.sort {
            find = find.sort(sort);
        }
        if let Some(projection) = query.projection {
            find = find.projection(projection);
        }
        let found: Vec<Document> = find.await?.try_collect().await?;
        Ok(Answer::Many(found.into_iter().map(|it| Value::Object(object(it))).collect()))
    }

    async fn count(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        let count = self.documents().count_documents(self.query(asked)?.filter).await?;
        Ok(Answer::One(count.into()))
    }

    async fn insert(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        let mut body = body_object(asked.body)?;
        let state = match body.remove("__STATE__") {
            None => self.definition.default_state,
            Some(name) => state_named(&name)?,
        };
        let missing = self.definition.required().find(|name| !body.contains_key(*name));
        if missing.is_some() {
            return Err(Refusal::BadRequest("body must have required property"));
        }
        let mut document = self.kept_fields(&body)?;
        let now = DateTime::now();
        document.extend(doc! {
            "_id": ObjectId::new(),
            "creatorId": asked.user,
            "createdAt": now,
            "updaterId": asked.user,
            "updatedAt": now,
            "__STATE__": state.name(),
        });
        let inserted = self.documents().insert_one(document).await?;
        let id = inserted.inserted_id.as_object_id().ok_or(Refusal::Internal)?;
        Ok(Answer::One(json!({"_id": id.to_hex()})))
    }

    async fn patch_one(&self, asked: &Asked<'_>, id: &str) -> Result<Answer, Refusal> {
        let update = self.update(&body_object(asked.body)?, asked.user)?;
        let filter = self.filter_with_id(asked, id)?;
        let documents = self.documents();
        let patched = documents.find_one_and_update(filter, update);
        match patched.return_document(ReturnDocument::After).await? {
            Some(document) => Ok(Answer::One(Value::Object(object(document)))),
            None => Err(Refusal::NotFound),
        }
    }

    async fn patch_many(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        let update = self.update(&body_object(asked.body)?, asked.user)?;
        let patched = self.documents().update_many(self.query(asked)?.filter, update).await?;
        Ok(Answer::One(patched.matched_count.into()))
    }

    async fn patch_bulk(&self, asked: &Asked<'_>) -> Result<Answer, Refusal> {
        let Ok(Value::Array(changes)) = serde_json::from_slice(asked.body) else {
            return Err(Refusal::BadRequest("body must be array"));
        };
        let mut updates = Vec::with_capacity(changes.len());
        for change in &changes {
            let member = |name| change.get(name).and_then(Value::as_object).ok_or(NO_OBJECT);
            let query = Query::parse_object(&self.definition, member("filter")?)?;
            let update = self.update(member("update")?, asked.user)?;
            updates.push(Bson::Document(doc! { "q": query.filter, "u": update, "multi": true }));
        }
        if updates.is_empty() {
            return Ok(Answer::One(0.into()));
        }
        let command = doc! { "update": self.name.as_str(), "updates": updates, "ordered": false };
        let done = self.database.run_command(command).await?;
        match (done.get("writeErrors"), done.get("n")) {
            (None, Some(Bson::Int32(count))) => Ok(Answer::One((*count).into())),
            (_, _) => Err(Refusal::Internal),
        }
    }

    async fn change_state(&self, asked: &Asked<'_>, id: &str) -> Result<Answer, Refusal> {
        let body = body_object(asked.body)?;
        let state = state_named(body.get("stateTo").unwrap_or(&Value::Null))?;
        let origins: Vec<&str> = state.origins().iter().map(|it| it.name()).collect();
        let filter = doc! { "_id": object_id(id)?, "__STATE__": { "$in": origins } };
        let update = doc! { "$set": {
            "__STATE__": state.name(), "updaterId": asked.user, "updatedAt": DateTime::now(),
        } };
        match self.documents().update_one(filter, update).await?.matched_count {
            0 => Err(Refusal::NotFound),
            _ => Ok(Answer::Nothing),
        }
    }

    async fn delete(&self, asked: &Asked<'_>, id: &str) -> Result<Answer, Refusal> {
        let filter = self.filter_with_id(asked, id)?;
        match self.documents().delete_one(filter).await?.deleted_count {
            0 => Err(Refusal::NotFound),
            _ => Ok(Answer::Nothing),
        }
    }

    fn documents(&self) -> mongodb::Collection<Document> {
        self.database.collection(&self.name)
    }

    fn query(&self, asked: &Asked<'_>) -> Result<Query, Refusal> {
        Query::parse(&self.definition, &asked.words)
    }

    fn filter_with_id(&self, asked: &Asked<'_>, id: &str) -> Result<Document, Refusal> {
        Ok(doc! { "$and": [{ "_id": object_id(id)? }, self.query(asked)?.filter] })
    }

    fn kept_fields(&self, fields: &Map<String, Value>) -> Result<Document, Refusal> {
        let kept = |(name, value): (&String, &Value)| {
            Ok((name.clone(), kept(&self.definition, name, value)?))
        };
        fields.iter().map(kept).collect()
    }

    /// What a body of `$set` and `$unset` does to a document.
    fn update(&self, body: &Map<String, Value>, user: &str) -> Result<Document, Refusal> {
        let mut set = Document::new();
        let mut unset = Document::new();
        for (operator, fields) in body {
            let fields = fields.as_object().ok_or(NO_OBJECT)?;
            match operator.as_str() {
                "$set" => set = self.kept_fields(fields)?,
                "$unset" => {
                    for (name, value) in fields {
                        self.definition.field(name).ok_or(UNKNOWN_FIELD)?;
                        if value != &Value::Bool(true) {
                            return Err(Refusal::BadRequest("body must be equal to constant"));
                        }
                        unset.insert(name.clone(), "");
                    }
                }
                _ => return Err(UNKNOWN_FIELD),
            }
        }
        set.insert("updaterId", user);
        set.insert("updatedAt", DateTime::now());
        let mut update = doc! { "$set": set };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        Ok(update)
    }
}

fn body_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(NO_OBJECT),
    }
}

fn state_named(name: &Value) -> Result<State, Refusal> {
    let state = name.as_str().and_then(|name| name.parse().ok());
    state.ok_or(Refusal::BadRequest("body must be equal to one of the allowed values"))
}

fn object_id(id: &str) -> Result<ObjectId, Refusal> {
    ObjectId::parse_str(id).map_err(|_| Refusal::BadRequest("params must match pattern"))
}
