//! `/keys`: operators see the signing keys, let them take turns, and revoke them, on every node.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::run;
use crate::support::jwt::RSA;
use crate::support::postgres::Database;
use crate::support::{Answer, Client, Options, Server, header, within};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// How long it takes at most until a node without a feed has heard of a revoked key: the second
/// after which it reads the keys again, and what that takes on a busy machine.
const BOUND: Duration = Duration::from_secs(3);

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

fn quick(options: Options) -> Options {
    options
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("TOKENWRIGHT__TOKENS__ISSUER", "https://tokens.example")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1")
}

async fn list(server: &Server) -> Vec<Value> {
    let answer = Answer::to(server.manage("GET", "/keys")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    answer.json()["keys"].as_array().unwrap().clone()
}

fn states(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["state"].as_str().unwrap()).collect()
}

async fn rotate(server: &Server, body: &Value) -> Answer {
    Answer::to(server.manage("POST", "/keys/rotate").json(body)).await
}

async fn revoke(server: &Server, kid: &str) -> Answer {
    Answer::to(server.manage("DELETE", &format!("/keys/{kid}"))).await
}

#[tokio::test]
async fn t37_keys_are_listed_without_anything_that_signs() {
    let server = Server::start_with(quick(Options::default()));

    let keys = list(&server).await;

    assert_eq!(states(&keys), ["active", "next"]);
    for key in keys {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "created_at", "kid", "retired_at", "state"].into());
    }
}

#[tokio::test]
async fn a_turn_is_refused_before_its_time_and_can_be_forced() {
    let server = Server::start_with(quick(Options::default()));
    let client = server.register().await;
    let next = list(&server).await[1]["kid"].clone();

    let early = rotate(&server, &json!({})).await;
    early.assert_error(409, "conflict");
    assert!(early.text_at("/message").contains("published less than 603 s ago"), "{early:?}");
    assert_eq!(Answer::to(server.manage("POST", "/keys/rotate")).await.status, 409, "no body");
    let forced = rotate(&server, &json!({"force": true})).await;

    assert_eq!(forced.status, 200, "{forced:?}");
    assert_eq!(states(forced.json()["keys"].as_array().unwrap()), ["retired", "active", "next"]);
    assert_eq!(kid(&server.token_of(&client).await), next, "at once, on the node that was asked");
}

#[tokio::test]
async fn what_a_turn_cannot_be_is_named() {
    let server = Server::start_with(quick(Options::default()));
    for (body, named) in [
        (json!({"force": "true"}), "force"),
        (json!({"emergency": 1}), "emergency"),
        (json!({"forced": true}), "forced"),
    ] {
        let refused = rotate(&server, &body).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.text_at("/message").contains(named), "{refused:?}");
    }
    assert_eq!(states(&list(&server).await), ["active", "next"]);
    revoke(&server, "unknown").await.assert_error(404, "not_found");
    revoke(&server, "%20").await.assert_error(404, "not_found");
    for (method, path, allow) in [
        ("POST", "/keys", "GET, HEAD"),
        ("GET", "/keys/rotate", "POST"),
        ("GET", "/keys/x", "DELETE"),
    ] {
        let refused = Answer::to(server.manage(method, path)).await;
        refused.assert_error(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow, "{method} {path}");
    }
}

/// Each right is a scope of its own, and those of clients are none.
#[tokio::test]
async fn only_whoever_may_sees_and_changes_keys() {
    let server = Server::start_with(quick(Options::default()));
    let token_with = async |scope: &str| {
        let client = server.create_client(json!({"scope": scope})).await;
        let answer = server.token(&client.basic(), &[GRANT, ("scope", scope)]).await;
        answer.text_at("/access_token")
    };
    let reader = token_with("keys:read").await;
    let writer = token_with("keys:write").await;
    let other = token_with("clients:read clients:write").await;
    let kid = list(&server).await[1]["kid"].as_str().unwrap().to_owned();
    let ask = async |method: &str, path: &str, token: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        Answer::to(server.http.request(method, server.at(path)).bearer_auth(token)).await
    };
    let one = format!("/keys/{kid}");

    assert_eq!(ask("GET", "/keys", &reader).await.status, 200);
    for (method, path, token) in [
        ("GET", "/keys", &writer),
        ("POST", "/keys/rotate", &reader),
        ("DELETE", &one, &reader),
        ("GET", "/keys", &other),
        ("POST", "/keys/rotate", &other),
        ("DELETE", &one, &other),
    ] {
        ask(method, path, token).await.assert_error(403, "insufficient_scope");
    }
    server.get("/keys").await.assert_error(401, "invalid_token");
    ask("DELETE", &one, "guessed").await.assert_error(401, "invalid_token");
    assert_eq!(list(&server).await.len(), 2);
    assert_eq!(ask("DELETE", &one, &writer).await.status, 204);
}

#[tokio::test]
async fn keys_of_the_operator_are_not_changed_here() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("private.pem"), RSA.pem()).unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("PRIVATE_RSA_KEY_FILE_PATH", "private.pem")
        .with("PRIVATE_RSA_KEY_ID", "ours")
        .with("TOKENWRIGHT__KEYS__ROTATE_EVERY_SECONDS", "1");
    let server = Server::start_with(options);

    for body in [json!({}), json!({"force": true}), json!({"emergency": true})] {
        let refused = rotate(&server, &body).await;
        refused.assert_error(409, "conflict");
        assert!(refused.text_at("/message").contains("configuration"), "{refused:?}");
    }
    revoke(&server, "ours").await.assert_error(409, "conflict");

    assert_eq!(states(&list(&server).await), ["active"]);
    let told = "keys.rotate_every_seconds has no effect";
    assert!(server.printed().contains(told), "{}", server.printed());
}

