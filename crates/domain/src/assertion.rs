//! A client's signed statement of who it is (RFC 7523 section 3, RFC 7521 section 4.2).

use std::time::Duration;

use serde_json::Value;

use crate::{
    AssertionAudience, Audience, ClaimName, Client, ClientId, CompactJws, CompactMac, Issuer,
    JsonObject, JwsHeader, JwsRejection, PublicJwk, Timestamp, TokenId,
};

/// An assertion that parsed and whose signature nobody has checked.
#[derive(Clone, Debug)]
pub enum ClientAssertion {
    /// Signed with a private key (`private_key_jwt`).
    Signed(CompactJws),
    /// With a MAC under a secret (`client_secret_jwt`).
    Mac(CompactMac),
}

/// What a client said under its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedAssertion {
    /// The identifier that may be used once.
    pub id: TokenId,
    /// Until when the identifier must be remembered: the end of its life, skew included.
    pub remember_until: Timestamp,
    /// Whom the token shall be meant for.
    pub requested_audiences: Vec<Audience>,
    /// What else it says: claims for the token, if the client may set them.
    pub custom_claims: JsonObject,
}

/// What the operator demands of assertions.
#[derive(Clone, Debug)]
pub struct AssertionPolicy {
    /// The one `aud` that is accepted (threat T17).
    pub audience: Issuer,
    /// The URL of the token endpoint, which some clients may name instead; `None` where nobody
    /// knows it but the caller.
    pub token_endpoint: Option<Box<str>>,
    /// How far clocks may differ; widens `iat`, `nbf` and `exp`.
    pub clock_skew: Duration,
    /// How far ahead `exp` may lie (threat T19).
    pub max_lifetime: Duration,
    /// Whether the header must name the key.
    pub is_key_id_required: bool,
    /// Whether a refusal may tell that a client is known before its signature was found good. The
    /// Mia-Platform service does (403 where the client uses keys, else 401); everywhere else nobody
    /// learns which clients there are (threat T22).
    pub tells_who_is_known: bool,
}

