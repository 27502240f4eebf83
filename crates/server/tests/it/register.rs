//! `POST /register`: anybody makes a client, and gives it nothing it should not have.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::jwt::{KeyClient, Pair, RSA, b64, now};
use crate::support::{Answer, Client, Options, Server, claims};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

fn members(answer: &Answer) -> Vec<String> {
    let mut names: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

fn is_letters(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

async fn post(server: &Server, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let mut request = server.http.post(server.at("/register")).body(body);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    Answer::to(request).await
}

#[tokio::test]
async fn a_client_with_a_secret_is_told_it_once_and_exactly() {
    let server = Server::start_with(quick());

    for body in [
        json!({"client_name": "a"}),
        json!({"client_name": "a", "token_endpoint_auth_method": "client_secret_basic"}),
        json!({"client_name": "a", "token_endpoint_auth_method": "client_secret_post"}),
        json!({"client_name": "a", "public_key": {}}),
        json!({"client_name": "caffè ☕", "grant_types": ["client_credentials"]}),
        json!({"client_name": "a", "response_types": [], "software_id": "x", "contacts": ["y"]}),
        json!({"client_name": "a", "something_nobody_knows": {"deep": [1]}}),
    ] {
        let before = now();
        let answer = server.post_json("/register", &body).await;

        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        assert_eq!(
            members(&answer),
            ["client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"]
        );
        assert!(is_letters(&answer.text_at("/client_id"), 32), "{answer:?}");
        assert!(is_letters(&answer.text_at("/client_secret"), 48), "{answer:?}");
        assert_eq!(answer.json()["client_secret_expires_at"], 0);
        let issued = answer.json()["client_id_issued_at"].as_i64().unwrap();
        assert!((before..=now()).contains(&issued), "{issued}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        let client =
            Client { id: answer.text_at("/client_id"), secret: answer.text_at("/client_secret") };
        server.token_of(&client).await;
    }
}

#[tokio::test]
async fn a_client_with_a_key_is_told_no_secret() {
    let server = Server::start_with(quick());

    for member in [
        ("public_key", RSA.jwk(KeyClient::KID)),
        ("jwks", json!({"keys": [RSA.jwk(KeyClient::KID)]})),
    ] {
        let body = json!({
            "client_name": "a",
            "token_endpoint_auth_method": "private_key_jwt",
            member.0: member.1,
        });
        let answer = server.post_json("/register", &body).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(members(&answer), ["client_id", "client_id_issued_at"]);
        let id = answer.text_at("/client_id");
        assert!(is_letters(&id, 32), "{id}");
        let client = KeyClient { id, pair: RSA.clone(), issuer: server.url.clone() };
        client.assert_welcome(&server).await;
    }
}

#[tokio::test]
async fn no_two_clients_are_alike() {
    let server = Server::start_with(quick().with("TOKENWRIGHT__HASHING__QUEUE", "1000"));

    let made = (0..100).map(|_| server.register());
    let made = futures_util::future::join_all(made).await;

    let ids: HashSet<_> = made.iter().map(|it| &it.id).collect();
    let secrets: HashSet<_> = made.iter().map(|it| &it.secret).collect();
    assert_eq!((ids.len(), secrets.len()), (100, 100));
}

#[tokio::test]
async fn the_public_sets_nothing_that_widens() {
    let server = Server::start_with(quick());

    for (member, value) in [
        ("permissions", json!(["admin"])),
        ("permissions", json!([])),
        ("audience", json!(["orders"])),
        ("allowedCustomClaims", json!(["tenant"])),
        ("metadata", json!({"a": 1})),
        ("__STATE__", json!("PUBLIC")),
        ("__STATE__", json!("DRAFT")),
        ("capabilities", json!(["client_credentials"])),
        ("scope", json!("clients:write")),
        ("permissions", json!(null)),
    ] {
        let body = json!({"client_name": "greedy", member: value});
        let answer = server.post_json("/register", &body).await;

        answer.assert_error(400, "invalid_client_metadata");
        assert!(answer.text.contains(member), "{answer:?}");
    }
    // What is ignored is not taken for something else.
    let body = json!({
        "client_name": "greedy", "client_id": "chosen", "client_secret": "chosen",
        "Permissions": ["admin"], "permission": ["admin"], "scopes": "clients:write",
        "client_secret_expires_at": 1, "id": "chosen", "state": "PUBLIC", "revision": 7,
    });
    let answer = server.post_json("/register", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let client =
        Client { id: answer.text_at("/client_id"), secret: answer.text_at("/client_secret") };
    assert!(is_letters(&client.id, 32) && is_letters(&client.secret, 48), "{client:?}");
    assert_eq!(answer.json()["client_secret_expires_at"], 0);
    assert_eq!(claims(&server.token_of(&client).await)["permissions"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_client_is_said_by_name() {
    let server = Server::start_with(quick());
    let key = |change: Value| {
        let mut jwk = RSA.jwk("k");
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let mut without_kid = RSA.jwk("k");
    without_kid.as_object_mut().unwrap().remove("kid");
    let pkjwt = "private_key_jwt";

    for (member, body) in [
        ("client_name", json!({})),
        ("client_name", json!({"client_name": null})),
        ("client_name", json!({"client_name": ""})),
        ("client_name", json!({"client_name": 7})),
        ("client_name", json!({"client_name": ["a"]})),
        ("client_name", json!({"client_name": "a\u{0}b"})),
        ("client_name", json!({"client_name": "a\nb"})),
        ("client_name", json!({"client_name": "a".repeat(256)})),
        ("token_endpoint_auth_method", json!({"token_endpoint_auth_method": "none"})),
        ("token_endpoint_auth_method", json!({"token_endpoint_auth_method": "tls_client_auth"})),
        ("token_endpoint_auth_method", json!({"token_endpoint_auth_method": ""})),
        ("token_endpoint_auth_method", json!({"token_endpoint_auth_method": 7})),
        ("public_key", json!({"token_endpoint_auth_method": pkjwt})),
        ("public_key", json!({"token_endpoint_auth_method": pkjwt, "public_key": {}})),
        ("public_key", json!({"token_endpoint_auth_method": pkjwt, "public_key": null})),
        ("public_key", json!({"token_endpoint_auth_method": pkjwt, "public_key": "a"})),
        (
            "public_key",
            json!({"token_endpoint_auth_method": pkjwt, "public_key": [key(json!({}))]}),
        ),
        ("public_key", json!({"token_endpoint_auth_method": pkjwt, "public_key": without_kid})),
        ("public_key", json!({"public_key": key(json!({}))})),
        ("public_key", pkjwt_with(&key(json!({"kty": 7})))),
        ("public_key", pkjwt_with(&key(json!({"kid": 7})))),
        ("public_key", pkjwt_with(&key(json!({"kid": ""})))),
        ("public_key", pkjwt_with(&key(json!({"use": "enc"})))),
        ("public_key", pkjwt_with(&key(json!({"use": null})))),
        ("public_key", pkjwt_with(&key(json!({"key_ops": ["encrypt"]})))),
        ("public_key", pkjwt_with(&key(json!({"alg": "RS512"})))),
        ("public_key", pkjwt_with(&key(json!({"alg": null})))),
        ("public_key", pkjwt_with(&key(json!({"n": null})))),
        ("public_key", pkjwt_with(&key(json!({"n": "not base64!"})))),
        ("public_key", pkjwt_with(&key(json!({"e": "AQAB="})))),
        ("public_key", pkjwt_with(&key(json!({"d": b64([1; 32])})))),
        ("public_key", pkjwt_with(&key(json!({"p": "AA"})))),
        ("public_key", pkjwt_with(&key(json!({"k": "AA"})))),
        ("jwks", json!({"token_endpoint_auth_method": pkjwt, "jwks": []})),
        ("jwks", json!({"token_endpoint_auth_method": pkjwt, "jwks": {"keys": "a"}})),
        (
            "jwks",
            json!({
                "token_endpoint_auth_method": pkjwt,
                "jwks": {"keys": [RSA.jwk("same"), Pair::rsa(2_048).jwk("same")]},
            }),
        ),
        (
            "jwks",
            json!({
                "token_endpoint_auth_method": pkjwt,
                "jwks": {"keys": [RSA.jwk("a")]}, "public_key": RSA.jwk("a"),
            }),
        ),
        (
            "jwks_uri",
            json!({"token_endpoint_auth_method": pkjwt, "jwks_uri": "http://169.254.169.254"}),
        ),
        ("grant_types", json!({"grant_types": ["authorization_code"]})),
        ("grant_types", json!({"grant_types": "client_credentials"})),
        ("response_types", json!({"response_types": ["code"]})),
        ("software_id", json!({"software_id": 7})),
    ] {
        let mut body = body;
        if member != "client_name" {
            body["client_name"] = json!("a");
        }
        let answer = server.post_json("/register", &body).await;

        assert_eq!(answer.outcome(), "400 invalid_client_metadata", "{body}: {answer:?}");
        answer.assert_error(400, "invalid_client_metadata");
        assert!(answer.text.contains(member), "{body}: {answer:?}");
    }
}

fn pkjwt_with(jwk: &Value) -> Value {
    json!({"token_endpoint_auth_method": "private_key_jwt", "public_key": jwk})
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused() {
    let server = Server::start_with(quick());
    let deep = format!("{{\"client_name\":\"a\",\"x\":{}{}}}", "[".repeat(500), "]".repeat(500));

    for body in [
        "",
        " ",
        "client_name=a",
        "null",
        "[]",
        "[{\"client_name\":\"a\"}]",
        "\"a\"",
        "7",
        "{",
        "{}{}",
        "{\"client_name\":\"a\"}x",
        "{\"client_name\":\"a\",}",
        "{'client_name':'a'}",
        "{client_name:\"a\"}",
        "\u{feff}{\"client_name\":\"a\"}",
        "{\"client_name\":\"a\",\"client_name\":\"b\"}",
        "{\"client_name\":\"a\",\"client_nam\\u0065\":\"b\"}",
        "{\"client_name\":\"a\",\"x\":{\"y\":1,\"y\":1}}",
        "{\"client_name\":\"\\ud800\"}",
        "{\"client_name\":\"a\",\"x\":1e999}",
        &deep,
    ] {
        let answer = post(&server, "application/json", body.to_owned()).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{body}: {answer:?}");
        answer.assert_error(400, "invalid_request");
    }
    let not_utf8 = b"{\"client_name\":\"\xff\"}".to_vec();
    post(&server, "application/json", not_utf8).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn only_plain_json_in_utf_8_is_read() {
    let server = Server::start_with(quick());
    let body = r#"{"client_name":"a"}"#;

    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        let answer = post(&server, content_type, body).await;
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
    for content_type in [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/jsonx",
        "application/json, text/plain",
    ] {
        let answer = post(&server, content_type, body).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{content_type}");
    }
    for encoding in ["gzip", "deflate", "br"] {
        let request = server.http.post(server.at("/register"));
        let request = request.header("content-encoding", encoding).json(&json!({}));
        Answer::to(request).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_registration_that_is_too_large_gets_a_readable_413() {
    let server = Server::start_with(quick());

    for bytes in [300_000, 5_000_000] {
        let body = json!({"client_name": "a", "x": "x".repeat(bytes)});
        let answer = server.post_json("/register", &body).await;
        answer.assert_error(413, "invalid_request");
    }
    server.register().await;
}

#[tokio::test]
async fn registration_behind_a_token_wants_it() {
    let server = Server::start_with(quick().with("TOKENWRIGHT__REGISTRATION__MODE", "token").with(
        "TOKENWRIGHT__REGISTRATION__TOKEN",
        "the initial access token".replace(' ', "-").as_str(),
    ));
    let body = json!({"client_name": "a"});
    let with = async |token: &str| {
        let request = server.http.post(server.at("/register")).bearer_auth(token).json(&body);
        Answer::to(request).await
    };

    let without = server.post_json("/register", &body).await;
    without.assert_error(401, "invalid_token");
    assert_eq!(without.header("www-authenticate"), r#"Bearer realm="tokenwright""#);
    for wrong in
        ["x", "the-initial-access-toke", "the-initial-access-tokenn", "The-Initial-Access-Token"]
    {
        with(wrong).await.assert_error(401, "invalid_token");
    }
    let made = with("the-initial-access-token").await;
    assert_eq!(made.status, 201, "{made:?}");
    // It opens this door only, and nobody becomes an operator by it.
    let greedy = server
        .http
        .post(server.at("/register"))
        .bearer_auth("the-initial-access-token")
        .json(&json!({"client_name": "a", "permissions": ["admin"]}));
    Answer::to(greedy).await.assert_error(400, "invalid_client_metadata");
    let managed = server.http.get(server.at("/clients")).bearer_auth("the-initial-access-token");
    Answer::to(managed).await.assert_error(401, "invalid_token");
    // An access token of ours is no initial access token.
    let client = Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };
    with(&server.token_of(&client).await).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn registration_that_is_off_is_not_there() {
    let server = Server::start_with(quick().with("TOKENWRIGHT__REGISTRATION__MODE", "off"));

    let answer = server.post_json("/register", &json!({"client_name": "a"})).await;
    let discovery = server.get("/.well-known/oauth-authorization-server").await.json();

    answer.assert_error(404, "not_found");
    assert!(discovery.get("registration_endpoint").is_none(), "{discovery}");
    // Operators are not the public.
    server.create_client(json!({})).await;
}

#[tokio::test]
async fn registrations_are_limited_per_address_where_the_operator_says_so() {
    let server =
        Server::start_with(quick().with("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE", "3"));
    let body = json!({"client_name": "a"});

    for _ in 0..3 {
        assert_eq!(server.post_json("/register", &body).await.status, 201);
    }
    let refused = server.post_json("/register", &body).await;

    refused.assert_error(429, "too_many_requests");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // A header never makes another address of it.
    for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let request = server.http.post(server.at("/register")).header(name, "203.0.113.7");
        Answer::to(request.json(&body)).await.assert_error(429, "too_many_requests");
    }
    // Nobody else is held up.
    let client = server.create_client(json!({})).await;
    server.token_of(&client).await;
}

/// Whoever says nothing of it has a limit (protocol.md).
#[tokio::test]
async fn registrations_are_limited_per_address_unless_the_operator_says_otherwise() {
    let server =
        Server::start_with(quick().without("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE"));
    let body = json!({"client_name": "a"});
    let unlimited = Server::start_with(quick());

    let mut made = 0;
    let refused = loop {
        let answer = server.post_json("/register", &body).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
        assert!(made < 1_000, "there is no limit");
    };
    for _ in 0..150 {
        unlimited.register().await;
    }

    refused.assert_error(429, "too_many_requests");
    // Two a second come back while they are made.
    assert!((120..180).contains(&made), "{made}");
}

/// Wrong tokens are counted by themselves: nobody who has the right one is held up by guesses.
#[tokio::test]
async fn t28_guessing_the_initial_access_token_is_limited_and_locks_nobody_out() {
    let token = "an-initial-access-token";
    let options = quick()
        .with("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE", "3")
        .with("TOKENWRIGHT__REGISTRATION__MODE", "token")
        .with("TOKENWRIGHT__REGISTRATION__TOKEN", token);
    let server = Server::start_with(options);
    let with = async |token: &str| {
        let request = server.http.post(server.at("/register")).bearer_auth(token);
        Answer::to(request.json(&json!({"client_name": "a"}))).await
    };

    for _ in 0..3 {
        with("guessed").await.assert_error(401, "invalid_token");
    }

    let refused = with("guessed").await;
    refused.assert_error(429, "too_many_requests");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(with(token).await.status, 201);
}
