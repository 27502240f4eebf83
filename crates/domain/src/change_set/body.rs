//! A change set as it is kept: one JSON object, the same in every store.

use serde_json::{Map, Value};

use super::archive::{
    self, InvalidArchive, each, list, moment, number, object, optional, parse_client,
    parse_credential, parse_moment, parsed, text,
};
use super::{
    ChangeSet, ChangeSetState, ChangeSetSummary, Commitment, Operation, PendingSecret, Settlement,
    Transition,
};
use crate::{ChangeNote, JsonObject, Revision, SecretId};

impl ChangeSet {
    /// The change set as it is kept. It may hold hashes of secrets: it is for stores only.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let Self {
            id,
            note,
            author,
            created_at,
            updated_at,
            revision,
            operations,
            state,
            pending,
            unsettled,
        } = self;
        let mut kept = Map::new();
        let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
        set("id", id.as_str().into());
        set("note", note.as_ref().map(ChangeNote::as_str).into());
        set("author", author.as_str().into());
        set("created_at", moment(*created_at));
        set("updated_at", moment(*updated_at));
        set("revision", revision.0.into());
        set("operations", operations.iter().map(Operation::to_json).collect());
        set("state", state.name().into());
        match state {
            ChangeSetState::Draft => (),
            ChangeSetState::Committed(it) => drop(set("commitment", commitment(it))),
            ChangeSetState::RolledBack { commitment: it, by, at } => {
                set("commitment", commitment(it));
                set("rolled_back_by", by.as_str().into());
                set("rolled_back_at", moment(*at));
            }
        }
        set("pending", pending.iter().map(pending_secret).collect());
        set("unsettled", unsettled.iter().map(settlement).collect());
        kept
    }

    /// A change set that was kept.
    ///
    /// # Errors
    ///
    /// [`InvalidArchive`], which names the first member that is wrong.
    pub fn parse(kept: &JsonObject) -> Result<Self, InvalidArchive> {
        let operation = |kept: &JsonObject| {
            Operation::parse(kept.clone()).map_err(|_| InvalidArchive { member: "operations" })
        };
        let commitment = || parse_commitment(object(kept, "commitment")?);
        Ok(Self {
            id: parsed(kept, "id")?,
            note: optional(kept, "note", parsed)?,
            author: parsed(kept, "author")?,
            created_at: parse_moment(kept, "created_at")?,
            updated_at: parse_moment(kept, "updated_at")?,
            revision: Revision(number(kept, "revision")?),
            operations: each(kept, "operations", operation)?,
            state: match text(kept, "state")? {
                "draft" => ChangeSetState::Draft,
                "committed" => ChangeSetState::Committed(commitment()?),
                "rolled_back" => ChangeSetState::RolledBack {
                    commitment: commitment()?,
                    by: parsed(kept, "rolled_back_by")?,
                    at: parse_moment(kept, "rolled_back_at")?,
                },
                _ => return Err(InvalidArchive { member: "state" }),
            },
            pending: each(kept, "pending", parse_pending)?,
            unsettled: each(kept, "unsettled", parse_settlement)?,
        })
    }
}

impl ChangeSetSummary {
    /// The summary as it is kept.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let Self { id, note, author, created_at, updated_at, state, operations } = self;
        let mut kept = Map::new();
        let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
        set("id", id.as_str().into());
        set("note", note.as_ref().map(ChangeNote::as_str).into());
        set("author", author.as_str().into());
        set("created_at", moment(*created_at));
        set("updated_at", moment(*updated_at));
        set("state", state.as_str().into());
        set("operations", (*operations).into());
        kept
    }

    /// A summary that was kept.
    ///
    /// # Errors
    ///
    /// [`InvalidArchive`], which names the first member that is wrong.
    pub fn parse(kept: &JsonObject) -> Result<Self, InvalidArchive> {
        let operations = number(kept, "operations")?;
        Ok(Self {
            id: parsed(kept, "id")?,
            note: optional(kept, "note", parsed)?,
            author: parsed(kept, "author")?,
            created_at: parse_moment(kept, "created_at")?,
            updated_at: parse_moment(kept, "updated_at")?,
            state: text(kept, "state")?.to_owned(),
            operations: usize::try_from(operations)
                .map_err(|_| InvalidArchive { member: "operations" })?,
        })
    }
}

fn commitment(it: &Commitment) -> Value {
    let Commitment { by, at, transitions } = it;
    let mut kept = Map::new();
    kept.insert("by".to_owned(), by.as_str().into());
    kept.insert("at".to_owned(), moment(*at));
    kept.insert("transitions".to_owned(), transitions.iter().map(transition).collect());
    Value::Object(kept)
}

fn parse_commitment(kept: &JsonObject) -> Result<Commitment, InvalidArchive> {
    Ok(Commitment {
        by: parsed(kept, "by")?,
        at: parse_moment(kept, "at")?,
        transitions: each(kept, "transitions", parse_transition)?,
    })
}

fn transition(it: &Transition) -> Value {
    let Transition { client, before, after, lost_secrets } = it;
    let mut kept = Map::new();
    let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
    set("client", client.as_str().into());
    set("before", before.as_ref().map_or(Value::Null, archive::client));
    set("after", after.as_ref().map_or(Value::Null, archive::client));
    set("lost_secrets", lost_secrets.iter().map(archive::credential).collect());
    Value::Object(kept)
}

fn parse_transition(kept: &JsonObject) -> Result<Transition, InvalidArchive> {
    let client = |kept: &JsonObject, member| parse_client(object(kept, member)?);
    Ok(Transition {
        client: parsed(kept, "client")?,
        before: optional(kept, "before", client)?,
        after: optional(kept, "after", client)?,
        lost_secrets: each(kept, "lost_secrets", parse_credential)?,
    })
}

fn pending_secret(it: &PendingSecret) -> Value {
    let PendingSecret { client, secret } = it;
    let mut kept = Map::new();
    kept.insert("client".to_owned(), client.as_str().into());
    kept.insert("secret".to_owned(), secret.as_str().into());
    Value::Object(kept)
}

fn parse_pending(kept: &JsonObject) -> Result<PendingSecret, InvalidArchive> {
    Ok(PendingSecret { client: parsed(kept, "client")?, secret: parsed(kept, "secret")? })
}

fn settlement(it: &Settlement) -> Value {
    let Settlement { client, at, secrets, tokens_until } = it;
    let secrets = secrets.as_ref().map(|all| all.iter().map(SecretId::as_str).collect());
    let mut kept = Map::new();
    let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
    set("client", client.as_str().into());
    set("at", moment(*at));
    set("secrets", secrets.unwrap_or(Value::Null));
    set("tokens_until", tokens_until.map_or(Value::Null, moment));
    Value::Object(kept)
}

fn parse_settlement(kept: &JsonObject) -> Result<Settlement, InvalidArchive> {
    Ok(Settlement {
        client: parsed(kept, "client")?,
        at: parse_moment(kept, "at")?,
        secrets: optional(kept, "secrets", list)?,
        tokens_until: optional(kept, "tokens_until", parse_moment)?,
    })
}
