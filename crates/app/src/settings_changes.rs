//! The members of a registration that choose something for one client.

#![expect(clippy::option_option, reason = "absent, null and a value are three things")]

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::{
    AssertionAudience, Client, ClientSettings, JsonObject, LONGEST_TOKEN_LIFETIME, Scope,
    SigningAlgorithm, TokenFormat,
};
use serde_json::Value;

use crate::client_metadata::{InvalidMetadata, RegistrationRules, invalid};

/// The members that only an operator may set.
pub(crate) const SETTINGS: [&str; 7] = [
    "access_token_format",
    "access_token_lifetime",
    "access_token_signing_alg",
    "assertion_audience",
    "default_scope",
    "self_managed",
    "strict_auth_method",
];

/// A change of settings: each member that is there replaces what was, and `null` takes it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SettingsChanges {
    token_format: Option<Option<TokenFormat>>,
    token_lifetime: Option<Option<Duration>>,
    token_algorithm: Option<Option<SigningAlgorithm>>,
    default_scope: Option<Option<Scope>>,
    assertion_audience: Option<Option<AssertionAudience>>,
    is_method_strict: Option<Option<bool>>,
    /// Whether the client shall not manage its own registration any more.
    pub(crate) ends_self_management: bool,
}

impl SettingsChanges {
    /// Takes its members out of `object`.
    pub(crate) fn take_from(
        object: &mut JsonObject,
        rules: &RegistrationRules,
    ) -> Result<Self, InvalidMetadata> {
        let algorithm = |raw: &str| {
            let known = SigningAlgorithm::from_name(raw);
            known.filter(|it| rules.token_algorithms.contains(it)).ok_or_else(|| {
                let names: Vec<_> = rules.token_algorithms.iter().map(|it| it.name()).collect();
                format!("must be one that this server signs with: {}", names.join(", "))
            })
        };
        Ok(Self {
            token_format: take_text(object, "access_token_format", parsed)?,
            token_lifetime: take_lifetime(object, rules)?,
            token_algorithm: take_text(object, "access_token_signing_alg", algorithm)?,
            default_scope: take_default_scope(object)?,
            assertion_audience: take_text(object, "assertion_audience", parsed)?,
            is_method_strict: match object.remove("strict_auth_method") {
                None => None,
                Some(Value::Null) => Some(None),
                Some(Value::Bool(it)) => Some(Some(it)),
                Some(_) => return Err(invalid("strict_auth_method", "must be true or false")),
            },
            ends_self_management: match object.remove("self_managed") {
                None => false,
                Some(Value::Null | Value::Bool(false)) => true,
                Some(_) => {
                    let reason = "can only be set to false, which takes the registration access \
                                  token away: a client gets that when it registers itself";
                    return Err(invalid("self_managed", reason));
                }
            },
        })
    }

    /// Changes the settings of a client.
    pub(crate) fn apply(self, settings: &mut ClientSettings) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut settings.token_format, self.token_format);
        set(&mut settings.token_lifetime, self.token_lifetime);
        set(&mut settings.token_algorithm, self.token_algorithm);
        set(&mut settings.default_scope, self.default_scope.map(Option::unwrap_or_default));
        let audience = self.assertion_audience.map(Option::unwrap_or_default);
        set(&mut settings.assertion_audience, audience);
        set(&mut settings.is_method_strict, self.is_method_strict.map(Option::unwrap_or_default));
        if self.ends_self_management {
            settings.registration_token = None;
        }
    }
}

/// What is granted by default is part of what may be granted at all.
pub(crate) fn check_default_scope(client: &Client) -> Result<(), InvalidMetadata> {
    if client.settings.default_scope.is_within(&client.scope) {
        return Ok(());
    }
    Err(invalid("default_scope", "must be part of scope, which says what the client may have"))
}

fn parsed<T>(raw: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    raw.parse().map_err(|error: T::Err| error.to_string())
}

fn take_text<T>(
    object: &mut JsonObject,
    member: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<Option<T>>, InvalidMetadata> {
    match object.remove(member) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => match parse(&text) {
            Ok(value) => Ok(Some(Some(value))),
            Err(reason) => Err(invalid(member, reason)),
        },
        Some(_) => Err(invalid(member, "must be a text")),
    }
}

fn take_default_scope(object: &mut JsonObject) -> Result<Option<Option<Scope>>, InvalidMetadata> {
    if object.get("default_scope").and_then(Value::as_str) == Some("") {
        object.remove("default_scope");
        return Ok(Some(None));
    }
    take_text(object, "default_scope", parsed)
}

fn take_lifetime(
    object: &mut JsonObject,
    rules: &RegistrationRules,
) -> Result<Option<Option<Duration>>, InvalidMetadata> {
    const MEMBER: &str = "access_token_lifetime";
    let longest = rules.longest_token_lifetime.min(LONGEST_TOKEN_LIFETIME);
    match object.remove(MEMBER) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(value) => {
            let lifetime = value.as_u64().map(Duration::from_secs);
            match lifetime.filter(|it| !it.is_zero() && *it <= longest) {
                Some(lifetime) => Ok(Some(Some(lifetime))),
                None => Err(invalid(
                    MEMBER,
                    format!("must be a whole number of seconds from 1 to {}", longest.as_secs()),
                )),
            }
        }
    }
}
