//! A client's signed statement of who it is (RFC 7523 section 3, RFC 7521 section 4.2).

use std::time::Duration;

use serde_json::Value;

use crate::{
    AssertionAudience, Audience, ClaimName, Client, ClientId, CompactJws, Issuer, JsonObject,
    JwsRejection, PublicJwk, Timestamp, TokenId,
};

/// An assertion that parsed and whose signature nobody has checked.
#[derive(Clone, Debug)]
pub struct ClientAssertion(CompactJws);

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
}

/// Why an assertion does not prove anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefusal {
    /// It is no signed token at all.
    #[error("client_assertion: {0}")]
    Malformed(#[from] JwsRejection),
    /// It is another kind of token (threat T15).
    #[error("typ of client_assertion must be absent, JWT or client-authentication+jwt")]
    WrongType,
    /// It names no key, or none of the client's.
    #[error("kid of client_assertion must name a key that is registered for the client")]
    UnknownKey,
    /// It says it was signed in a way the registered key is not for (threat T03).
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
    /// Reads a client assertion.
    ///
    /// # Errors
    ///
    /// [`AssertionRefusal::Malformed`] or [`AssertionRefusal::WrongType`].
    pub fn parse(raw: &str) -> Result<Self, AssertionRefusal> {
        let jws = CompactJws::parse(raw)?;
        let header = jws.header();
        let is_fine = header.typ.is_none()
            || header.is_typ("jwt")
            || header.is_typ("client-authentication+jwt");
        if is_fine { Ok(Self(jws)) } else { Err(AssertionRefusal::WrongType) }
    }

    /// Who it says it comes from: a hint where to look for the key, not more.
    #[must_use]
    pub fn claimed_subject(&self) -> Option<ClientId> {
        self.0.unverified_claims().get("sub")?.as_str()?.parse().ok()
    }

    /// The token, for the verifier.
    #[must_use]
    pub fn jws(&self) -> &CompactJws {
        &self.0
    }

    /// The registered key that must have signed it: by `kid`, or, where none is demanded and none
    /// is named, the only key that fits its `alg`.
    ///
    /// # Errors
    ///
    /// [`AssertionRefusal::UnknownKey`] and [`AssertionRefusal::WrongAlgorithm`].
    pub fn key<'a>(
        &self,
        client: &'a Client,
        policy: &AssertionPolicy,
    ) -> Result<&'a PublicJwk, AssertionRefusal> {
        let header = self.0.header();
        let key = match &header.key_id {
            Some(named) => client.keys.iter().find(|key| key.key_id() == Some(named)),
            None if policy.is_key_id_required => return Err(AssertionRefusal::Missing("kid")),
            None => {
                let mut fitting =
                    client.keys.iter().filter(|key| key.algorithm() == header.algorithm);
                fitting.next().filter(|_| fitting.next().is_none())
            }
        }
        .ok_or(AssertionRefusal::UnknownKey)?;
        if key.algorithm() == header.algorithm {
            Ok(key)
        } else {
            Err(AssertionRefusal::WrongAlgorithm)
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
        let mut claims = JsonObject::clone(self.0.unverified_claims());
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
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::grant::tests::client;

    const NOW: u64 = 1_700_000_000;

    fn policy() -> AssertionPolicy {
        AssertionPolicy {
            audience: "https://issuer.example".parse().unwrap(),
            token_endpoint: Some("https://issuer.example/oauth2/token".into()),
            clock_skew: Duration::ZERO,
            max_lifetime: Duration::from_hours(24),
            is_key_id_required: true,
        }
    }

    fn good() -> Value {
        json!({
            "iss": "billing", "sub": "billing", "aud": "https://issuer.example",
            "jti": "1", "iat": NOW - 10, "exp": NOW + 3_600,
        })
    }

    fn assertion(header: &Value, claims: &Value) -> Result<ClientAssertion, AssertionRefusal> {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        let (header, claims) = (part(&header.to_string()), part(&claims.to_string()));
        ClientAssertion::parse(&format!("{header}.{claims}.{}", part("s")))
    }

    fn check_with(
        claims: &Value,
        policy: &AssertionPolicy,
    ) -> Result<VerifiedAssertion, AssertionRefusal> {
        let now = Timestamp::from_unix_seconds(NOW);
        assertion(&json!({"alg": "RS256"}), claims)?.check(&client(), policy, now)
    }

    fn check(change: &Value) -> Result<VerifiedAssertion, AssertionRefusal> {
        let mut claims = good();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        check_with(&claims, &policy())
    }

    #[test]
    fn real_clients_pass() {
        check(&json!({})).unwrap();
        check(&json!({"aud": ["https://issuer.example"], "exp": NOW + 300, "iat": NOW})).unwrap();
        let verified = check(&json!({"nbf": NOW, "requested_audiences": ["a"], "x": 1})).unwrap();

        assert_eq!(verified.requested_audiences, ["a".parse().unwrap()]);
        assert_eq!(verified.custom_claims, *json!({"x": 1}).as_object().unwrap());
        assert_eq!(verified.remember_until, Timestamp::from_unix_seconds(NOW + 3_600));
    }

    /// Only where an operator said so, and never both at once (threat T17).
    #[test]
    fn t17_the_token_endpoint_is_an_audience_for_older_clients_alone() {
        let mut claims = good();
        claims["aud"] = json!("https://issuer.example/oauth2/token");
        let now = Timestamp::from_unix_seconds(NOW);
        let older = |policy: &AssertionPolicy, claims: &Value| {
            let mut client = client();
            client.settings.assertion_audience = AssertionAudience::IssuerOrTokenEndpoint;
            assertion(&json!({"alg": "RS256"}), claims)?.check(&client, policy, now)
        };

        assert!(matches!(check_with(&claims, &policy()), Err(AssertionRefusal::WrongAudience(_))));
        older(&policy(), &claims).unwrap();
        older(&policy(), &good()).unwrap();
        let nowhere = AssertionPolicy { token_endpoint: None, ..policy() };
        assert!(older(&nowhere, &claims).is_err());
        for bad in [
            json!(["https://issuer.example", "https://issuer.example/oauth2/token"]),
            json!("https://issuer.example/oauth2/token/"),
            json!("https://issuer.example/oauth2"),
            json!(null),
        ] {
            claims["aud"] = bad.clone();
            assert!(older(&policy(), &claims).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_claim_is_demanded() {
        for name in ["iss", "sub", "aud", "jti", "iat", "exp"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(check_with(&claims, &policy()), Err(AssertionRefusal::Missing(name)));
        }
    }

    #[test]
    fn t08_claims_of_a_wrong_type_are_refused_never_skipped() {
        for name in ["exp", "iat", "nbf"] {
            for value in [
                json!("1700000000"),
                json!(1_700_000_000.5),
                json!(1.7e9),
                json!(1e308),
                json!(-1),
                json!(u64::MAX),
                json!([NOW]),
                json!(null),
                json!(true),
            ] {
                assert_eq!(
                    check(&json!({name: value})),
                    Err(AssertionRefusal::WrongClaimType(name)),
                    "{name} {value}"
                );
            }
        }
        for (name, value) in [
            ("jti", json!(7)),
            ("jti", json!("")),
            ("iss", json!(["billing"])),
            ("aud", json!({})),
            ("requested_audiences", json!("a")),
            ("requested_audiences", json!([7])),
            ("requested_audiences", json!(null)),
        ] {
            let refused = check(&json!({name: value}));
            assert_eq!(refused, Err(AssertionRefusal::WrongClaimType(name)), "{name} {value}");
        }
    }

    #[test]
    fn t17_only_our_issuer_alone_is_the_audience() {
        for aud in [
            json!("https://issuer.example/"),
            json!("https://issuer.example/oauth/token"),
            json!(["https://issuer.example", "https://other.example"]),
            json!(["https://issuer.example", "https://issuer.example"]),
            json!([]),
            json!([["https://issuer.example"]]),
        ] {
            let refused = check(&json!({"aud": aud})).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "aud of client_assertion must be exactly https://issuer.example"
            );
        }
    }

    #[test]
    fn t19_assertions_that_live_too_long_are_refused() {
        assert!(check(&json!({"exp": NOW + 86_400})).is_ok());
        let refused = check(&json!({"exp": NOW + 86_401}));
        assert!(matches!(refused, Err(AssertionRefusal::LivesTooLong(_))));
        let refused = check(&json!({"exp": i64::MAX}));
        assert!(matches!(refused, Err(AssertionRefusal::LivesTooLong(_))));
    }

    #[test]
    fn times_are_checked_and_widened_by_the_skew() {
        assert_eq!(check(&json!({"exp": NOW})), Err(AssertionRefusal::Expired));
        assert_eq!(check(&json!({"iat": NOW + 1})), Err(AssertionRefusal::NotYetValid));
        assert_eq!(check(&json!({"nbf": NOW + 1})), Err(AssertionRefusal::NotYetValid));
        let lenient = AssertionPolicy { clock_skew: Duration::from_secs(5), ..policy() };
        for (name, value) in [("exp", NOW - 4), ("iat", NOW + 5), ("nbf", NOW + 5)] {
            let mut claims = good();
            claims["iat"] = json!(NOW - 10);
            claims[name] = json!(value);
            assert!(check_with(&claims, &lenient).is_ok(), "{name}");
        }
    }

    #[test]
    fn t36_reserved_claims_are_refused() {
        for name in ["permissions", "scope", "client_id", "cnf", "act"] {
            assert_eq!(check(&json!({name: "x"})), Err(AssertionRefusal::ReservedClaim));
        }
    }

    #[test]
    fn t15_other_kinds_of_tokens_are_no_assertions() {
        for typ in ["at+jwt", "dpop+jwt", "token-introspection+jwt", "secevent+jwt"] {
            let refused = assertion(&json!({"alg": "RS256", "typ": typ}), &good()).unwrap_err();
            assert_eq!(refused, AssertionRefusal::WrongType, "{typ}");
        }
        for typ in ["JWT", "jwt", "client-authentication+jwt"] {
            assert!(assertion(&json!({"alg": "RS256", "typ": typ}), &good()).is_ok());
        }
    }

    #[test]
    fn somebody_elses_assertion_is_refused() {
        assert_eq!(check(&json!({"iss": "other"})), Err(AssertionRefusal::WrongSubject));
        assert_eq!(check(&json!({"sub": "Billing"})), Err(AssertionRefusal::WrongSubject));
    }
}
