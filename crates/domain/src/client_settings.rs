//! What is chosen for one client, where it differs from what the service does for all.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::{JsonObject, JwksUri, Scope, SigningAlgorithm, TokenDigest, UnknownName};

/// What is chosen for one client. Whatever is not set is the service's choice, or that of the
/// dialect in which the client asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientSettings {
    /// What its tokens look like.
    pub token_format: Option<TokenFormat>,
    /// How long they live, in whole seconds.
    pub token_lifetime: Option<Duration>,
    /// How they are signed, where they are.
    pub token_algorithm: Option<SigningAlgorithm>,
    /// What is granted where no scope is asked for; part of what the client may have.
    pub default_scope: Scope,
    /// Whom its assertions may be meant for.
    pub assertion_audience: AssertionAudience,
    /// Whether it may authenticate by its registered method alone, and not by its sibling.
    pub is_method_strict: bool,
    /// The digest of the token with which the client manages its own registration (RFC 7592
    /// section 3). Never shown.
    pub registration_token: Option<TokenDigest>,
    /// Where its keys are fetched from; never there beside keys that are registered (RFC 7591
    /// section 2).
    pub jwks_uri: Option<JwksUri>,
}

/// What an access token looks like to whoever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenFormat {
    /// A signed JWT, which says everything by itself.
    Jwt,
    /// An opaque text, which has to be asked about (RFC 7662).
    Reference,
}

impl TokenFormat {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Reference => "reference",
        }
    }
}

impl FromStr for TokenFormat {
    type Err = UnknownName;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        match raw {
            "jwt" => Ok(Self::Jwt),
            "reference" => Ok(Self::Reference),
            _ => Err(UnknownName { allowed: "jwt, reference" }),
        }
    }
}

/// Whom an assertion may be meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AssertionAudience {
    /// The issuer alone (threat T17).
    #[default]
    Issuer,
    /// The issuer, or the token endpoint's URL, as older clients write it.
    IssuerOrTokenEndpoint,
}

impl AssertionAudience {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::IssuerOrTokenEndpoint => "issuer_or_token_endpoint",
        }
    }
}

impl FromStr for AssertionAudience {
    type Err = UnknownName;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        match raw {
            "issuer" => Ok(Self::Issuer),
            "issuer_or_token_endpoint" => Ok(Self::IssuerOrTokenEndpoint),
            _ => Err(UnknownName { allowed: "issuer, issuer_or_token_endpoint" }),
        }
    }
}

/// A member that is not what it should be. What stands there is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} is not what it should be")]
pub struct InvalidClientSettings {
    /// Its name.
    pub member: &'static str,
}

/// The longest life that can be chosen for a token: a leap year.
pub const LONGEST_TOKEN_LIFETIME: Duration = Duration::from_hours(366 * 24);

const FORMAT: &str = "access_token_format";
const LIFETIME: &str = "access_token_lifetime";
const ALGORITHM: &str = "access_token_signing_alg";
const DEFAULT_SCOPE: &str = "default_scope";
const ASSERTION_AUDIENCE: &str = "assertion_audience";
const STRICT: &str = "strict_auth_method";
const REGISTRATION_TOKEN: &str = "registration_access_token_digest";
const JWKS_URI: &str = "jwks_uri";

