//! `POST /oauth/token` with a secret: what is granted, and what is refused.

use std::collections::HashSet;
use std::time::Duration;

use josekit::jws::{ES256, EdDSA, JwsVerifier, PS256, RS256};
use serde_json::{Value, json};

use crate::support::jwt::{GRANT, Pair};
use crate::support::{Answer, Client, MANAGEMENT_TOKEN, Options, Server, basic, claims, header};

/// A server that starts fast, where the algorithm does not matter.
fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_registered_client_gets_a_token_that_tokeninfo_explains() {
    let server = Server::start();
    let client = server.register().await;

    let answer = server.token(&client.basic(), &[GRANT]).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3_600);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    let token = answer.text_at("/access_token");
    let head = header(&token);
    assert_eq!((&head["alg"], &head["typ"]), (&json!("RS256"), &json!("JWT")));
    let said = claims(&token);
    assert_eq!(said["iss"], server.url);
    assert_eq!(said["sub"], client.id);
    assert_eq!(said["permissions"], json!([]));
    assert!(said.get("aud").is_none() && said.get("scope").is_none(), "{said}");
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 3_600);
    let info = server.tokeninfo(&token).await;
    assert_eq!((info.status.as_u16(), info.json()), (200, said));
}

#[tokio::test]
async fn the_access_token_has_exactly_the_vendors_members() {
    let server = Server::start_with(
        Options::default().with("MIA_JWT_ISSUER", "my-issuer").with("MIA_JWT_EXPIRES_IN", "120"),
    );
    let client =
        server.create_client(json!({"permissions": ["api:read", "b"], "audience": ["x"]})).await;

    let answer = server.token(&client.basic(), &[GRANT, ("audience", "x")]).await;

    assert_eq!(answer.json()["expires_in"], 120);
    let token = answer.text_at("/access_token");
    let mut head: Vec<_> = header(&token).as_object().unwrap().keys().cloned().collect();
    head.sort();
    assert_eq!(head, ["alg", "kid", "typ"]);
    let said = claims(&token);
    let mut names: Vec<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "permissions", "sub"]);
    assert_eq!(said["iss"], "my-issuer");
    assert_eq!(said["permissions"], json!(["api:read", "b"]));
    assert_eq!(said["aud"], json!(["x"]));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 120);
    assert!(uuid::Uuid::parse_str(said["jti"].as_str().unwrap()).is_ok(), "{said}");
}

#[tokio::test]
async fn each_algorithm_signs_what_the_published_keys_verify() {
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let server = Server::start_with(
            Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", algorithm),
        );
        let client = server.register().await;

        let token = server.token_of(&client).await;

        let kid = header(&token)["kid"].clone();
        assert_eq!(header(&token)["alg"], algorithm);
        let jwks = server.get("/.well-known/jwks.json").await.json();
        let keys = jwks["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kid"] == kid).unwrap();
        assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm), &json!("sig")));
        let jwk = josekit::jwk::Jwk::from_map(key.as_object().unwrap().clone()).unwrap();
        let verifier: Box<dyn JwsVerifier> = match algorithm {
            "RS256" => Box::new(RS256.verifier_from_jwk(&jwk).unwrap()),
            "PS256" => Box::new(PS256.verifier_from_jwk(&jwk).unwrap()),
            "ES256" => Box::new(ES256.verifier_from_jwk(&jwk).unwrap()),
            _ => Box::new(EdDSA.verifier_from_jwk(&jwk).unwrap()),
        };
        let (payload, _) = josekit::jwt::decode_with_verifier(&token, &*verifier).unwrap();
        assert_eq!(payload.subject(), Some(client.id.as_str()));
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{algorithm}");
    }
}

#[tokio::test]
async fn a_scope_is_granted_as_asked_and_told_only_when_asked() {
    let server = Server::start_with(quick());
    let client = server.create_client(json!({"scope": "read write admin"})).await;

    for (asked, granted) in [("read", "read"), ("write read", "read write"), ("read read", "read")]
    {
        let answer = server.token(&client.basic(), &[GRANT, ("scope", asked)]).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["scope"], granted);
        assert_eq!(claims(&answer.text_at("/access_token"))["scope"], granted);
    }
    for form in [&[GRANT][..], &[GRANT, ("scope", "")]] {
        let answer = server.token(&client.basic(), form).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json().get("scope").is_none());
        assert!(claims(&answer.text_at("/access_token")).get("scope").is_none());
    }
}