/// Why an assertion does not prove anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefusal {
    /// It is no signed token at all.
    #[error("client_assertion: {0}")]
    Malformed(JwsRejection),
    /// It is signed in a way that is none of ours.
    #[error(
        "alg of client_assertion must be RS256, PS256, ES256 or EdDSA, or HS256 for \
         client_secret_jwt"
    )]
    UnknownAlgorithm,
    /// It is another kind of token (threat T15).
    #[error("typ of client_assertion must be absent, JWT or client-authentication+jwt")]
    WrongType,
    /// It names no key, or none of the client's.
    #[error("kid of client_assertion must name a key that is registered for the client")]
    UnknownKey,
    /// It says it was signed in a way the registered key, or the registered method, is not for
    /// (threats T03, T21).
    #[error("alg of client_assertion must be the one its key is registered for")]
    WrongAlgorithm,
    /// The signature is not the client's.
    #[error("the signature of client_assertion does not verify with the registered key")]
    BadSignature,
    /// A claim is not there.
    #[error("client_assertion has no {0}")]
    Missing(&'static str),
    /// A claim has a wrong type or an impossible value.
    #[error("{0} of client_assertion has a wrong type or an impossible value")]
    WrongClaimType(&'static str),
    /// `iss` and `sub` are not both the client.
    #[error("iss and sub of client_assertion must both be the client_id")]
    WrongSubject,
    /// It is meant for somebody else. The description names whom it must be meant for, since
    /// older clients send the token endpoint here.
    #[error("aud of client_assertion must be exactly {0}")]
    WrongAudience(Issuer),
    /// It is over.
    #[error("client_assertion has expired")]
    Expired,
    /// It is not valid yet.
    #[error("iat or nbf of client_assertion lies in the future")]
    NotYetValid,
    /// It would have to be remembered for too long.
    #[error("exp of client_assertion lies more than {} s ahead", .0.as_secs())]
    LivesTooLong(Duration),
    /// It was used before (threat T18).
    #[error("client_assertion was used before: jti must be new for each request")]
    Replayed,
    /// It wants to set a claim that only the server sets (threat T36).
    #[error("client_assertion holds a claim with a reserved name")]
    ReservedClaim,
}

impl ClientAssertion {
    /// Reads a client assertion. What it says depends on the text alone, and on no client.
    ///
    /// # Errors
    ///
    /// [`AssertionRefusal::Malformed`], [`AssertionRefusal::UnknownAlgorithm`] or
    /// [`AssertionRefusal::WrongType`].
    pub fn parse(raw: &str) -> Result<Self, AssertionRefusal> {
        let parsed = match CompactJws::parse(raw) {
            Ok(jws) => Self::Signed(jws),
            Err(JwsRejection::Algorithm) => Self::Mac(CompactMac::parse_mac(raw)?),
            Err(rejection) => return Err(rejection.into()),
        };
        let is_fine = match &parsed {
            Self::Signed(jws) => is_assertion(jws.header()),
            Self::Mac(jws) => is_assertion(jws.header()),
        };
        if is_fine { Ok(parsed) } else { Err(AssertionRefusal::WrongType) }
    }

    /// Who it says it comes from: a hint where to look for the key, not more.
    #[must_use]
    pub fn claimed_subject(&self) -> Option<ClientId> {
        self.unverified_claims().get("sub")?.as_str()?.parse().ok()
    }

    fn unverified_claims(&self) -> &JsonObject {
        match self {
            Self::Signed(jws) => jws.unverified_claims(),
            Self::Mac(jws) => jws.unverified_claims(),
        }
    }

    /// Checks what the assertion claims, after its signature was verified.
    ///
    /// Single use is the caller's to check, and last: a `jti` is burned only for an assertion
    /// that is good in every other way (threat T18).
    ///
    /// # Errors
    ///
    /// See [`AssertionRefusal`].
    pub fn check(
        self,
        client: &Client,
        policy: &AssertionPolicy,
        now: Timestamp,
    ) -> Result<VerifiedAssertion, AssertionRefusal> {
        let mut claims = JsonObject::clone(self.unverified_claims());
        check_subject(&mut claims, &client.id)?;
        let token_endpoint = match client.settings.assertion_audience {
            AssertionAudience::Issuer => None,
            AssertionAudience::IssuerOrTokenEndpoint => policy.token_endpoint.as_deref(),
        };
        check_audience(&mut claims, &policy.audience, token_endpoint)?;
        let expires_at = check_times(&mut claims, policy, now)?;
        let id = take(&mut claims, "jti")?
            .as_str()
            .and_then(|raw| raw.parse().ok())
            .ok_or(AssertionRefusal::WrongClaimType("jti"))?;
        let requested_audiences = requested_audiences(&mut claims)?;
        if claims.keys().any(|name| ClaimName::RESERVED.contains(&name.as_str())) {
            return Err(AssertionRefusal::ReservedClaim);
        }
        Ok(VerifiedAssertion {
            id,
            remember_until: expires_at.after(policy.clock_skew),
            requested_audiences,
            custom_claims: claims,
        })
    }
}

impl From<JwsRejection> for AssertionRefusal {
    fn from(rejection: JwsRejection) -> Self {
        match rejection {
            JwsRejection::Algorithm => Self::UnknownAlgorithm,
            JwsRejection::TooLong
            | JwsRejection::NotCompact
            | JwsRejection::Header
            | JwsRejection::Critical
            | JwsRejection::Payload => Self::Malformed(rejection),
        }
    }
}

/// Whether a token is of the kind that clients authenticate with (threat T15).
fn is_assertion<A>(header: &JwsHeader<A>) -> bool {
    header.typ.is_none() || header.is_typ("jwt") || header.is_typ("client-authentication+jwt")
}

/// The one of `keys` that must have signed `jws`: by `kid` and `alg`, or, where no `kid` is
/// demanded and none is named, the only key that fits its `alg`.
///
/// # Errors
///
/// [`AssertionRefusal::UnknownKey`], [`AssertionRefusal::WrongAlgorithm`] and, for a `kid` that is
/// demanded, [`AssertionRefusal::Missing`].
pub fn signing_key<'a>(
    jws: &CompactJws,
    keys: &'a [PublicJwk],
    policy: &AssertionPolicy,
) -> Result<&'a PublicJwk, AssertionRefusal> {
    let header = jws.header();
    let fits = |key: &&PublicJwk| key.algorithm() == header.algorithm;
    let Some(named) = &header.key_id else {
        if policy.is_key_id_required {
            return Err(AssertionRefusal::Missing("kid"));
        }
        let mut fitting = keys.iter().filter(fits);
        let only = fitting.next().filter(|_| fitting.next().is_none());
        return only.ok_or(AssertionRefusal::UnknownKey);
    };
    let mut with_name = keys.iter().filter(|key| key.key_id() == Some(named)).peekable();
    if with_name.peek().is_none() {
        return Err(AssertionRefusal::UnknownKey);
    }
    // Keys of different kinds may share a name (RFC 7517 section 4.5).
    with_name.find(fits).ok_or(AssertionRefusal::WrongAlgorithm)
}

