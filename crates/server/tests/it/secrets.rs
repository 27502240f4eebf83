//! `/clients/{client}/secrets`: operators rotate secrets.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use tempfile::TempDir;

use crate::support::cli::run;
use crate::support::jwt::RSA;
use crate::support::{Answer, Client, Options, Server, within};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn add(server: &Server, client: &str, body: &Value) -> Answer {
    Answer::to(server.manage("POST", &format!("/clients/{client}/secrets")).json(body)).await
}

async fn list(server: &Server, client: &str) -> Vec<Value> {
    let answer = Answer::to(server.manage("GET", &format!("/clients/{client}/secrets"))).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    answer.json()["secrets"].as_array().unwrap().clone()
}

async fn revoke(server: &Server, client: &str, secret: &str) -> Answer {
    let path = format!("/clients/{client}/secrets/{secret}");
    Answer::to(server.manage("DELETE", &path)).await
}

#[tokio::test]
async fn a_new_secret_works_beside_the_old_one() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;

    let made = add(&server, &client.id, &json!({"name": "of November"})).await;

    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, "no-store"));
    let members: BTreeSet<String> = made.json().as_object().unwrap().keys().cloned().collect();
    let expected = ["client_id", "client_secret", "client_secret_expires_at", "secret_id"];
    assert_eq!(members, expected.map(str::to_owned).into());
    assert_eq!(made.json()["client_secret_expires_at"], 0);
    let secret = made.text_at("/client_secret");
    assert!(secret.len() == 48 && secret.bytes().all(|it| it.is_ascii_alphabetic()), "{secret}");
    server.token_of(&client).await;
    server.token_of(&Client { id: client.id.clone(), secret }).await;

    let listed = list(&server, &client.id).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["name"], "of November");
    assert_eq!(listed[1]["secret_id"], made.json()["secret_id"]);
}

/// Neither the secret nor its hash is ever shown again.
#[tokio::test]
async fn t37_nothing_of_a_secret_is_listed() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;

    for secret in list(&server, &client.id).await {
        let members: BTreeSet<&str> =
            secret.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["created_at", "expires_at", "last_used", "name", "secret_id"];
        assert_eq!(members, expected.into());
        assert!(!secret.to_string().contains("$2"), "{secret}");
        assert!(!secret.to_string().contains(&client.secret), "{secret}");
    }
}

#[tokio::test]
async fn an_empty_body_asks_for_the_usual_secret() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}/secrets", client.id);

    assert_eq!(Answer::to(server.manage("POST", &path)).await.status, 201);
    let untyped = Answer::to(server.manage("POST", &path).body("name=x")).await;
    untyped.assert_error(400, "invalid_request");
    let form = Answer::to(server.manage("POST", &path).form(&[("name", "x")])).await;
    form.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_client_has_five_secrets_at_most_and_revoking_one_makes_room() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    for _ in 1..5 {
        assert_eq!(add(&server, &client.id, &json!({})).await.status, 201);
    }

    add(&server, &client.id, &json!({})).await.assert_error(409, "conflict");
    let first = list(&server, &client.id).await[0]["secret_id"].as_str().unwrap().to_owned();
    assert_eq!(revoke(&server, &client.id, &first).await.status, 204);
    revoke(&server, &client.id, &first).await.assert_error(404, "not_found");

    assert_eq!(add(&server, &client.id, &json!({})).await.status, 201);
    assert_eq!(list(&server, &client.id).await.len(), 5);
}

/// Whoever asks for many at once gets no more than whoever asks for one after the other.
#[tokio::test]
async fn a_client_has_five_secrets_at_most_however_many_are_asked_for_at_once() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;

    let answers = futures_util::future::join_all(
        (0..20).map(async |_| add(&server, &client.id, &json!({})).await),
    )
    .await;

    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    for it in &refused {
        it.assert_error(409, "conflict");
    }
    assert!((1..5).contains(&made.len()), "{}", made.len());
    assert_eq!(list(&server, &client.id).await.len(), made.len() + 1);
    for it in made {
        let secret = it.text_at("/client_secret");
        server.token_of(&Client { id: client.id.clone(), secret }).await;
    }
}

