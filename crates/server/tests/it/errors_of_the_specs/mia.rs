//! `mia.md`: secrets, registrations, management and `/tokeninfo`.

use serde_json::{Value, json};

use super::{BASIC_CHALLENGE, Ground, assert_all, row};
use crate::support::jwt::{GRANT, OTHER_RSA, Pair, RSA};
use crate::support::{Answer, Client};

const MIA: &str = "/oauth/token";

/// `mia.md`, sections 2 to 5 and 12: the token endpoint, by a secret.
#[tokio::test]
async fn mia_refuses_secrets_and_requests_as_its_tables_say() {
    let ground = Ground::start().await;
    let form = |client: &Client, form: &[(&str, &str)]| ground.form(MIA, client, form);
    let secret = ("client_secret", ground.client.secret.as_str());
    let in_form = [GRANT, ("client_id", &ground.client.id), ("client_secret", "wrong")];
    let rows = vec![
        row("2: an unknown pair", form(&ground.unknown(), &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("2: a wrong secret", form(&ground.wrong(), &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("2: a wrong secret in the form", ground.bare(MIA, &in_form), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("2: nobody", ground.bare(MIA, &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("9: a DRAFT client", form(&ground.draft, &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("9: a disabled client", form(&ground.disabled, &[GRANT]), "401 invalid_client")
            .challenged(BASIC_CHALLENGE),
        row("2: no grant_type", form(&ground.client, &[]), "400 invalid_request"),
        row(
            "2: another grant_type",
            form(&ground.client, &[("grant_type", "password")]),
            "400 unsupported_grant_type",
        ),
        row("2: no form", ground.json(MIA, &json!({"grant_type": "x"})), "400 invalid_request"),
        row(
            "5: an audience that is not registered",
            form(&ground.client, &[GRANT, ("audience", "stock")]),
            "400 invalid_target",
        ),
        row(
            "5: one of several audiences that is not registered",
            form(&ground.client, &[GRANT, ("audience", "orders stock")]),
            "400 invalid_target",
        ),
        row(
            "5: a scope that is not registered",
            form(&ground.client, &[GRANT, ("scope", "delete")]),
            "400 invalid_scope",
        ),
        row(
            "4: a client without the capability",
            form(&ground.without_grant, &[GRANT]),
            "400 unauthorized_client",
        ),
        row(
            "protocol.md: parameters in the query",
            form(&ground.client, &[GRANT]).query(&[("audience", "orders")]),
            "400 invalid_request",
        ),
        row("T20: two ways", form(&ground.client, &[GRANT, secret]), "400 invalid_request"),
    ];

    assert_all(rows).await;
}

/// `mia.md`, sections 2, 3, 4 and 12.
#[tokio::test]
async fn mia_refuses_registrations_and_management_as_its_tables_say() {
    const INVALID: &str = "400 invalid_client_metadata";
    let ground = Ground::start().await;
    let register = |body: Value| ground.json("/register", &body);
    let with_key = |jwk: Value| {
        let method = "private_key_jwt";
        register(json!({
            "client_name": "a", "token_endpoint_auth_method": method, "public_key": jwk,
        }))
    };
    let mut private = RSA.jwk("k");
    private["d"] = json!("AQ");
    let mut nameless = RSA.jwk("k");
    nameless.as_object_mut().unwrap().remove("kid");
    let mut for_encryption = RSA.jwk("k");
    for_encryption["use"] = json!("enc");
    let mut rows = vec![
        row("2: bad input", register(json!({})), INVALID),
        row("2: no JSON", ground.bare("/register", &[GRANT]), "400 invalid_request"),
        row(
            "3: no key",
            register(json!({
                "client_name": "a", "token_endpoint_auth_method": "private_key_jwt",
            })),
            INVALID,
        ),
        row("3: a key of 1024 bits", with_key(Pair::rsa(1_024).jwk("k")), INVALID),
        row("12: no kid", with_key(nameless), INVALID),
        row("12: a key for encryption", with_key(for_encryption), INVALID),
        row("12: a private key", with_key(private), INVALID),
        row("12: a key of another algorithm", with_key(Pair::p256().jwk("k")), INVALID),
    ];
    for member in ["permissions", "audience", "allowedCustomClaims", "metadata", "__STATE__"] {
        let mut body = json!({"client_name": "a"});
        body[member] = match member {
            "metadata" => json!({}),
            "__STATE__" => json!("PUBLIC"),
            _ => json!([]),
        };
        rows.push(row("3, 12: what only an operator sets", register(body), INVALID));
    }
    let bearer = |token: &str, body: Value| ground.json("/clients", &body).bearer_auth(token);
    let named = json!({"client_name": "a"});
    let powerless = ground.server.token_of(&ground.client).await;
    let managed = |body: Value| bearer(crate::support::MANAGEMENT_TOKEN, body);
    rows.extend([
        row("12: no management token", ground.json("/clients", &named), "401 invalid_token")
            .challenged(r#"Bearer realm="tokenwright""#),
        row("12: another token", bearer("another", named.clone()), "401 invalid_token")
            .challenged(r#"Bearer realm="tokenwright", error="invalid_token""#),
        row("12: a token without the scope", bearer(&powerless, named), "403 insufficient_scope")
            .challenged(
                r#"Bearer realm="tokenwright", error="insufficient_scope", scope="clients:write""#,
            ),
        row("4: bad input", managed(json!({"client_name": "a", "audience": "orders"})), INVALID),
        row("4: an unknown state", managed(json!({"client_name": "a", "__STATE__": "X"})), INVALID),
    ]);

    assert_all(rows).await;
}

/// `mia.md`, section 6.
#[tokio::test]
async fn mia_refuses_tokens_at_tokeninfo_as_its_table_says() {
    const INVALID: &str = r#"Bearer realm="tokenwright", error="invalid_token""#;
    let ground = Ground::start().await;
    let (server, client) = (&ground.server, &ground.client);
    let token = server.token_of(client).await;
    let forged = OTHER_RSA.jwt("another", &crate::support::claims(&token));
    let other_signature = format!("{}AA", &token[..token.len() - 2]);
    let revoked = server.token_of(client).await;
    let revoke = ground.form("/oauth2/revoke", client, &[("token", &revoked)]);
    assert_eq!(Answer::to(revoke).await.status, 200);
    let shown = |token: &str| server.http.get(server.at("/tokeninfo")).bearer_auth(token);
    let rows = vec![
        row("6: none", server.http.get(server.at("/tokeninfo")), "401 invalid_token")
            .challenged(r#"Bearer realm="tokenwright""#),
        row("6: a bad signature", shown(&other_signature), "401 invalid_token").challenged(INVALID),
        row("6: another key", shown(&forged), "401 invalid_token").challenged(INVALID),
        row("6: revoked", shown(&revoked), "401 invalid_token").challenged(INVALID),
        row("6: no token at all", shown("x"), "401 invalid_token").challenged(INVALID),
    ];

    assert_all(rows).await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}
