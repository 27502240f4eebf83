//! The members of a registration that say with which keys a client signs (RFC 7591 section 2).

use domain::{Client, JsonObject, JwksUri, PublicJwk};
use serde_json::Value;

use crate::client_metadata::{InvalidMetadata, RegistrationRules, invalid};

/// A change of keys: each member that is there replaces what was.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeyChanges {
    keys: Option<Vec<PublicJwk>>,
    #[expect(clippy::option_option, reason = "absent, null and an address are three things")]
    jwks_uri: Option<Option<JwksUri>>,
}

impl KeyChanges {
    /// Takes its members out of `object`.
    pub(crate) fn take_from(
        object: &mut JsonObject,
        rules: &RegistrationRules,
    ) -> Result<Self, InvalidMetadata> {
        // RFC 7591 section 2: not both in one request, even where one of them is empty.
        let is_there = |member| object.get(member).is_some_and(|it| !it.is_null());
        if is_there("jwks_uri") && (is_there("jwks") || is_there("public_key")) {
            return Err(invalid(
                "jwks_uri",
                "goes without jwks and public_key, or instead: set the one that is to go to null",
            ));
        }
        let jwks_uri = match object.remove("jwks_uri") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(raw)) => match raw.parse() {
                Ok(uri) => Some(Some(uri)),
                Err(error) => return Err(invalid("jwks_uri", format!("{error}"))),
            },
            Some(_) => return Err(invalid("jwks_uri", "must be a text")),
        };
        Ok(Self { keys: take_keys(object, rules)?, jwks_uri })
    }

    /// Changes the keys of a client.
    pub(crate) fn apply(self, client: &mut Client) {
        if let Some(keys) = self.keys {
            client.keys = keys;
        }
        if let Some(jwks_uri) = self.jwks_uri {
            client.settings.jwks_uri = jwks_uri;
        }
    }
}

/// A client authenticates with keys or with secrets, and has what it takes: keys that are registered,
/// or an address of keys, never both (RFC 7591 section 2).
pub(crate) fn check_keys(client: &Client) -> Result<(), InvalidMetadata> {
    const METHOD: &str = "goes with token_endpoint_auth_method private_key_jwt only";
    let (has_keys, has_uri) = (!client.keys.is_empty(), client.settings.jwks_uri.is_some());
    match (client.authentication.uses_secret(), has_keys, has_uri) {
        (true, false, false) | (false, true, false) | (false, false, true) => Ok(()),
        (true, true, _) => Err(invalid("public_key", METHOD)),
        (true, false, true) => Err(invalid("jwks_uri", METHOD)),
        (false, true, true) => Err(invalid(
            "jwks_uri",
            "goes without jwks and public_key, or instead: set the one that is to go to null",
        )),
        (false, false, false) => Err(invalid(
            "public_key",
            "is required for token_endpoint_auth_method private_key_jwt: a JWK, or jwks, or jwks_uri",
        )),
    }
}

/// The vendor's `public_key` (one JWK; `{}` stands for none), or RFC 7591's `jwks`.
fn take_keys(
    object: &mut JsonObject,
    rules: &RegistrationRules,
) -> Result<Option<Vec<PublicJwk>>, InvalidMetadata> {
    const MAX_KEYS: usize = 10;
    let (member, jwks) = match (object.remove("public_key"), object.remove("jwks")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(invalid("jwks", "goes without public_key, or instead")),
        (Some(Value::Null), None) | (None, Some(Value::Null)) => return Ok(Some(Vec::new())),
        (Some(Value::Object(jwk)), None) if jwk.is_empty() => return Ok(Some(Vec::new())),
        (Some(jwk), None) => ("public_key", vec![jwk]),
        (None, Some(set)) => match set.get("keys").and_then(Value::as_array) {
            Some(keys) if keys.len() <= MAX_KEYS => ("jwks", keys.clone()),
            Some(_) => return Err(invalid("jwks", "may hold at most 10 keys")),
            None => return Err(invalid("jwks", "must be a JWK set: {\"keys\": [...]}")),
        },
    };
    let mut keys: Vec<PublicJwk> = Vec::with_capacity(jwks.len());
    for jwk in &jwks {
        let jwk = jwk.as_object().ok_or_else(|| invalid(member, "must be a JWK object"))?;
        let key = PublicJwk::parse(jwk).map_err(|error| invalid(member, error.to_string()))?;
        if rules.is_key_id_required && key.key_id().is_none() {
            return Err(invalid(member, "the key has no kid"));
        }
        if !rules.key_algorithms.contains(&key.algorithm()) {
            let names: Vec<_> = rules.key_algorithms.iter().map(|it| it.name()).collect();
            return Err(invalid(member, format!("the key must be for {}", names.join(", "))));
        }
        let same = |other: &PublicJwk| match (other.key_id(), key.key_id()) {
            (None, None) => other.algorithm() == key.algorithm(),
            (other, this) => other == this,
        };
        if keys.iter().any(same) {
            return Err(invalid(member, "two keys have the same kid, or the same alg and no kid"));
        }
        keys.push(key);
    }
    Ok(Some(keys))
}