fn take(claims: &mut JsonObject, name: &'static str) -> Result<Value, AssertionRefusal> {
    claims.remove(name).ok_or(AssertionRefusal::Missing(name))
}

/// RFC 7523 section 3, points 1 and 2: issuer and subject are the client.
fn check_subject(claims: &mut JsonObject, client: &ClientId) -> Result<(), AssertionRefusal> {
    for name in ["iss", "sub"] {
        let value = take(claims, name)?;
        match value.as_str() {
            Some(it) if it == client.as_str() => (),
            Some(_) => return Err(AssertionRefusal::WrongSubject),
            None => return Err(AssertionRefusal::WrongClaimType(name)),
        }
    }
    Ok(())
}

/// One audience, ours, as a string or as the only member of an array. RFC 7523bis: an assertion
/// that is good at two servers is good for the one that should not have it.
fn check_audience(
    claims: &mut JsonObject,
    audience: &Issuer,
    token_endpoint: Option<&str>,
) -> Result<(), AssertionRefusal> {
    let named = take(claims, "aud")?;
    let only = match named.as_array().map(Vec::as_slice) {
        None if !named.is_string() => return Err(AssertionRefusal::WrongClaimType("aud")),
        None => named.as_str(),
        Some([only]) => only.as_str(),
        Some(_) => None,
    };
    let is_endpoint = token_endpoint.is_some() && only == token_endpoint;
    if only == Some(audience.as_str()) || is_endpoint {
        Ok(())
    } else {
        Err(AssertionRefusal::WrongAudience(audience.clone()))
    }
}

fn check_times(
    claims: &mut JsonObject,
    policy: &AssertionPolicy,
    now: Timestamp,
) -> Result<Timestamp, AssertionRefusal> {
    let latest = now.after(policy.clock_skew);
    let expires_at = numeric_date(&take(claims, "exp")?, "exp")?;
    let issued_at = numeric_date(&take(claims, "iat")?, "iat")?;
    let not_before = match claims.remove("nbf") {
        Some(value) => numeric_date(&value, "nbf")?,
        None => issued_at,
    };
    if expires_at.after(policy.clock_skew) <= now {
        return Err(AssertionRefusal::Expired);
    }
    if latest < issued_at || latest < not_before {
        return Err(AssertionRefusal::NotYetValid);
    }
    if expires_at < issued_at {
        return Err(AssertionRefusal::WrongClaimType("exp"));
    }
    if now.after(policy.max_lifetime).after(policy.clock_skew) < expires_at {
        return Err(AssertionRefusal::LivesTooLong(policy.max_lifetime));
    }
    Ok(expires_at)
}

/// A `NumericDate` (RFC 7519 section 2) as a whole number of seconds that a signed 64-bit
/// integer can hold. All else is refused, never skipped (threat T08).
pub(crate) fn numeric_date(
    value: &Value,
    name: &'static str,
) -> Result<Timestamp, AssertionRefusal> {
    value
        .as_i64()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Timestamp::from_unix_seconds)
        .ok_or(AssertionRefusal::WrongClaimType(name))
}

fn requested_audiences(claims: &mut JsonObject) -> Result<Vec<Audience>, AssertionRefusal> {
    const NAME: &str = "requested_audiences";
    let wrong = || AssertionRefusal::WrongClaimType(NAME);
    match claims.remove(NAME) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().and_then(|it| it.parse().ok()).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
#[path = "assertion_tests.rs"]
mod tests;