#[tokio::test]
async fn a_scope_beyond_the_registered_one_is_refused_whole() {
    let server = Server::start_with(quick());
    let client = server.create_client(json!({"scope": "read"})).await;
    let nobody = server.register().await;

    for (client, scope) in
        [(&client, "read write"), (&client, "write"), (&client, "Read"), (&nobody, "read")]
    {
        let answer = server.token(&client.basic(), &[GRANT, ("scope", scope)]).await;

        answer.assert_error(400, "invalid_scope");
    }
}

#[tokio::test]
async fn t30_a_scope_bomb_is_refused() {
    let server = Server::start_with(quick());
    let client = server.create_client(json!({"scope": "read"})).await;

    for scope in [
        vec!["read"; 300].join(" "),
        (0..5_000).map(|it| it.to_string()).collect::<Vec<_>>().join(" "),
        "re\"ad".to_owned(),
        "re\\ad".to_owned(),
        "rèad".to_owned(),
        "read\u{a0}read".to_owned(),
        "read\twrite".to_owned(),
        " read".to_owned(),
        "read ".to_owned(),
        "read  read".to_owned(),
        "read\0".to_owned(),
        "r".repeat(50_000),
    ] {
        let answer = server.token(&client.basic(), &[GRANT, ("scope", &scope)]).await;

        answer.assert_error(400, "invalid_scope");
        assert!(answer.text.len() < 1_000, "the bomb comes back");
    }
    let bomb = vec!["a"; 100_000].join(" ");
    let answer = server.token(&client.basic(), &[GRANT, ("scope", &bomb)]).await;
    answer.assert_error(413, "invalid_request");
    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
}

#[tokio::test]
async fn audiences_may_repeat_be_separated_by_spaces_or_come_as_resources() {
    let server = Server::start_with(quick());
    let api = "https://api.example/v1";
    let client = server.create_client(json!({"audience": ["orders", "stock", api]})).await;

    for (form, expected) in [
        (vec![("audience", "orders")], vec!["orders"]),
        (vec![("audience", "orders stock")], vec!["orders", "stock"]),
        (vec![("audience", "orders"), ("audience", "stock")], vec!["orders", "stock"]),
        (vec![("audience", "orders"), ("audience", "orders  stock")], vec!["orders", "stock"]),
        (vec![("resource", api)], vec![api]),
        (vec![("audience", "orders"), ("resource", api)], vec!["orders", api]),
        (vec![("resource", api), ("resource", api)], vec![api]),
    ] {
        let answer = server.token(&client.basic(), &[vec![GRANT], form].concat()).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(list(&claims(&answer.text_at("/access_token"))["aud"]), expected);
    }
}

#[tokio::test]
async fn t31_an_audience_that_is_not_registered_is_an_invalid_target() {
    let server = Server::start_with(quick());
    let api = "https://api.example/v1";
    let client = server.create_client(json!({"audience": ["orders", api]})).await;

    for form in [
        ("audience", "stock"),
        ("audience", "orders stock"),
        ("audience", "Orders"),
        ("audience", "orders/"),
        ("audience", "orders,stock"),
        ("audience", "örders"),
        ("audience", "*"),
        ("resource", "https://api.example/v1/"),
        ("resource", "https://api.example/v1#x"),
        ("resource", "https://api.example/v1?x"),
        ("resource", "HTTPS://API.example/v1"),
        ("resource", "https://api.example/%761"),
        ("resource", "https://api.example/a/../v1"),
        ("resource", "/v1"),
        // What is no absolute URI is no resource, whatever is registered.
        ("resource", "orders"),
    ] {
        let answer = server.token(&client.basic(), &[GRANT, form]).await;

        assert_eq!(answer.outcome(), "400 invalid_target", "{form:?}");
        answer.assert_error(400, "invalid_target");
    }
}

