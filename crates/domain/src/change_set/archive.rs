//! Clients and hashes of secrets as a change set remembers them.
//!
//! Whatever a client is made of has to be here, or a rollback would lose it: so a client is taken
//! apart, and put together, without `..`.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::{
    Audience, ClaimName, Client, ClientSettings, Credential, InformativeMetadata, JsonObject,
    Permission, PublicJwk, Revision, Scope, SecretHash, SecretName, SecretSelector, Timestamp,
};

/// Something that was kept is not what it should be. What stands there is not repeated: it may be
/// the hash of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} of a kept change set is not what it should be")]
pub struct InvalidArchive {
    /// The name of the member.
    pub member: &'static str,
}

/// A client as it is remembered.
pub(super) fn client(it: &Client) -> Value {
    let Client {
        id,
        name,
        state,
        authentication,
        keys,
        capabilities,
        permissions,
        audience,
        scope,
        allowed_custom_claims,
        settings,
        metadata,
        informative,
        created_at,
        updated_at,
        last_login,
        revision,
    } = it;
    let keys: Vec<Value> = keys.iter().map(|key| Value::Object(key.to_json())).collect();
    let mut kept = Map::new();
    let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
    set("id", id.as_str().into());
    set("name", name.as_str().into());
    set("state", state.name().into());
    set("authentication", authentication.name().into());
    set("keys", keys.into());
    set("capabilities", capabilities.iter().map(|it| it.name()).collect());
    set("permissions", permissions.iter().map(Permission::as_str).collect());
    set("audience", audience.iter().map(Audience::as_str).collect());
    set("scope", scope.to_string().into());
    set("allowed_custom_claims", allowed_custom_claims.iter().map(ClaimName::as_str).collect());
    set("settings", Value::Object(settings.to_json()));
    set("metadata", metadata.clone().map_or(Value::Null, Value::Object));
    set("informative", Value::Object(informative.as_object().clone()));
    set("created_at", moment(*created_at));
    set("updated_at", moment(*updated_at));
    set("last_login", last_login.map_or(Value::Null, moment));
    set("revision", revision.0.into());
    Value::Object(kept)
}

/// A client that was remembered.
pub(super) fn parse_client(kept: &JsonObject) -> Result<Client, InvalidArchive> {
    let settings = ClientSettings::parse(object(kept, "settings")?);
    let mut informative = object(kept, "informative")?.clone();
    Ok(Client {
        id: parsed(kept, "id")?,
        name: parsed(kept, "name")?,
        state: parsed(kept, "state")?,
        authentication: parsed(kept, "authentication")?,
        keys: array(kept, "keys")?
            .iter()
            .map(|key| key.as_object().and_then(|key| PublicJwk::parse(key).ok()))
            .collect::<Option<_>>()
            .ok_or(InvalidArchive { member: "keys" })?,
        capabilities: list(kept, "capabilities")?.into_iter().collect(),
        permissions: list(kept, "permissions")?,
        audience: list(kept, "audience")?,
        scope: match text(kept, "scope")? {
            "" => Scope::default(),
            _ => parsed(kept, "scope")?,
        },
        allowed_custom_claims: list(kept, "allowed_custom_claims")?,
        settings: settings.map_err(|_| InvalidArchive { member: "settings" })?,
        metadata: match kept.get("metadata") {
            Some(Value::Null) => None,
            _ => Some(object(kept, "metadata")?.clone()),
        },
        informative: InformativeMetadata::take_from(&mut informative)
            .map_err(|_| InvalidArchive { member: "informative" })?,
        created_at: parse_moment(kept, "created_at")?,
        updated_at: parse_moment(kept, "updated_at")?,
        last_login: optional(kept, "last_login", parse_moment)?,
        revision: Revision(number(kept, "revision")?),
    })
}

