//! `protocol.md`: errors, and what real clients do.

use serde_json::json;

use super::{BASIC_CHALLENGE, Ground, assert_all, row};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client};

/// `protocol.md`: errors, and what real clients do.
#[tokio::test]
async fn the_protocol_refuses_as_it_says() {
    let ground = Ground::start().await;
    let server = &ground.server;
    let large = "x".repeat(300_000);
    let other_secret =
        [("token", "x"), ("client_id", ground.client.id.as_str()), ("client_secret", "different")];
    let strict = json!({"strict_auth_method": true, "client_name": "strict"});
    let strict = server.create_client(strict).await;
    let strict_form = [GRANT, ("client_id", &strict.id), ("client_secret", strict.secret.as_str())];
    let keyed = Client { id: ground.keyed.id.clone(), secret: "x".to_owned() };
    let mut rows = vec![
        row("errors: 405", server.http.get(server.at("/oauth2/token")), "405 method_not_allowed"),
        row(
            "errors: 413",
            ground.bare("/oauth2/token", &[("scope", &large)]),
            "413 invalid_request",
        ),
        row(
            "errors: 415 is 400 invalid_request",
            ground
                .form("/oauth2/token", &ground.client, &[GRANT])
                .header("content-type", "text/plain"),
            "400 invalid_request",
        ),
        row(
            "clients 5: different credentials in both places of an introspection",
            ground.form("/oauth2/introspect", &ground.client, &other_secret),
            "400 invalid_request",
        ),
        row(
            "clients 9: the other secret method of a client that is strict",
            ground.bare("/oauth2/token", &strict_form),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "clients 9: a secret of a client with a key",
            ground.form("/oauth2/token", &keyed, &[GRANT]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
    ];
    for resource in ["https://unknown.example/", "relative", "https://a.example/#part"] {
        rows.push(row(
            "the standards: RFC 8707",
            ground.form("/oauth2/token", &ground.client, &[GRANT, ("resource", resource)]),
            "400 invalid_target",
        ));
    }

    assert_all(rows).await;
    let refused = server.get("/oauth2/token").await;
    assert_eq!(refused.header("allow"), "POST");
}

/// `protocol.md`, clients 5: the same credentials in both places of an introspection are one way.
#[tokio::test]
async fn the_same_credentials_twice_are_one_way_to_introspect() {
    let ground = Ground::start().await;
    let (client, token) = (&ground.client, ground.server.token_of(&ground.client).await);
    let form =
        [("token", token.as_str()), ("client_id", &client.id), ("client_secret", &client.secret)];
    for path in ["/oauth2/introspect", "/oauth/v2/oauth-introspect", "/openid/introspect"] {
        let answer = Answer::to(ground.form(path, client, &form)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["active"], true, "{path}: {answer:?}");
    }
    // At the token endpoint it is two ways.
    let form = [GRANT, ("client_id", &client.id), ("client_secret", client.secret.as_str())];
    let refused = Answer::to(ground.form("/oauth2/token", client, &form)).await;
    refused.assert_error(400, "invalid_request");
}