#[tokio::test]
async fn a_secret_ends_when_it_was_said_to_and_makes_room() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let made = add(&server, &client.id, &json!({"expires_in": 2})).await;
    let short = Client { id: client.id.clone(), secret: made.text_at("/client_secret") };
    let ends = made.json()["client_secret_expires_at"].as_u64().unwrap();
    assert!(1_700_000_000 < ends, "{made:?}");
    server.token_of(&short).await;

    // A warm secret ends as well.
    let ((), took) = within(Duration::from_secs(10), "its end", async || {
        (server.token(&short.basic(), &[GRANT]).await.status == 401).then_some(())
    })
    .await;

    assert!(took < Duration::from_secs(3), "{took:?}");
    server.token_of(&client).await;
    for _ in 1..5 {
        assert_eq!(add(&server, &client.id, &json!({})).await.status, 201);
    }
}

#[tokio::test]
async fn what_a_secret_cannot_be_is_named() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    for (body, named) in [
        (json!({"name": 7}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "x".repeat(1_000)}), "name"),
        (json!({"expires_in": 0}), "expires_in"),
        (json!({"expires_in": -1}), "expires_in"),
        (json!({"expires_in": 1.5}), "expires_in"),
        (json!({"expires_in": "60"}), "expires_in"),
        (json!({"client_secret": "chosen"}), "client_secret"),
        (json!({"hash": "$2b$04$x"}), "hash"),
    ] {
        let refused = add(&server, &client.id, &body).await;
        assert_eq!(refused.outcome(), "400 invalid_client_metadata", "{body}: {refused:?}");
        assert!(refused.json()["message"].as_str().unwrap().contains(named), "{refused:?}");
    }
    assert_eq!(list(&server, &client.id).await.len(), 1);
    // As long as there is time.
    let forever = add(&server, &client.id, &json!({"expires_in": u64::MAX})).await;
    assert!([201, 400].contains(&forever.status.as_u16()), "{forever:?}");
    server.token_of(&client).await;
}

#[tokio::test]
async fn a_secret_of_one_client_is_out_of_reach_through_another() {
    let server = Server::start();
    let (one, other) =
        (server.create_client(json!({})).await, server.create_client(json!({})).await);
    let secret = list(&server, &one.id).await[0]["secret_id"].as_str().unwrap().to_owned();

    revoke(&server, &other.id, &secret).await.assert_error(404, "not_found");

    server.token_of(&one).await;
    let crossed = Client { id: other.id, secret: one.secret };
    server.token(&crossed.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_keys_has_no_secrets() {
    let server = Server::start();
    let body = json!({
        "client_name": "a",
        "token_endpoint_auth_method": "private_key_jwt",
        "public_key": RSA.jwk("k"),
    });
    let made = server.create(&body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text_at("/client_id");

    assert_eq!(list(&server, &id).await.len(), 0);
    add(&server, &id, &json!({})).await.assert_error(409, "conflict");
}

async fn rotate(server: &Server, client: &str, body: &Value) -> Answer {
    Answer::to(server.manage("POST", &format!("/clients/{client}/secrets/rotate")).json(body)).await
}

#[tokio::test]
async fn a_rotation_lets_the_old_secrets_overlap_for_as_long_as_it_says() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    server.token_of(&client).await;

    let made = rotate(&server, &client.id, &json!({"overlap": 2, "name": "of May"})).await;

    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, "no-store"), "{made:?}");
    let new = Client { id: client.id.clone(), secret: made.text_at("/client_secret") };
    server.token_of(&new).await;
    server.token_of(&client).await;
    let ((), took) = within(Duration::from_secs(10), "the end of the overlap", async || {
        (server.token(&client.basic(), &[GRANT]).await.status == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    server.token_of(&new).await;
    let listed = list(&server, &client.id).await;
    assert!(listed[0]["expires_at"].is_string());
    assert_eq!((&listed[1]["name"], &listed[1]["expires_at"]), (&json!("of May"), &Value::Null));
}

#[tokio::test]
async fn without_an_overlap_the_old_secrets_end_at_once() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    server.token_of(&client).await;

    let made = rotate(&server, &client.id, &json!({"expires_in": 60})).await;

    server.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    let new = Client { id: client.id, secret: made.text_at("/client_secret") };
    server.token_of(&new).await;
    assert!(1_700_000_000 < made.json()["client_secret_expires_at"].as_u64().unwrap());
}

#[tokio::test]
async fn what_a_rotation_cannot_be_is_named_and_changes_nothing() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    for (body, named) in [
        (json!({"overlap": -1}), "overlap"),
        (json!({"overlap": "60"}), "overlap"),
        (json!({"overlap": 1.5}), "overlap"),
        (json!({"expires_in": 0}), "expires_in"),
        (json!({"client_secret": "chosen"}), "client_secret"),
    ] {
        let refused = rotate(&server, &client.id, &body).await;
        assert_eq!(refused.outcome(), "400 invalid_client_metadata", "{body}: {refused:?}");
        assert!(refused.text_at("/message").contains(named), "{refused:?}");
    }
    rotate(&server, "nobody", &json!({})).await.assert_error(404, "not_found");
    assert_eq!(list(&server, &client.id).await.len(), 1);
    server.token_of(&client).await;
}

/// The last use is written within a second or so.
#[tokio::test]
async fn the_last_use_of_a_secret_is_shown_over_http_and_by_command() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(Options::default().in_directory(directory.path()));
    let client = server.create_client(json!({})).await;
    assert_eq!(list(&server, &client.id).await[0]["last_used"], Value::Null);

    server.token_of(&client).await;

    let (shown, _) = within(Duration::from_secs(10), "its last use", async || {
        list(&server, &client.id).await.pop().filter(|it| it["last_used"].is_string())
    })
    .await;
    let arguments = ["--output", "json", "client", "secrets", &client.id];
    let listed = run(directory.path(), &[], &arguments).well().json();
    assert_eq!(listed["secrets"], json!([shown]));
    let text = run(directory.path(), &[], &["client", "secrets", &client.id]).well().stdout;
    for part in ["secret_id", "created_at", "last_used"] {
        assert!(text.contains(shown[part].as_str().unwrap()), "{text}");
    }
    run(directory.path(), &[], &["client", "secrets", "nobody"]).badly(1, "no client");
}