/// Whatever a caller can ask with a token: is it good there?
async fn is_good(node: &Server, asker: &Client, token: &str) -> [bool; 3] {
    let form = [("token", token)];
    let introspection = node.http.post(node.at("/oauth2/introspect")).form(&form);
    let introspection = introspection.header("authorization", asker.basic());
    let userinfo = node.http.get(node.at("/oauth2/userinfo")).bearer_auth(token);
    [
        Answer::to(introspection).await.json()["active"] == true,
        Answer::to(userinfo).await.status == 200,
        node.tokeninfo(token).await.status == 200,
    ]
}

/// What a resource server that reads JWTs only is given for a reference.
async fn phantom(node: &Server, asker: &Client, reference: &str) -> String {
    let request = node.http.post(node.at("/oauth2/introspect")).form(&[("token", reference)]);
    let request =
        request.header("authorization", asker.basic()).header("accept", "application/jwt");
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text
}

/// The drill: a key was stolen. What it signed is refused on every node within the bound, whatever
/// a node remembers, and both sign with another key.
async fn a_stolen_key_is_worth_nothing_on_every_node(options: Options, emergency: bool) {
    let nodes = [Server::start_with(options.clone()), Server::start_with(options)];
    let client = nodes[0].register().await;
    let asker = nodes[0].create_client(json!({"capabilities": ["introspection"]})).await;
    let quiet = nodes[0].create_client(json!({"access_token_format": "reference"})).await;
    let reference = nodes[0].token_of(&quiet).await;
    let before = [nodes[0].token_of(&client).await, phantom(&nodes[1], &asker, &reference).await];
    let stolen = kid(&before[0]);
    for node in &nodes {
        for token in &before {
            assert_eq!(kid(token), stolen);
            assert_eq!(is_good(node, &asker, token).await, [true; 3]);
        }
        phantom(node, &asker, &reference).await;
    }
    let old: Vec<Value> = list(&nodes[0]).await.iter().map(|it| it["kid"].clone()).collect();

    if emergency {
        assert_eq!(rotate(&nodes[0], &json!({"emergency": true})).await.status, 200);
    } else {
        assert_eq!(revoke(&nodes[0], &stolen).await.status, 204);
    }

    for token in &before {
        assert_eq!(is_good(&nodes[0], &asker, token).await, [false; 3], "where it was revoked");
    }
    let ((), took) = within(BOUND, "the end of the key on the other node", async || {
        let mut is_over = true;
        for token in &before {
            is_over &= is_good(&nodes[1], &asker, token).await == [false; 3];
        }
        is_over.then_some(())
    })
    .await;
    assert!(took < BOUND, "{took:?}");
    let keys = list(&nodes[1]).await;
    assert_eq!(states(&keys), ["active", "next"]);
    assert_eq!(old.contains(&keys[0]["kid"]), !emergency, "the key that was next, or none of old");
    for node in &nodes {
        let jwks = node.get("/.well-known/jwks.json").await;
        assert!(!jwks.text.contains(&stolen), "{jwks:?}");
        let new = [node.token_of(&client).await, phantom(node, &asker, &reference).await];
        for token in new {
            assert_eq!(kid(&token), keys[0]["kid"]);
            assert_eq!(is_good(node, &asker, &token).await, [true; 3]);
        }
    }
}

#[tokio::test]
async fn t42_a_stolen_key_is_worth_nothing_on_every_node_that_is_told() {
    let database = Database::empty().await;
    a_stolen_key_is_worth_nothing_on_every_node(quick(database.options()), false).await;
}

#[tokio::test]
async fn t42_a_stolen_key_is_worth_nothing_on_every_node_that_is_not_told() {
    let directory = TempDir::new().unwrap();
    let options = quick(Options::default().in_directory(directory.path()));
    a_stolen_key_is_worth_nothing_on_every_node(options, false).await;
}

#[tokio::test]
async fn t42_in_an_emergency_no_key_of_old_signs_or_verifies_on_any_node() {
    let database = Database::empty().await;
    a_stolen_key_is_worth_nothing_on_every_node(quick(database.options()), true).await;
}

/// The same by command, which leaves something to sign with however often it is given.
#[tokio::test]
async fn t42_every_key_is_replaced_by_one_command() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(quick(Options::default().in_directory(directory.path())));
    let client = server.register().await;
    let old = server.token_of(&client).await;
    let environment = [("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")];

    for _ in 0..3 {
        let arguments = ["--output", "json", "keys", "rotate", "--emergency"];
        let made = run(directory.path(), &environment, &arguments).well().json();
        assert_eq!(states(made.as_array().unwrap()), ["active", "next"]);
    }

    let ((), _) = within(BOUND, "the end of the old key", async || {
        (server.tokeninfo(&old).await.status == 401).then_some(())
    })
    .await;
    let new = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&new).await.status, 200);
    run(directory.path(), &environment, &["keys", "rotate", "--emergency", "--force"])
        .badly(2, "--force");
}
