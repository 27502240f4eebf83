//! `curity.md`.

use serde_json::json;

use super::{BASIC_CHALLENGE, Ground, assert_all, row};
use crate::support::Client;
use crate::support::jwt::{GRANT, JWT_BEARER};

const CURITY: &str = "/oauth/v2/oauth-token";

/// `curity.md`.
#[tokio::test]
async fn curity_refuses_as_its_text_says() {
    let ground = Ground::start().await;
    let form = |client: &Client, form: &[(&str, &str)]| ground.form(CURITY, client, form);
    let (id, secret) = (ground.client.id.as_str(), ground.client.secret.as_str());
    let introspect = "/oauth/v2/oauth-introspect";
    let rows = vec![
        row("errors: no grant_type", form(&ground.client, &[]), "400 invalid_request"),
        row(
            "errors: a repeated parameter",
            form(&ground.client, &[GRANT, ("scope", "read"), ("scope", "read")]),
            "400 invalid_request",
        ),
        row("errors: an unknown client", form(&ground.unknown(), &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("errors: a wrong secret", form(&ground.wrong(), &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("errors: a disabled client", form(&ground.disabled, &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row(
            "clients: the service does not have the capability",
            form(&ground.client, &[("grant_type", "authorization_code")]),
            "400 unsupported_grant_type",
        ),
        row(
            "clients: the client lacks the capability",
            form(&ground.without_grant, &[GRANT]),
            "400 unauthorized_client",
        ),
        row(
            "clients: a scope that is not configured",
            form(&ground.client, &[GRANT, ("scope", "read delete")]),
            "400 invalid_scope",
        ),
        row("form only", ground.json(CURITY, &json!({})), "400 invalid_request"),
        row(
            "the secret in both places",
            form(&ground.client, &[GRANT, ("client_id", id), ("client_secret", secret)]),
            "400 invalid_request",
        ),
        row(
            "introspection: bad credentials",
            ground.form(introspect, &ground.wrong(), &[("token", "x")]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "introspection: no credentials",
            ground.bare(introspect, &[("token", "x")]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "introspection: no token",
            ground.form(introspect, &ground.client, &[]),
            "400 invalid_request",
        ),
        row(
            "protocol.md: an invalid assertion is 401 here",
            ground.bare(
                CURITY,
                &[
                    GRANT,
                    JWT_BEARER,
                    ("client_id", &ground.keyed.id),
                    ("client_assertion", "a.b.c"),
                ],
            ),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
    ];

    assert_all(rows).await;
}
