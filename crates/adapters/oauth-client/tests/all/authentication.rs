//! How a server is shown who asks, and what is asked.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::ManualClock;
use adapter_oauth_client::{AssertionKey, HmacAlgorithm, OauthClientOptions};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::gateway::{ClientAuthentication, FetchFailure, TokenFetch};
use domain::port::TokenEndpoint as _;
use serde_json::{Value, json};

use crate::bad_server::{BadServer, Reply, Seen, answer, error, token};
use crate::support::{client, client_at, fetch, options};

const BASIC: &str = "Basic aStkOnMlM0ElQzMlQkMlMkI=";

async fn sent(options: OauthClientOptions, change: impl FnOnce(&mut TokenFetch)) -> Seen {
    let server = BadServer::replying(&[token("")]).await;
    let mut fetch = fetch(server.url("/token?tenant=1"));
    change(&mut fetch);
    client(options).fetch(&fetch).await.unwrap();
    server.seen()[0].clone()
}

#[tokio::test]
async fn a_question_holds_what_was_asked_and_nothing_else() {
    let seen = sent(options(), |_| ()).await;
    assert!(seen.head.starts_with("POST /token?tenant=1 HTTP/1.1"));
    assert_eq!(seen.header("accept").as_deref(), Some("application/json"));
    let expected =
        [("grant_type", "client_credentials"), ("client_id", "i d"), ("client_secret", "s:ü+")];
    let owned = |it: &[(&str, &str)]| -> Vec<(String, String)> {
        it.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(seen.form(), owned(&expected));

    let seen = sent(options(), |fetch| {
        fetch.audience = Some("urn:api".into());
        fetch.scopes = vec!["b".into(), "a".into()];
        fetch.arguments = vec![("resource".into(), "x y".into())];
        fetch.headers = vec![("X-Tenant".into(), "7".into())];
    })
    .await;
    assert_eq!(seen.member("scope").as_deref(), Some("b a"));
    assert_eq!(seen.member("audience").as_deref(), Some("urn:api"));
    assert_eq!(seen.member("resource").as_deref(), Some("x y"));
    assert_eq!(seen.header("x-tenant").as_deref(), Some("7"));
}

#[tokio::test]
async fn a_header_holds_both_halves_form_encoded() {
    let seen = sent(options(), |it| it.authentication = ClientAuthentication::Header).await;

    assert_eq!(seen.header("authorization").as_deref(), Some(BASIC));
    assert_eq!(seen.member("client_id"), None);
    assert_eq!(seen.member("client_secret"), None);
}

#[tokio::test]
async fn a_certificate_is_all_that_a_server_is_shown() {
    let seen = sent(options(), |it| it.authentication = ClientAuthentication::Certificate).await;

    assert_eq!(seen.member("client_id").as_deref(), Some("i d"));
    assert_eq!(seen.member("client_secret"), None);
    assert_eq!(seen.header("authorization"), None);
}

struct Assertion {
    input: String,
    signature: Vec<u8>,
    header: Value,
    claims: Value,
}

fn assertion(seen: &Seen) -> Assertion {
    let jws = seen.member("client_assertion").unwrap();
    let (input, signature) = jws.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
    assert_eq!(
        seen.member("client_assertion_type").as_deref(),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    assert_eq!(seen.member("client_secret"), None);
    Assertion {
        input: input.to_owned(),
        signature: decoded(signature),
        header: serde_json::from_slice(&decoded(header)).unwrap(),
        claims: serde_json::from_slice(&decoded(claims)).unwrap(),
    }
}

#[tokio::test]
async fn a_secret_makes_assertions_for_the_issuer() {
    for (algorithm, hmac_algorithm) in [
        (HmacAlgorithm::Hs256, hmac::HMAC_SHA256),
        (HmacAlgorithm::Hs384, hmac::HMAC_SHA384),
        (HmacAlgorithm::Hs512, hmac::HMAC_SHA512),
    ] {
        let options = OauthClientOptions { secret_assertions: algorithm, ..options() };
        let seen = sent(options, |it| {
            it.authentication = ClientAuthentication::SecretJwt;
            it.assertion_audience = Some("https://as".into());
        })
        .await;

        let assertion = assertion(&seen);
        assert_eq!(assertion.header, json!({"alg": algorithm.name(), "typ": "JWT"}));
        assert_eq!(assertion.claims["iss"], "i d");
        assert_eq!(assertion.claims["sub"], "i d");
        assert_eq!(assertion.claims["aud"], "https://as");
        assert_eq!(assertion.claims["exp"].as_u64().unwrap() - 60, assertion.claims["iat"]);
        let key = hmac::Key::new(hmac_algorithm, "s:ü+".as_bytes());
        assert!(hmac::verify(&key, assertion.input.as_bytes(), &assertion.signature).is_ok());
    }
}

#[tokio::test]
async fn a_private_key_makes_a_new_assertion_for_each_try() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let encoded = |it: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(it);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "d": encoded(&[7; 32]),
        "x": encoded(pair.public_key().as_ref())});
    let key = AssertionKey::from_jwk(jwk.as_object().unwrap(), None).unwrap();
    let server = BadServer::replying(&[answer(503, &[], ""), token("")]).await;
    let mut fetch = fetch(server.url("/token"));
    fetch.authentication = ClientAuthentication::PrivateKeyJwt;
    fetch.assertion_audience = Some("https://as".into());

    let options = OauthClientOptions { assertion_key: Some(key), ..options() };
    client(options).fetch(&fetch).await.unwrap();

    let (one, other) = (assertion(&server.seen()[0]), assertion(&server.seen()[1]));
    assert_eq!(one.header, json!({"alg": "EdDSA", "typ": "JWT", "kid": "k1"}));
    assert_ne!(one.claims["jti"], other.claims["jti"]);
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    assert!(public.verify(other.input.as_bytes(), &other.signature).is_ok());
}

