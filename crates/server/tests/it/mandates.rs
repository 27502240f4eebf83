//! What whoever has `clients:write` alone may do, and what becomes of a client that manages itself.

use serde_json::{Value, json};

use crate::support::{Answer, Client, Options, Server};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// Somebody with a token.
struct Caller<'a> {
    server: &'a Server,
    token: String,
}

impl Caller<'_> {
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.server.http.request(method, self.server.at(path));
        let request = request.bearer_auth(&self.token).header("if-match", "*");
        Answer::to(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }
}

async fn caller<'a>(server: &'a Server, client: &Client, scope: &str) -> Caller<'a> {
    let answer = server.token(&client.basic(), &[GRANT, ("scope", scope)]).await;
    Caller { server, token: answer.text_at("/access_token") }
}

fn operator(server: &Server) -> Caller<'_> {
    Caller { server, token: crate::support::MANAGEMENT_TOKEN.to_owned() }
}

#[track_caller]
fn assert_lacks(answer: &Answer, scope: &str) {
    // Change sets also name the clients.
    let error = (answer.status.as_u16(), answer.text_at("/error"));
    assert_eq!(error, (403, "insufficient_scope".to_owned()), "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains(&format!(r#"scope="{scope}""#)), "{challenge}");
    assert!(answer.text_at("/error_description").contains(scope), "{answer:?}");
}

/// Every way from one right to another, each taken by somebody who has the right to change clients.
#[tokio::test]
async fn t47_clients_write_is_not_full_control() {
    let server = Server::start();
    let writer = server.create_client(json!({"scope": "clients:write"})).await;
    let holder = server.create_client(json!({"scope": "keys:write"})).await;
    let secrets = format!("/clients/{}/secrets", holder.id);
    let secret = operator(&server).ask("GET", &secrets, None).await.text_at("/secrets/0/secret_id");
    let it = caller(&server, &writer, "clients:write").await;
    let (own, held) = (format!("/clients/{}", writer.id), format!("/clients/{}", holder.id));
    let more = json!({"client_name": "more", "scope": "orders:read keys:write"});
    let create = json!({"op": "create_client", "client": more});
    let wider = json!({"scope": "clients:write keys:write"});
    let give = json!({"op": "change_client", "client_id": writer.id, "client": wider});
    let take = json!({"op": "delete_client", "client_id": holder.id});

    for (method, path, body) in [
        ("POST", "/clients".to_owned(), more.clone()),
        ("PATCH", own, wider.clone()),
        ("PATCH", held.clone(), json!({"strict_auth_method": true})),
        ("PATCH", held.clone(), json!({"self_managed": false})),
        ("PATCH", held.clone(), json!({"token_endpoint_auth_method": "client_secret_post"})),
        ("DELETE", held.clone(), json!({})),
        ("POST", format!("{held}/disable"), json!({})),
        ("POST", format!("{held}/enable"), json!({})),
        ("POST", secrets.clone(), json!({})),
        ("POST", format!("{secrets}/rotate"), json!({})),
        ("DELETE", format!("{secrets}/{secret}"), json!({})),
        ("POST", "/changes".to_owned(), json!({"operations": [create]})),
        ("POST", "/changes".to_owned(), json!({"operations": [give]})),
        ("POST", "/changes".to_owned(), json!({"operations": [take]})),
    ] {
        assert_lacks(&it.ask(method, &path, Some(&body)).await, "keys:write");
    }
    // What somebody drafted who may is still not theirs to let take effect.
    let drafted = operator(&server)
        .ask("POST", "/changes", Some(&json!({"operations": [give]})))
        .await
        .header("location")
        .to_owned();
    let commit = format!("{drafted}/commit");
    let refused = it.ask("POST", &commit, None).await;
    assert_lacks(&refused, "keys:write");
    assert_eq!(refused.json()["clients"], json!([writer.id]));
    assert_eq!(operator(&server).ask("POST", &commit, None).await.status, 200);
    assert_lacks(&it.ask("POST", &format!("{drafted}/rollback"), None).await, "keys:write");

    // Nothing of it happened, and what is theirs to do is done.
    assert_eq!(server.token(&holder.basic(), &[GRANT, ("scope", "keys:write")]).await.status, 200);
    let harmless = json!({"client_name": "harmless", "scope": "orders:read clients:write"});
    let made = it.ask("POST", "/clients", Some(&harmless)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/clients/{}", made.text_at("/client_id"));
    assert_eq!(it.ask("POST", &format!("{path}/secrets"), Some(&json!({}))).await.status, 201);
    assert_eq!(it.ask("POST", &format!("{path}/disable"), None).await.status, 200);
    assert_eq!(it.ask("DELETE", &path, None).await.status, 204);
}

#[tokio::test]
async fn t47_a_right_that_is_taken_from_a_client_is_gone_from_its_live_tokens() {
    let server = Server::start();
    let writer = server.create_client(json!({"scope": "clients:write clients:read"})).await;
    let it = caller(&server, &writer, "clients:write clients:read").await;
    let new = json!({"client_name": "new"});
    assert_eq!(it.ask("POST", "/clients", Some(&new)).await.status, 201);

    let path = format!("/clients/{}", writer.id);
    let less = json!({"scope": "clients:read"});
    assert_eq!(operator(&server).ask("PATCH", &path, Some(&less)).await.status, 200);

    assert_lacks(&it.ask("POST", "/clients", Some(&new)).await, "clients:write");
    assert_eq!(it.ask("GET", "/clients", None).await.status, 200);
}

#[tokio::test]
async fn an_operator_sees_who_manages_themselves_and_ends_it() {
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let operator = operator(&server);
    let made = server.post_json("/oauth2/register", &json!({"client_name": "a"})).await;
    let own = Caller { server: &server, token: made.text_at("/registration_access_token") };
    let id = made.text_at("/client_id");
    let (path, uri) = (format!("/clients/{id}"), format!("/oauth2/register/{id}"));
    let shown = async || {
        let one = operator.ask("GET", &path, None).await.json();
        let all = operator.ask("GET", "/clients", None).await.json();
        assert_eq!(all["clients"][0]["self_managed"], one["self_managed"]);
        one["self_managed"].clone()
    };
    assert_eq!(shown().await, true);
    let text = operator.ask("GET", &path, None).await.text;
    assert!(!text.contains("digest") && !text.contains(&own.token));

    let refused = operator.ask("PATCH", &path, Some(&json!({"self_managed": true}))).await;
    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text_at("/error_description").starts_with("self_managed: can only be set"));
    assert_eq!(own.ask("GET", &uri, None).await.status, 200);

    // How the client authenticates is the operator's from now on.
    let strict = json!({"strict_auth_method": true});
    assert_eq!(operator.ask("PATCH", &path, Some(&strict)).await.status, 200);
    let weaker = json!({
        "client_id": id, "client_name": "a", "token_endpoint_auth_method": "client_secret_post",
    });
    let refused = own.ask("PUT", &uri, Some(&weaker)).await;
    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text_at("/error_description").contains("fixed by an operator"), "{refused:?}");

    let ended = operator.ask("PATCH", &path, Some(&json!({"self_managed": false}))).await;
    assert_eq!((ended.status.as_u16(), &ended.json()["self_managed"]), (200, &json!(false)));
    assert_eq!(shown().await, false);
    for method in ["GET", "PUT", "DELETE"] {
        own.ask(method, &uri, Some(&weaker)).await.assert_error(401, "invalid_token");
    }
}

