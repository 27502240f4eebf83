//! `/clients/{client}/secrets`: operators rotate secrets.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::jwt::RSA;
use crate::support::{Answer, Client, Server, within};

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
