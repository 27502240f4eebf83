//! Whether an assertion is good.

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
        tells_who_is_known: false,
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

fn keys(jwks: &[Value]) -> Vec<PublicJwk> {
    jwks.iter().map(|it| PublicJwk::parse(it.as_object().unwrap()).unwrap()).collect()
}

fn key_for(header: &Value, keys: &[PublicJwk]) -> Result<PublicJwk, AssertionRefusal> {
    let policy = AssertionPolicy { is_key_id_required: false, ..policy() };
    let ClientAssertion::Signed(jws) = assertion(header, &good())? else {
        panic!("not signed");
    };
    signing_key(&jws, keys, &policy).cloned()
}

#[test]
fn t03_the_key_is_the_one_that_kid_and_alg_name() {
    let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let keys = keys(&[
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": "one"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "one"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "two"}),
    ]);

    let shared = key_for(&json!({"alg": "EdDSA", "kid": "one"}), &keys).unwrap();
    assert_eq!(shared, keys[1], "two kinds of keys may share a name");
    assert_eq!(key_for(&json!({"alg": "ES256"}), &keys).unwrap(), keys[0], "the only one");
    for (header, refusal) in [
        (json!({"alg": "EdDSA"}), AssertionRefusal::UnknownKey),
        (json!({"alg": "RS256"}), AssertionRefusal::UnknownKey),
        (json!({"alg": "RS256", "kid": "one"}), AssertionRefusal::WrongAlgorithm),
        (json!({"alg": "EdDSA", "kid": "three"}), AssertionRefusal::UnknownKey),
    ] {
        assert_eq!(key_for(&header, &keys), Err(refusal), "{header}");
    }
}

#[test]
fn t02_a_mac_is_read_as_one_and_no_longer_sibling_of_it_is_read_at_all() {
    let mac = assertion(&json!({"alg": "HS256", "kid": "any"}), &good()).unwrap();
    assert!(matches!(mac, ClientAssertion::Mac(_)));
    assert_eq!(mac.claimed_subject(), Some("billing".parse().unwrap()));
    for alg in ["HS384", "HS512", "none", "RS512"] {
        let refused = assertion(&json!({"alg": alg}), &good()).unwrap_err();
        assert_eq!(refused, AssertionRefusal::UnknownAlgorithm, "{alg}");
    }
    let other = assertion(&json!({"alg": "HS256", "typ": "at+jwt"}), &good()).unwrap_err();
    assert_eq!(other, AssertionRefusal::WrongType);
}