/// An operator who finds out that a client is not what it said disables it, or never gives more to one
/// that strangers may change.
#[tokio::test]
async fn t47_a_registration_token_ends_with_disabling_and_with_a_management_scope() {
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let operator = operator(&server);
    for way in ["disable", "scope"] {
        let made = server.post_json("/oauth2/register", &json!({"client_name": "a"})).await;
        let own = Caller { server: &server, token: made.text_at("/registration_access_token") };
        let id = made.text_at("/client_id");
        let (path, uri) = (format!("/clients/{id}"), format!("/oauth2/register/{id}"));
        assert_eq!(own.ask("GET", &uri, None).await.status, 200);

        let given = json!({"scope": "clients:write"});
        let hardened = match way {
            "disable" => operator.ask("POST", &format!("{path}/disable"), None).await,
            _ => operator.ask("PATCH", &path, Some(&given)).await,
        };
        assert_eq!(hardened.json()["self_managed"], false, "{way}: {hardened:?}");
        let refused = own.ask("GET", &uri, None).await;
        refused.assert_error(401, "invalid_token");
        let back = match way {
            "disable" => operator.ask("POST", &format!("{path}/enable"), None).await,
            _ => operator.ask("PATCH", &path, Some(&json!({"scope": null}))).await,
        };

        assert_eq!((back.status.as_u16(), &back.json()["self_managed"]), (200, &json!(false)));
        let again = own.ask("GET", &uri, None).await;
        assert_eq!((again.status, &again.text), (refused.status, &refused.text), "{way}");
    }
}