#[tokio::test]
async fn an_assertion_without_a_key_is_our_own_fault() {
    let server = BadServer::replying(&[token("")]).await;
    let mut fetch = fetch(server.url("/token"));
    fetch.authentication = ClientAuthentication::PrivateKeyJwt;
    fetch.assertion_audience = Some("https://as".into());

    let failure = client(options()).fetch(&fetch).await.unwrap_err();

    assert!(matches!(failure, FetchFailure::Fault(_)));
    assert!(server.seen().is_empty());
}

/// A server that wants the secret in one place.
async fn picky(wants_header: bool, refusal: fn() -> Reply) -> BadServer {
    BadServer::deciding(None, move |_, seen| {
        let is_right = seen.header("authorization").is_some() == wants_header;
        if is_right { token("") } else { refusal() }
    })
    .await
}

#[tokio::test]
async fn the_way_that_works_is_found_and_remembered_for_an_hour() {
    for refusal in [|| error(400, "invalid_client"), || answer(401, &[], "")] {
        let clock = Arc::new(ManualClock::default());
        let client = client_at(options(), &clock);
        let server = picky(false, refusal).await;
        let mut fetch = fetch(server.url("/token"));
        fetch.authentication = ClientAuthentication::Auto;

        client.fetch(&fetch).await.unwrap();
        assert_eq!(server.seen().len(), 2);
        client.fetch(&fetch).await.unwrap();
        assert_eq!(server.seen().len(), 3);

        clock.advance(Duration::from_hours(1));
        client.fetch(&fetch).await.unwrap();
        assert_eq!(server.seen().len(), 5);
    }
    let client = client(options());
    let server = picky(true, || answer(401, &[], "")).await;
    let mut fetch = fetch(server.url("/token"));
    fetch.authentication = ClientAuthentication::Auto;
    client.fetch(&fetch).await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_other_way_is_not_tried_because_a_server_fails() {
    for reply in [answer(500, &[], ""), error(400, "invalid_scope"), answer(403, &[], "")] {
        let server = BadServer::replying(&[reply]).await;
        let mut fetch = fetch(server.url("/token"));
        fetch.authentication = ClientAuthentication::Auto;
        let options = OauthClientOptions { max_retries: 1, ..options() };

        client(options).fetch(&fetch).await.unwrap_err();

        let seen = server.seen();
        assert!(seen.iter().all(|it| it.header("authorization").is_some()), "{}", seen.len());
    }
}

#[tokio::test]
async fn credentials_that_are_refused_both_ways_teach_nothing() {
    let server = BadServer::replying(&[answer(401, &[], "")]).await;
    let client = client(options());
    let mut fetch = fetch(server.url("/token"));
    fetch.authentication = ClientAuthentication::Auto;

    for calls in [2, 4] {
        let failure = client.fetch(&fetch).await.unwrap_err();
        assert!(matches!(failure, FetchFailure::Refused(_)));
        assert_eq!(server.seen().len(), calls);
    }
}
