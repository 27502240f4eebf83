//! A client and what is known of its secrets, as an operator sees them. Never a secret.

use domain::{Audience, ClaimName, Client, Credential, Permission, SecretName, Timestamp};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The document of a client.
pub(crate) fn client(client: &Client) -> Value {
    let texts = |items: Vec<&str>| Value::from(items);
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    set("client_id", client.id.as_str().into());
    set("client_name", client.name.as_str().into());
    set("token_endpoint_auth_method", client.authentication.name().into());
    set("__STATE__", client.state.name().into());
    set("permissions", texts(client.permissions.iter().map(Permission::as_str).collect()));
    set("audience", texts(client.audience.iter().map(Audience::as_str).collect()));
    set("scope", client.scope.to_string().into());
    set("capabilities", texts(client.capabilities.iter().map(|it| it.name()).collect()));
    set(
        "allowedCustomClaims",
        texts(client.allowed_custom_claims.iter().map(ClaimName::as_str).collect()),
    );
    if !client.keys.is_empty() {
        let keys: Vec<Value> = client.keys.iter().map(|key| key.to_json().into()).collect();
        set("jwks", json!({"keys": keys}));
    }
    for (name, value) in client.settings.shown() {
        set(&name, value);
    }
    set("self_managed", client.is_self_managed().into());
    if let Some(metadata) = &client.metadata {
        set("metadata", metadata.clone().into());
    }
    for (name, value) in client.informative.as_object() {
        set(name, value.clone());
    }
    set("createdAt", moment(client.created_at));
    set("updatedAt", moment(client.updated_at));
    set("lastLogin", client.last_login.map_or(Value::Null, moment));
    Value::Object(document)
}

/// What is known of a secret.
pub(crate) fn credential(credential: &Credential) -> Value {
    json!({
        "secret_id": credential.id.as_str(),
        "name": credential.name.as_ref().map(SecretName::as_str),
        "created_at": moment(credential.created_at),
        "expires_at": credential.expires_at.map(moment),
        "last_used": credential.last_used.map(moment),
    })
}

/// ISO 8601 with three fractional digits.
pub(crate) fn moment(at: Timestamp) -> Value {
    let nanoseconds = i128::from(at.as_unix_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .ok()
        .and_then(|it| it.format(&Rfc3339).ok())
        .map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_iso_8601_in_utc() {
        let at = Timestamp::from_unix_millis(1_795_311_221_978);
        assert_eq!(moment(at), "2026-11-22T01:33:41.978Z");
        assert_eq!(moment(Timestamp::from_unix_millis(u64::MAX)), Value::Null);
    }
}