fn number(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("tokenwright_{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
}

/// Whoever runs the server hears of it before the client's users do.
#[tokio::test]
async fn secrets_that_end_are_warned_of_in_the_log_and_as_numbers() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__SECRETS__WARN_BEFORE_SECONDS", "3600");
    let server = Server::start_with(options.clone());
    let mut made = Vec::new();
    for seconds in [1_800, 1, 7_200] {
        let client = server.create_client(json!({})).await;
        let body = json!({"expires_in": seconds, "name": "short"});
        let secret = rotate(&server, &client.id, &body).await;
        made.push((client.id, secret.text_at("/secret_id"), secret.text_at("/client_secret")));
    }
    let fine = server.create_client(json!({})).await;
    add(&server, &fine.id, &json!({"expires_in": 60})).await;
    drop(server);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let server = Server::start_with(options);

    let soon = server.await_log("a secret ends soon, and its client has no other");
    assert_eq!((&soon["level"], &soon["client"]["id"]), (&json!(40), &json!(made[0].0)));
    assert_eq!(
        (&soon["secret"]["id"], &soon["secret"]["name"]),
        (&json!(made[0].1), &json!("short"))
    );
    assert!(soon["secret"]["ends_at"].is_string(), "{soon}");
    let ended = server.await_log("a secret has ended, and its client has no other");
    assert_eq!(ended["client"]["id"], made[1].0);
    let printed = server.printed();
    assert_eq!(printed.matches("and its client has no other").count(), 2, "{printed}");
    assert!(made.iter().all(|(_, _, secret)| !printed.contains(secret)));
    let metrics = server.get("/-/metrics").await.text;
    // The first secret of each client has ended, too, and locks nobody out.
    assert_eq!((number(&metrics, "secrets_ending"), number(&metrics, "secrets_ended")), (1, 1));
    assert!(1_700_000_000 < number(&metrics, "secrets_next_end_timestamp_seconds"));
    assert!(!metrics.contains(&made[0].0), "no client is a label");
}

#[tokio::test]
async fn nobody_is_warned_where_that_is_turned_off() {
    let options = Options::default().with("TOKENWRIGHT__SECRETS__WARN_BEFORE_SECONDS", "0");
    let server = Server::start_with(options);

    assert!(!server.get("/-/metrics").await.text.contains("secrets_ending"));
}
