//! `GET /tokeninfo`: what a token says, as long as it is worth something.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::jwt::{GRANT, OTHER_RSA, Pair, RSA, fresh, jws_with, now};
use crate::support::{Answer, Options, Server, claims, header};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

/// A server that signs with a key the test has too.
fn with_our_key(options: Options) -> (TempDir, Server) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, RSA.pem()).unwrap();
    let server = Server::start_with(
        options
            .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "ours"),
    );
    (directory, server)
}

fn good(server: &Server) -> Value {
    json!({
        "iss": server.url, "sub": "somebody", "jti": fresh(),
        "iat": now() - 1, "exp": now() + 60, "permissions": ["a"],
    })
}

fn good_with(server: &Server, change: &Value) -> Value {
    let mut claims = good(server);
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn the_claims_are_told_as_they_were_signed() {
    let server = Server::start_with(quick());
    let client = server
        .create_client(json!({"permissions": ["a", "b"], "audience": ["x"], "scope": "read"}))
        .await;
    let form = [GRANT, ("audience", "x"), ("scope", "read")];
    let token = server.token(&client.basic(), &form).await.text_at("/access_token");

    let answer = server.tokeninfo(&token).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), claims(&token));
    assert_eq!(answer.json()["sub"], client.id);
    assert_eq!(answer.json()["permissions"], json!(["a", "b"]));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_token_is_brought_in_the_header_in_any_case_and_nowhere_else() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;
    let get = |path: &str| server.http.get(server.at(path));

    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "] {
        let value = format!("{scheme} {token}");
        let answer = Answer::to(get("/tokeninfo").header("authorization", value)).await;
        assert_eq!(answer.status, 200, "{scheme}: {answer:?}");
    }
    for path in [format!("/tokeninfo?access_token={token}"), format!("/tokeninfo?token={token}")] {
        let answer = Answer::to(get(&path)).await;
        answer.assert_error(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="tokenwright""#);
    }
    let in_the_body = get("/tokeninfo").form(&[("access_token", &token)]);
    Answer::to(in_the_body).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn a_header_that_is_no_bearer_token_is_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;

    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Bearer{token}"),
        format!("Bearer:{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},"),
        format!("Token {token}"),
        format!("JWT {token}"),
        client.basic(),
        "Bearer nonsense".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer ..".to_owned(),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {}", &token[1..]),
        format!("Bearer {token}A"),
        format!("Bearer {}", token.to_uppercase()),
    ] {
        let request = server.http.get(server.at("/tokeninfo")).header("authorization", &value);
        let answer = Answer::to(request).await;

        assert_eq!(answer.outcome(), "401 invalid_token", "{value:?}: {answer:?}");
        answer.assert_error(401, "invalid_token");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer:?}");
    }
    let twice = server.http.get(server.at("/tokeninfo")).bearer_auth(&token).bearer_auth(&token);
    Answer::to(twice).await.assert_error(401, "invalid_token");
    let missing = server.get("/tokeninfo").await;
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="tokenwright""#);
    let wrong = server.tokeninfo("a.b.c").await;
    assert_eq!(
        wrong.header("www-authenticate"),
        r#"Bearer realm="tokenwright", error="invalid_token""#
    );
}

