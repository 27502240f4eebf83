//! What a change set does, one thing at a time.

use serde_json::{Map, Value};

use crate::{ClientId, JsonObject, Revision};

/// One thing that a change set does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Something about a client.
    Client(ClientOperation),
}

/// What is done about one client.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientOperation {
    /// Which one.
    pub client: ClientId,
    /// The revision that the operation was drafted against: a client that has another by the time
    /// of the commit has moved. `None` where there was no client, or where that is not known yet.
    pub base: Option<Revision>,
    /// What is done.
    pub action: ClientAction,
}

/// What can be done about a client. Members are those of a registration (RFC 7591 section 2).
#[derive(Clone, Debug, PartialEq)]
pub enum ClientAction {
    /// It is made, of these members.
    Create(JsonObject),
    /// It becomes what these members make, but keeps its secrets, and its state unless they name
    /// one.
    Replace(JsonObject),
    /// These members take the place of its own (a JSON merge patch, RFC 7396).
    Change(JsonObject),
    /// It is disabled.
    Disable,
    /// It is enabled.
    Enable,
    /// It is deleted.
    Delete,
}

impl ClientAction {
    /// The name of the operation on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_client",
            Self::Replace(_) => "replace_client",
            Self::Change(_) => "change_client",
            Self::Disable => "disable_client",
            Self::Enable => "enable_client",
            Self::Delete => "delete_client",
        }
    }

    /// The members that it speaks of.
    #[must_use]
    pub const fn members(&self) -> Option<&JsonObject> {
        match self {
            Self::Create(members) | Self::Replace(members) | Self::Change(members) => Some(members),
            Self::Disable | Self::Enable | Self::Delete => None,
        }
    }
}

/// Why something is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {reason}")]
pub struct InvalidOperation {
    /// The member that is wrong.
    pub member: &'static str,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

const OP: &str = "op";
const CLIENT_ID: &str = "client_id";
const CLIENT: &str = "client";
const REVISION: &str = "revision";
const ALL: &str = "create_client, replace_client, change_client, disable_client, enable_client, \
                   delete_client";

impl Operation {
    /// The operation as it is written, and kept.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        match self {
            Self::Client(ClientOperation { client, base, action }) => {
                let mut object = Map::new();
                let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
                set(OP, action.name().into());
                set(CLIENT_ID, client.as_str().into());
                if let Some(Revision(base)) = base {
                    set(REVISION, (*base).into());
                }
                if let Some(members) = action.members() {
                    set(CLIENT, Value::Object(members.clone()));
                }
                object
            }
        }
    }

    /// Reads an operation as it is written.
    ///
    /// # Errors
    ///
    /// [`InvalidOperation`], which names the first member that is wrong. What the members of a
    /// client say is not looked at: a draft may be wrong.
    pub fn parse(mut object: JsonObject) -> Result<Self, InvalidOperation> {
        let name = taken_text(&mut object, OP)?
            .ok_or_else(|| invalid(OP, format!("is required: one of {ALL}")))?;
        let client = taken_text(&mut object, CLIENT_ID)?
            .ok_or_else(|| invalid(CLIENT_ID, "is required: which client it is about"))?;
        let client = client.parse().map_err(|error| invalid(CLIENT_ID, format!("{error}")))?;
        let base = match object.remove(REVISION) {
            None | Some(Value::Null) => None,
            Some(value) => {
                Some(Revision(value.as_u64().filter(|it| 0 < *it).ok_or_else(|| {
                    invalid(REVISION, "must be a whole number from 1: the ETag of the client")
                })?))
            }
        };
        let mut members = || match object.remove(CLIENT) {
            Some(Value::Object(members)) if !members.contains_key("client_secret") => Ok(members),
            Some(Value::Object(_)) => {
                Err(invalid(CLIENT, "may not hold client_secret: the commit makes the secret"))
            }
            _ => Err(invalid(CLIENT, format!("is required for {name}: an object of members"))),
        };
        let action = match name.as_str() {
            "create_client" => ClientAction::Create(members()?),
            "replace_client" => ClientAction::Replace(members()?),
            "change_client" => ClientAction::Change(members()?),
            "disable_client" => ClientAction::Disable,
            "enable_client" => ClientAction::Enable,
            "delete_client" => ClientAction::Delete,
            _ => return Err(invalid(OP, format!("must be one of {ALL}"))),
        };
        if base.is_some() && matches!(action, ClientAction::Create(_)) {
            return Err(invalid(REVISION, "goes with a client that is there, not with a new one"));
        }
        match object.keys().next() {
            None => Ok(Self::Client(ClientOperation { client, base, action })),
            Some(_) if object.contains_key(CLIENT) => {
                Err(invalid(CLIENT, format!("does not go with {name}: leave it out")))
            }
            Some(_) => Err(invalid(
                OP,
                "an operation has no members but op, client_id, revision and client",
            )),
        }
    }
}

fn taken_text(
    object: &mut JsonObject,
    member: &'static str,
) -> Result<Option<String>, InvalidOperation> {
    match object.remove(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(member, "must be a text")),
    }
}

fn invalid(member: &'static str, reason: impl Into<String>) -> InvalidOperation {
    InvalidOperation { member, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_written_reads_back() {
        for written in [
            json!({"op": "create_client", "client_id": "a", "client": {"client_name": "A"}}),
            json!({"op": "replace_client", "client_id": "a", "client": {}, "revision": 3}),
            json!({"op": "change_client", "client_id": "a", "client": {"scope": null}}),
            json!({"op": "disable_client", "client_id": "a", "revision": 1}),
            json!({"op": "enable_client", "client_id": "a"}),
            json!({"op": "delete_client", "client_id": "a"}),
        ] {
            let operation = Operation::parse(object(&written)).unwrap();
            assert_eq!(Value::Object(operation.to_json()), written);
        }
    }

    #[test]
    fn what_is_no_operation_is_refused_by_the_name_of_the_member() {
        for (written, member) in [
            (json!({}), "op"),
            (json!({"op": 1}), "op"),
            (json!({"op": "drop_client", "client_id": "a"}), "op"),
            (json!({"op": "delete_client"}), "client_id"),
            (json!({"op": "delete_client", "client_id": "a b"}), "client_id"),
            (json!({"op": "delete_client", "client_id": "a", "revision": 0}), "revision"),
            (json!({"op": "delete_client", "client_id": "a", "revision": "1"}), "revision"),
            (json!({"op": "delete_client", "client_id": "a", "client": {}}), "client"),
            (json!({"op": "delete_client", "client_id": "a", "force": true}), "op"),
            (json!({"op": "create_client", "client_id": "a"}), "client"),
            (json!({"op": "create_client", "client_id": "a", "client": []}), "client"),
            (
                json!({"op": "create_client", "client_id": "a", "client": {}, "revision": 1}),
                "revision",
            ),
            (
                json!({"op": "change_client", "client_id": "a", "client": {"client_secret": "s"}}),
                "client",
            ),
        ] {
            let refused = Operation::parse(object(&written)).unwrap_err();
            assert_eq!(refused.member, member, "{written}: {refused}");
        }
    }
}