/// The hash of a secret as it is remembered.
pub(super) fn credential(it: &Credential) -> Value {
    let Credential { id, name, hash, selector, created_at, expires_at, last_used } = it;
    let mut kept = Map::new();
    let mut set = |name: &str, value: Value| kept.insert(name.to_owned(), value);
    set("id", id.as_str().into());
    set("name", name.as_ref().map(SecretName::as_str).into());
    set("hash", hash.as_str().into());
    set("selector", selector.map(|it| it.0).into());
    set("created_at", moment(*created_at));
    set("expires_at", expires_at.map_or(Value::Null, moment));
    set("last_used", last_used.map_or(Value::Null, moment));
    Value::Object(kept)
}

/// The hash of a secret that was remembered.
pub(super) fn parse_credential(kept: &JsonObject) -> Result<Credential, InvalidArchive> {
    let selector = |kept: &JsonObject, member| {
        u16::try_from(number(kept, member)?).map_err(|_| InvalidArchive { member })
    };
    Ok(Credential {
        id: parsed(kept, "id")?,
        name: optional(kept, "name", parsed)?,
        hash: SecretHash::new(text(kept, "hash")?),
        selector: optional(kept, "selector", selector)?.map(SecretSelector),
        created_at: parse_moment(kept, "created_at")?,
        expires_at: optional(kept, "expires_at", parse_moment)?,
        last_used: optional(kept, "last_used", parse_moment)?,
    })
}

pub(super) fn moment(at: Timestamp) -> Value {
    at.as_unix_millis().into()
}

pub(super) fn parse_moment(
    kept: &JsonObject,
    member: &'static str,
) -> Result<Timestamp, InvalidArchive> {
    number(kept, member).map(Timestamp::from_unix_millis)
}

pub(super) fn number(kept: &JsonObject, member: &'static str) -> Result<u64, InvalidArchive> {
    kept.get(member).and_then(Value::as_u64).ok_or(InvalidArchive { member })
}

pub(super) fn text<'a>(
    kept: &'a JsonObject,
    member: &'static str,
) -> Result<&'a str, InvalidArchive> {
    kept.get(member).and_then(Value::as_str).ok_or(InvalidArchive { member })
}

pub(super) fn parsed<T: FromStr>(
    kept: &JsonObject,
    member: &'static str,
) -> Result<T, InvalidArchive> {
    text(kept, member)?.parse().map_err(|_| InvalidArchive { member })
}

pub(super) fn object<'a>(
    kept: &'a JsonObject,
    member: &'static str,
) -> Result<&'a JsonObject, InvalidArchive> {
    kept.get(member).and_then(Value::as_object).ok_or(InvalidArchive { member })
}

pub(super) fn array<'a>(
    kept: &'a JsonObject,
    member: &'static str,
) -> Result<&'a [Value], InvalidArchive> {
    kept.get(member).and_then(Value::as_array).map(Vec::as_slice).ok_or(InvalidArchive { member })
}

/// The elements of an array of objects.
pub(super) fn each<T>(
    kept: &JsonObject,
    member: &'static str,
    parse: impl Fn(&JsonObject) -> Result<T, InvalidArchive>,
) -> Result<Vec<T>, InvalidArchive> {
    let element = |it: &Value| parse(it.as_object().ok_or(InvalidArchive { member })?);
    array(kept, member)?.iter().map(element).collect()
}

/// `None` where the member is `null`, or was not kept.
pub(super) fn optional<T>(
    kept: &JsonObject,
    member: &'static str,
    parse: impl Fn(&JsonObject, &'static str) -> Result<T, InvalidArchive>,
) -> Result<Option<T>, InvalidArchive> {
    match kept.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => parse(kept, member).map(Some),
    }
}

pub(super) fn list<T: FromStr>(
    kept: &JsonObject,
    member: &'static str,
) -> Result<Vec<T>, InvalidArchive> {
    array(kept, member)?
        .iter()
        .map(|it| it.as_str().and_then(|it| it.parse().ok()))
        .collect::<Option<_>>()
        .ok_or(InvalidArchive { member })
}