#[tokio::test]
async fn an_audience_is_required_where_the_operator_says_so() {
    let server = Server::start_with(quick().with("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "true"));
    let client = server.create_client(json!({"audience": ["orders"]})).await;

    for form in [&[GRANT][..], &[GRANT, ("audience", "")], &[GRANT, ("audience", " ")]] {
        server.token(&client.basic(), form).await.assert_error(400, "invalid_request");
    }
    let answer = server.token(&client.basic(), &[GRANT, ("audience", "orders")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Who asks is answered first: nothing is told to strangers.
    let answer = server.token(&basic(&client.id, "wrong"), &[GRANT]).await;
    answer.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn another_grant_is_unsupported_and_none_is_invalid() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    for grant in [
        "authorization_code",
        "password",
        "refresh_token",
        "Client_Credentials",
        "client_credentials ",
        "client_credentials\0",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let answer = server.token(&client.basic(), &[("grant_type", grant)]).await;
        answer.assert_error(400, "unsupported_grant_type");
    }
    for form in [&[][..], &[("grant_type", "")], &[("Grant_Type", "client_credentials")]] {
        let answer = server.token(&client.basic(), form).await;
        answer.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn t29_a_repeated_parameter_is_refused_even_with_the_same_value() {
    let server = Server::start_with(quick());
    let client = server.create_client(json!({"scope": "read"})).await;
    let id = ("client_id", client.id.as_str());

    for form in [
        &[GRANT, GRANT][..],
        &[GRANT, ("scope", "read"), ("scope", "read")],
        &[GRANT, ("scope", "read"), ("scope", "")],
        &[GRANT, id, id],
        &[GRANT, ("unknown", "1"), ("unknown", "2")],
    ] {
        let answer = server.token(&client.basic(), form).await;
        answer.assert_error(400, "invalid_request");
    }
    let secret = ("client_secret", client.secret.as_str());
    let answer = server.token("", &[GRANT, id, secret, secret]).await;
    answer.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn t32_parameters_nobody_knows_widen_nothing() {
    let server = Server::start_with(quick());
    let client = server.create_client(json!({"scope": "read", "audience": ["orders"]})).await;
    let expected = ["exp", "iat", "iss", "jti", "permissions", "sub"];

    let answer = server
        .token(
            &client.basic(),
            &[
                GRANT,
                ("permissions", "admin"),
                ("permissions[]", "admin"),
                ("scopes", "read"),
                ("Scope", "read"),
                ("aud", "orders"),
                ("audience[]", "orders"),
                ("sub", "other"),
                ("expires_in", "999999"),
                ("claims", r#"{"access_token":{"admin":true}}"#),
                ("requested_audiences", "orders"),
                ("authorization_details", r#"[{"type":"x"}]"#),
                ("token_endpoint_auth_method", "none"),
            ],
        )
        .await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["expires_in"], 3_600);
    assert!(answer.json().get("scope").is_none());
    let said = claims(&answer.text_at("/access_token"));
    let mut names: Vec<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(said["permissions"], json!([]));
    assert_eq!(said["sub"], client.id);
}

#[tokio::test]
async fn t37_no_answer_that_tells_a_secret_or_a_refusal_may_be_stored() {
    let server = Server::start_with(quick());
    let made = server.post_json("/register", &json!({"client_name": "a"})).await;
    let client = Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };

    let issued = server.token(&client.basic(), &[GRANT]).await;
    let info = server.tokeninfo(&issued.text_at("/access_token")).await;
    let refused = server.token(&basic("a", "b"), &[GRANT]).await;
    let unknown = server.get("/nothing").await;

    for answer in [&made, &issued, &info, &refused, &unknown] {
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    }
    assert_eq!(issued.header("pragma"), "no-cache");
}

#[tokio::test]
async fn t37_no_secret_and_no_token_is_printed() {
    let server = Server::start_with(quick().with("LOG_LEVEL", "trace"));
    let client = server.register().await;
    let pair = Pair::ed25519();
    let token = server.token_of(&client).await;
    server.tokeninfo(&token).await;
    let wrong = format!("{}x", client.secret);
    server.token(&basic(&client.id, &wrong), &[GRANT]).await;
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", wrong.as_str()));
    server.token("", &[GRANT, id, secret]).await;
    let assertion = pair.jwt("k", &json!({"sub": client.id}));
    let form = [GRANT, crate::support::jwt::JWT_BEARER, ("client_assertion", assertion.as_str())];
    server.token("", &form).await;
    server.get(&format!("/tokeninfo?access_token={token}")).await;
    server.get(&format!("/nothing?client_secret={}", client.secret)).await;
    server.await_log("request completed");
    tokio::time::sleep(Duration::from_millis(300)).await;

    let printed = server.printed();

    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    assert!(printed.contains("incoming request"));
    for hidden in [
        client.secret.as_str(),
        &client.basic()["Basic ".len()..],
        &signature(&token),
        &signature(&assertion),
        MANAGEMENT_TOKEN,
    ] {
        assert!(!printed.contains(hidden), "{hidden} is in {printed}");
    }
}

#[tokio::test]
async fn t41_no_two_tokens_are_alike() {
    const TOKENS: usize = 600;
    let server = Server::start_with(quick());
    let client = server.register().await;
    server.token_of(&client).await;

    let asked = (0..TOKENS).map(|_| server.token_of(&client));
    let tokens = futures_util::future::join_all(asked).await;

    let ids: HashSet<_> =
        tokens.iter().map(|it| claims(it)["jti"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), TOKENS);
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), TOKENS);
}

/// An answer without what differs by nature: its date and its length.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status.as_u16(), headers, answer.text.clone())
}

#[tokio::test]
async fn t22_whoever_is_refused_learns_nothing_about_the_client() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let disabled = server.register().await;
    let answer = Answer::to(server.manage("POST", &format!("/clients/{}/disable", disabled.id)));
    assert_eq!(answer.await.status, 200);
    let expired = server.register().await;
    let added = Answer::to(
        server
            .manage("POST", &format!("/clients/{}/secrets", expired.id))
            .json(&json!({"expires_in": 1})),
    );
    let added = added.await;
    assert_eq!(added.status, 201, "{added:?}");
    let expired = Client { secret: added.text_at("/client_secret"), ..expired };
    assert_eq!(server.token(&expired.basic(), &[GRANT]).await.status, 200);
    let draft = server.create_client(json!({"__STATE__": "DRAFT"})).await;
    let deleted = server.register().await;
    Answer::to(server.manage("DELETE", &format!("/clients/{}", deleted.id))).await;
    let signing = server.key_client(&crate::support::jwt::RSA).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let expected = server.token(&basic(&client.id, &"x".repeat(48)), &[GRANT]).await;
    expected.assert_error(401, "invalid_client");
    assert_eq!(
        expected.header("www-authenticate"),
        r#"Basic realm="tokenwright", charset="UTF-8""#
    );

    for (what, id, secret) in [
        ("unknown", "nobody", "x"),
        ("an id that cannot be", "no body", "x"),
        ("a wrong secret", &client.id, "wrong"),
        ("an empty secret", &client.id, ""),
        ("the secret in other case", &client.id, &client.secret.to_uppercase()),
        ("the secret cut", &client.id, &client.secret[..47]),
        ("the secret and more", &client.id, &format!("{}a", client.secret)),
        ("the secret and a NUL", &client.id, &format!("{}\0", client.secret)),
        ("another client's secret", &client.id, &disabled.secret),
        ("a long secret", &client.id, &"x".repeat(1_025)),
        ("the id in other case", &client.id.to_lowercase(), &client.secret),
        ("a disabled client", &disabled.id, &disabled.secret),
        ("a draft client", &draft.id, &draft.secret),
        ("a deleted client", &deleted.id, &deleted.secret),
        ("an expired secret", &expired.id, &expired.secret),
        ("a client with a key", &signing.id, "x"),
    ] {
        let by_header = server.token(&basic(id, secret), &[GRANT]).await;

        assert_eq!(comparable(&by_header), comparable(&expected), "{what}");
        if !secret.is_empty() {
            let form = [GRANT, ("client_id", id), ("client_secret", secret)];
            let by_form = server.token("", &form).await;
            assert_eq!(comparable(&by_form), comparable(&expected), "{what}");
        }
    }
    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
}
