//! Tokens of every library, by every method that it knows, in every dialect, from their issue to
//! their end.

use serde_json::{Value, json};

use crate::ground::{
    BASIC, DIALECTS, Dialect, IDSERVICE, METHODS, Method, POST, RESOURCE, SCOPE, STANDARD, client,
    options, step, with,
};
use crate::scripts::Library;
use crate::support::Server;

/// What every step of a life is asked for.
fn life(client: &Value, dialect: Dialect, server: &Server) -> Value {
    let asked = json!({"scope": SCOPE, "resource": RESOURCE});
    with(step("life", client, dialect, server), &asked)
}

async fn clients(server: &Server, methods: &[Method]) -> Vec<Value> {
    let mut clients = Vec::new();
    for method in methods {
        clients.push(client(server, *method, json!({})).await);
    }
    clients
}

/// Fails unless the token was issued as it was asked for, was good, and was taken back.
fn assert_lived(what: &str, told: &Value, client: &Value, dialect: Dialect) {
    let token = &told["token"];
    let token_type = token["token_type"].as_str().unwrap();
    assert!(token_type.eq_ignore_ascii_case("bearer"), "{what}: {token}");
    let granted = (dialect.name != IDSERVICE.name).then(|| json!(SCOPE));
    assert_eq!(token.get("scope"), granted.as_ref(), "{what}: {token}");

    let introspected = &told["introspected"];
    assert_eq!(introspected["active"], true, "{what}: {introspected}");
    assert_eq!(introspected["client_id"], client["id"], "{what}: {introspected}");
    assert_eq!(introspected["scope"], SCOPE, "{what}: {introspected}");
    let audience = &introspected["aud"];
    assert!(audience == RESOURCE || audience == &json!([RESOURCE]), "{what}: {introspected}");
    if let Some(signed) = told.get("signed") {
        assert_eq!(signed, introspected, "{what}: the signed answer says the same");
    }
    if dialect.userinfo.is_some() {
        assert_eq!(told["userinfo"]["sub"], client["id"], "{what}: {told}");
    }
    assert_eq!(told["after"], json!({"active": false}), "{what}");
}

/// Every method in every dialect.
async fn assert_all_live(library: Library, methods: &[Method]) {
    let server = Server::start_with(options());
    let clients = clients(&server, methods).await;
    let lives: Vec<_> =
        DIALECTS.iter().flat_map(|it| clients.iter().map(move |client| (*it, client))).collect();
    let steps: Vec<_> = lives.iter().map(|(it, client)| life(client, *it, &server)).collect();

    let outcomes = library.takes(&steps);

    for ((dialect, client), outcome) in lives.iter().zip(&outcomes) {
        let (method, alg) = (&client["method"], &client["alg"]);
        let what = format!("{library:?}, {}, {method} {alg}", dialect.name);
        let told = outcome.told(&what);
        assert_lived(&what, told, client, *dialect);
    }
}

/// RFC 7009 section 2.2: Authlib shows us the bare answer.
#[tokio::test]
async fn authlib_lives_by_every_method_in_every_dialect() {
    assert_all_live(Library::Authlib, METHODS).await;

    let server = Server::start_with(options());
    let client = client(&server, BASIC, json!({})).await;
    let told = Library::Authlib.takes(&[life(&client, STANDARD, &server)]);
    assert_eq!(told[0].ok()["revoked"], json!({"status": 200, "body": ""}));
}

#[tokio::test]
async fn requests_oauth2client_lives_by_every_method_in_every_dialect() {
    assert_all_live(Library::RequestsOauth2client, METHODS).await;
}

/// Ed25519 is what it calls `EdDSA` (RFC 9864 section 2.2).
#[tokio::test]
async fn openid_client_lives_by_every_method_in_every_dialect() {
    assert_all_live(Library::OpenidClient, METHODS).await;
}

/// It also asks for a signed answer of introspection (RFC 9701), and checks it.
#[tokio::test]
async fn oauth4webapi_lives_by_every_method_in_every_dialect() {
    assert_all_live(Library::Oauth4webapi, METHODS).await;
}

/// Two that know nothing but secrets and tokens. Before it believes in a token, requests-oauthlib
/// wants the scope of the answer to be the one it asked for.
#[tokio::test]
async fn simple_libraries_get_tokens_for_secrets_in_every_dialect() {
    let server = Server::start_with(options());
    let clients = clients(&server, &[BASIC, POST]).await;
    for library in [Library::RequestsOauthlib, Library::SimpleOauth2] {
        let steps: Vec<_> = DIALECTS
            .iter()
            .flat_map(|it| clients.iter().map(|client| step("token", client, *it, &server)))
            .map(|it| with(it, &json!({"scope": SCOPE})))
            .collect();
        for (outcome, step) in library.takes(&steps).iter().zip(&steps) {
            let told = outcome.told(&format!("{library:?}: {step}"));
            let token = told["access_token"].as_str().unwrap();
            let answer = server.http.get(server.at("/oauth2/userinfo")).bearer_auth(token);
            assert_eq!(answer.send().await.unwrap().status(), 200, "{library:?}: {step}");
        }
    }
}