#[tokio::test]
async fn what_another_key_signed_with_our_kid_is_refused() {
    let server = Server::start();
    let client = server.register().await;
    let token = server.token_of(&client).await;
    let (head, payload) = (header(&token), claims(&token));
    let mut widened = payload.clone();
    widened["permissions"] = json!(["admin"]);

    let forged = OTHER_RSA.jws(&head.to_string(), &payload.to_string());
    let signature = token.rsplit('.').next().unwrap();
    let swapped = jws_with(head.to_string(), widened.to_string(), |_| Vec::new()) + signature;
    let stripped = jws_with(head.to_string(), payload.to_string(), |_| Vec::new());

    for token in [forged, swapped, stripped] {
        server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    }
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn any_token_of_a_published_key_is_told_also_without_jti() {
    let (_directory, server) = with_our_key(Options::default());

    for change in [
        json!({}),
        json!({"sub": "a subject of another service: 密码"}),
        json!({"aud": "orders"}),
        json!({"aud": ["orders"]}),
        json!({"nbf": now() - 5}),
        json!({"custom": {"of": [1, null, 2.5]}}),
    ] {
        let mut claims = good_with(&server, &change);
        let answer = server.tokeninfo(&RSA.jwt("ours", &claims)).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, claims.clone()));
        claims.as_object_mut().unwrap().remove("jti");
        let answer = server.tokeninfo(&RSA.jwt("ours", &claims)).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, claims));
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let head = json!({"alg": "RS256", "kid": "ours", "typ": typ}).to_string();
        let token = RSA.jws(&head, &good(&server).to_string());
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{typ}");
    }
    let without_typ = json!({"alg": "RS256", "kid": "ours"}).to_string();
    let token = RSA.jws(&without_typ, &good(&server).to_string());
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn a_token_without_kid_or_with_another_is_invalid() {
    let (_directory, server) = with_our_key(Options::default());
    let payload = good(&server).to_string();

    for head in [
        json!({"alg": "RS256", "typ": "JWT"}),
        json!({"alg": "RS256", "typ": "JWT", "kid": ""}),
        json!({"alg": "RS256", "typ": "JWT", "kid": null}),
        json!({"alg": "RS256", "typ": "JWT", "kid": ["ours"]}),
        json!({"alg": "RS256", "typ": "JWT", "kid": "other"}),
        json!({"alg": "RS256", "typ": "JWT", "kid": "Ours"}),
        json!({"alg": "RS256", "typ": "JWT", "kid": "ours "}),
        json!({"alg": "RS256", "typ": "JWT", "kid": "k".repeat(10_000)}),
    ] {
        let answer = server.tokeninfo(&RSA.jws(&head.to_string(), &payload)).await;
        assert_eq!(answer.outcome(), "401 invalid_token", "{head}");
    }
    let pss = RSA.pss().jwt("ours", &good(&server));
    server.tokeninfo(&pss).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn a_token_that_is_over_or_of_another_issuer_is_refused() {
    let (_directory, server) = with_our_key(Options::default().with("CLOCK_SKEW_SECONDS", "60"));
    let with = |change: Value| good_with(&server, &change);
    let without = |name: &str| {
        let mut claims = good(&server);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };

    for claims in [
        // The skew is for assertions only.
        with(json!({"exp": now() - 1})),
        with(json!({"exp": now()})),
        with(json!({"exp": 0})),
        with(json!({"nbf": now() + 30})),
        with(json!({"iss": "https://other.example"})),
        with(json!({"iss": format!("{}/", server.url)})),
        with(json!({"iss": [server.url]})),
        with(json!({"iss": null})),
        with(json!({"exp": "9999999999"})),
        with(json!({"exp": 9_999_999_999.5})),
        with(json!({"exp": 1e308})),
        with(json!({"exp": -1})),
        with(json!({"exp": u64::MAX})),
        with(json!({"exp": null})),
        with(json!({"exp": [now() + 60]})),
        with(json!({"nbf": "0"})),
        with(json!({"iat": "0"})),
        with(json!({"jti": 7})),
        with(json!({"sub": 7})),
        with(json!({"scope": ["a"]})),
        without("iss"),
        without("exp"),
    ] {
        let answer = server.tokeninfo(&RSA.jwt("ours", &claims)).await;
        assert_eq!(answer.outcome(), "401 invalid_token", "{claims}");
    }
    let head = json!({"alg": "RS256", "kid": "ours"}).to_string();
    for payload in ["[]", "null", "{}", "\"a\""] {
        let answer = server.tokeninfo(&RSA.jws(&head, payload)).await;
        assert_eq!(answer.outcome(), "401 invalid_token", "{payload}");
    }
}

#[tokio::test]
async fn a_token_expires_by_itself() {
    let server = Server::start_with(quick().with("MIA_JWT_EXPIRES_IN", "2"));
    let client = server.register().await;
    let token = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);

    tokio::time::sleep(Duration::from_millis(2_500)).await;

    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn one_of_the_accepted_audiences_must_match_where_both_sides_name_any() {
    let (_directory, server) =
        with_our_key(Options::default().with("ACCEPTED_AUDIENCES", "orders,stock"));
    let (_other_directory, open) = with_our_key(Options::default());

    for (aud, is_accepted) in [
        (json!("orders"), true),
        (json!(["stock"]), true),
        (json!(["other", "stock"]), true),
        (json!("other"), false),
        (json!(["other"]), false),
        (json!("Orders"), false),
        (json!("orders,stock"), false),
        (json!(["orders stock"]), false),
        (json!([["orders"]]), false),
        (json!({"orders": 1}), false),
        (json!(7), false),
    ] {
        let token = RSA.jwt("ours", &good_with(&server, &json!({"aud": aud})));
        let answer = server.tokeninfo(&token).await;
        assert_eq!(answer.status.as_u16(), if is_accepted { 200 } else { 401 }, "{aud}");
        let token = RSA.jwt("ours", &good_with(&open, &json!({"aud": aud})));
        assert_eq!(open.tokeninfo(&token).await.status, 200, "{aud}");
    }
    let without = RSA.jwt("ours", &good(&server));
    assert_eq!(server.tokeninfo(&without).await.status, 200);
}

#[tokio::test]
async fn tokens_issued_for_an_accepted_audience_pass() {
    let server = Server::start_with(quick().with("ACCEPTED_AUDIENCES", "orders"));
    let client = server.create_client(json!({"audience": ["orders", "stock"]})).await;

    for (audience, status) in [("orders", 200), ("stock", 401), ("stock orders", 200), ("", 200)] {
        let answer = server.token(&client.basic(), &[GRANT, ("audience", audience)]).await;
        let info = server.tokeninfo(&answer.text_at("/access_token")).await;
        assert_eq!(info.status, status, "{audience}");
    }
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_published_key() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;
    let (kid, payload) = (header(&token)["kid"].clone(), claims(&token).to_string());

    for pair in Pair::of_each_kind() {
        for alg in ["RS256", "PS256", "ES256", "EdDSA", "HS256", "none"] {
            let head = json!({"alg": alg, "kid": kid, "typ": "JWT"}).to_string();
            let answer = server.tokeninfo(&pair.jws(&head, &payload)).await;
            assert_eq!(answer.outcome(), "401 invalid_token", "{alg} by {}", pair.algorithm);
        }
    }
}

#[tokio::test]
async fn t34_a_token_dies_with_its_client() {
    let server = Server::start_with(quick());
    let (disabled, deleted) = (server.register().await, server.register().await);
    let tokens = [server.token_of(&disabled).await, server.token_of(&deleted).await];
    for token in &tokens {
        assert_eq!(server.tokeninfo(token).await.status, 200);
    }

    let path = format!("/clients/{}/disable", disabled.id);
    assert_eq!(Answer::to(server.manage("POST", &path)).await.status, 200);
    let path = format!("/clients/{}", deleted.id);
    assert_eq!(Answer::to(server.manage("DELETE", &path)).await.status, 204);

    for token in &tokens {
        server.tokeninfo(token).await.assert_error(401, "invalid_token");
    }
}
