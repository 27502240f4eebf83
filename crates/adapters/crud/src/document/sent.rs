//! What is sent of a client: what differs from its default, and what every collection has.

use std::collections::BTreeSet;

use domain::{
    Audience, Capability, ClaimName, Client, JsonObject, Permission, PublicJwk, Timestamp,
};
use serde_json::{Value, json};

use super::{Stored, field};
use crate::moment;

/// The fields of a client's document, but for its last login and its state.
pub(crate) fn fields(client: &Client) -> JsonObject {
    let mut fields = JsonObject::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put(field::CLIENT_ID, client.id.as_str().into());
    put(field::NAME, client.name.as_str().into());
    put(field::AUTH_METHOD, client.authentication.name().into());
    // Always arrays: the service answers 500 to anything else.
    put(field::PERMISSIONS, client.permissions.iter().map(Permission::as_str).collect());
    put(field::AUDIENCE, client.audience.iter().map(Audience::as_str).collect());
    match client.keys.as_slice() {
        [] => (),
        [key] => drop(put(field::PUBLIC_KEY, Value::Object(key.to_json()))),
        keys => drop(put(field::PUBLIC_KEYS, keys.iter().map(PublicJwk::to_json).collect())),
    }
    if !client.allowed_custom_claims.is_empty() {
        let claims = client.allowed_custom_claims.iter().map(ClaimName::as_str).collect();
        put(field::ALLOWED_CUSTOM_CLAIMS, claims);
    }
    let settings = client.settings.to_json();
    if !settings.is_empty() {
        put(field::SETTINGS, Value::Object(settings));
    }
    if let Some(metadata) = &client.metadata {
        put(field::METADATA, Value::Object(metadata.clone()));
    }
    if !client.scope.is_empty() {
        put(field::SCOPE, client.scope.to_string().into());
    }
    if client.capabilities != default_capabilities() {
        put(field::CAPABILITIES, client.capabilities.iter().map(|it| it.name()).collect());
    }
    for (name, value) in client.informative.as_object() {
        put(name, value.clone());
    }
    put(field::REVISION, client.revision.0.into());
    put(field::ISSUED_AT, written(client.created_at));
    put(field::CHANGED_AT, written(client.updated_at));
    fields
}

/// What a document says that says nothing about capabilities.
pub(super) fn default_capabilities() -> BTreeSet<Capability> {
    BTreeSet::from([Capability::ClientCredentials])
}

/// The update that makes `fields` of what is stored.
pub(crate) fn update(fields: &JsonObject, stored: &Stored) -> Value {
    let mut set = fields.clone();
    // It is what the document is found by, and never changes.
    set.remove(field::CLIENT_ID);
    let mut unset = JsonObject::new();
    for name in field::optional() {
        if fields.contains_key(name) || !stored.present.contains(&name) {
            continue;
        }
        // What every collection has may be required there: it is emptied, not taken away.
        match name {
            field::PUBLIC_KEY => drop(set.insert(name.to_owned(), json!({}))),
            field::ALLOWED_CUSTOM_CLAIMS => drop(set.insert(name.to_owned(), json!([]))),
            _ => drop(unset.insert(name.to_owned(), true.into())),
        }
    }
    if unset.is_empty() {
        return json!({"$set": set});
    }
    json!({"$set": set, "$unset": unset})
}

fn written(moment: Timestamp) -> Value {
    moment::written(moment).into()
}