impl ClientSettings {
    /// The settings as they are kept. What is not set is left out: settings that nobody touched are
    /// an empty object.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let mut object = JsonObject::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        };
        set(FORMAT, self.token_format.map(|it| it.name().into()));
        set(LIFETIME, self.token_lifetime.map(|it| it.as_secs().into()));
        set(ALGORITHM, self.token_algorithm.map(|it| it.name().into()));
        let scope = &self.default_scope;
        set(DEFAULT_SCOPE, (!scope.is_empty()).then(|| scope.to_string().into()));
        let audience = self.assertion_audience;
        set(
            ASSERTION_AUDIENCE,
            (audience != AssertionAudience::default()).then(|| audience.name().into()),
        );
        set(STRICT, self.is_method_strict.then_some(Value::Bool(true)));
        set(JWKS_URI, self.jwks_uri.as_ref().map(|it| it.as_str().into()));
        let digest = self.registration_token.as_ref();
        set(REGISTRATION_TOKEN, digest.map(|it| BASE64_URL_SAFE_NO_PAD.encode(it.0).into()));
        object
    }

    /// The settings as an operator sees and sets them: without the digest of a token.
    #[must_use]
    pub fn shown(&self) -> JsonObject {
        let mut object = self.to_json();
        object.remove(REGISTRATION_TOKEN);
        object
    }

    /// Settings that were kept. Members that a later release added are passed over.
    ///
    /// # Errors
    ///
    /// The name of the first member that is not what it should be.
    pub fn parse(object: &JsonObject) -> Result<Self, InvalidClientSettings> {
        let lifetime = match object.get(LIFETIME) {
            None => None,
            Some(value) => {
                let seconds = value.as_u64().map(Duration::from_secs);
                let is_fine = |it: &Duration| !it.is_zero() && *it <= LONGEST_TOKEN_LIFETIME;
                Some(seconds.filter(is_fine).ok_or(InvalidClientSettings { member: LIFETIME })?)
            }
        };
        let algorithm = match object.get(ALGORITHM) {
            None => None,
            Some(value) => {
                let known = value.as_str().and_then(SigningAlgorithm::from_name);
                Some(known.ok_or(InvalidClientSettings { member: ALGORITHM })?)
            }
        };
        let is_method_strict = match object.get(STRICT) {
            None => false,
            Some(value) => value.as_bool().ok_or(InvalidClientSettings { member: STRICT })?,
        };
        let registration_token = match object.get(REGISTRATION_TOKEN) {
            None => None,
            Some(value) => {
                let bytes = value.as_str().and_then(|it| BASE64_URL_SAFE_NO_PAD.decode(it).ok());
                let digest = bytes.and_then(|it| it.try_into().ok()).map(TokenDigest);
                Some(digest.ok_or(InvalidClientSettings { member: REGISTRATION_TOKEN })?)
            }
        };
        Ok(Self {
            token_format: text(object, FORMAT)?,
            token_lifetime: lifetime,
            token_algorithm: algorithm,
            default_scope: text(object, DEFAULT_SCOPE)?.unwrap_or_default(),
            assertion_audience: text(object, ASSERTION_AUDIENCE)?.unwrap_or_default(),
            is_method_strict,
            registration_token,
            jwks_uri: text(object, JWKS_URI)?,
        })
    }
}

fn text<T: FromStr>(
    object: &JsonObject,
    member: &'static str,
) -> Result<Option<T>, InvalidClientSettings> {
    match object.get(member) {
        None => Ok(None),
        Some(value) => {
            let parsed = value.as_str().and_then(|it| it.parse().ok());
            parsed.map(Some).ok_or(InvalidClientSettings { member })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn full() -> ClientSettings {
        ClientSettings {
            token_format: Some(TokenFormat::Reference),
            token_lifetime: Some(Duration::from_mins(5)),
            token_algorithm: Some(SigningAlgorithm::EdDsa),
            default_scope: "a b".parse().unwrap(),
            assertion_audience: AssertionAudience::IssuerOrTokenEndpoint,
            is_method_strict: true,
            registration_token: Some(TokenDigest([7; 32])),
            jwks_uri: Some("https://keys.example/jwks?p=1".parse().unwrap()),
        }
    }

    #[test]
    fn t37_the_digest_of_a_registration_token_is_kept_and_never_shown() {
        let shown = full().shown();
        assert!(!shown.contains_key(REGISTRATION_TOKEN), "{shown:?}");
        assert_eq!(shown.len() + 1, full().to_json().len());
    }

    #[test]
    fn what_is_kept_comes_out_as_it_went_in() {
        for settings in [ClientSettings::default(), full()] {
            assert_eq!(ClientSettings::parse(&settings.to_json()).unwrap(), settings);
        }
    }

    #[test]
    fn settings_that_nobody_touched_are_nothing() {
        assert!(ClientSettings::default().to_json().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (member, value) in [
            (FORMAT, json!("saml")),
            (FORMAT, json!(1)),
            (JWKS_URI, json!("ftp://keys.example")),
            (JWKS_URI, json!(null)),
            (LIFETIME, json!(0)),
            (LIFETIME, json!(-1)),
            (LIFETIME, json!(1.5)),
            (LIFETIME, json!(367 * 86_400)),
            (ALGORITHM, json!("none")),
            (ALGORITHM, json!("HS256")),
            (DEFAULT_SCOPE, json!("a  b")),
            (ASSERTION_AUDIENCE, json!("any")),
            (STRICT, json!("true")),
            (REGISTRATION_TOKEN, json!("c2hvcnQ")),
            (REGISTRATION_TOKEN, json!(7)),
        ] {
            let mut object = full().to_json();
            object.insert(member.to_owned(), value.clone());
            assert_eq!(ClientSettings::parse(&object).unwrap_err().member, member, "{value}");
        }
    }
}
