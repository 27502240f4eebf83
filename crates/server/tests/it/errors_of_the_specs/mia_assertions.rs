//! `mia.md`: assertions.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{BASIC_CHALLENGE, Ground, assert_all, row};
use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient, OTHER_RSA, RSA, now};
use crate::support::{Answer, Options, Server};

const MIA: &str = "/oauth/token";

fn asserted(ground: &Ground, assertion: &str) -> RequestBuilder {
    let id = ("client_id", ground.keyed.id.as_str());
    ground.bare(MIA, &[GRANT, JWT_BEARER, id, ("client_assertion", assertion)])
}

/// `mia.md`, sections 5 and 12: the token endpoint, by an assertion.
#[tokio::test]
async fn mia_refuses_assertions_as_its_tables_say() {
    const REFUSED: &str = "403 invalid_client";
    let ground = Ground::start().await;
    let keyed = &ground.keyed;
    let good = || keyed.assertion();
    let changed = |change: Value| asserted(&ground, &keyed.changed(&change));
    let without = |name: &str| {
        let mut claims = keyed.claims();
        claims.as_object_mut().unwrap().remove(name);
        asserted(&ground, &keyed.signed(&claims))
    };
    let forged = KeyClient { pair: OTHER_RSA.clone(), ..keyed.clone() }.assertion();
    let other_kid = keyed.pair.jwt("another-key", &keyed.claims());
    let no_kid = keyed.pair.jws(r#"{"alg":"RS256"}"#, &keyed.claims().to_string());
    let of_unknown = KeyClient { id: "nobody".to_owned(), ..keyed.clone() }.assertion();
    let of_secret = KeyClient { id: ground.client.id.clone(), ..keyed.clone() }.assertion();
    let bare = |form: &[(&str, &str)]| ground.bare(MIA, &[&[GRANT], form].concat());
    let used = good();
    assert_eq!(Answer::to(asserted(&ground, &used)).await.status, 200);
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";

    let mut rows = vec![
        row("5: an assertion that was used", asserted(&ground, &used), REFUSED),
        row("5: a signature of another key", asserted(&ground, &forged), REFUSED),
        row("5: no kid", asserted(&ground, &no_kid), REFUSED),
        row("5: another kid", asserted(&ground, &other_kid), REFUSED),
        row("5: no JWT", asserted(&ground, "a.b.c"), REFUSED),
        row("5: another issuer", changed(json!({"iss": "somebody"})), REFUSED),
        row("5: another audience", changed(json!({"aud": "https://elsewhere.example"})), REFUSED),
        row("5: two audiences", changed(json!({"aud": [keyed.issuer, "x"]})), REFUSED),
        row("5: it is over", changed(json!({"exp": now() - 1})), REFUSED),
        row("5: it is of tomorrow", changed(json!({"iat": now() + 60})), REFUSED),
        row("5: not before tomorrow", changed(json!({"nbf": now() + 60})), REFUSED),
        row("5: it lives for longer than a day", changed(json!({"exp": now() + 86_500})), REFUSED),
        row("5: a claim it may not set", changed(json!({"tenant": "x"})), REFUSED),
        row("5: a reserved claim", changed(json!({"permissions": ["all"]})), REFUSED),
        row("12: audiences of a wrong type", changed(json!({"requested_audiences": 7})), REFUSED),
        row(
            "12: an unknown client",
            bare(&[JWT_BEARER, ("client_assertion", &of_unknown)]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "12: a client with a secret",
            bare(&[JWT_BEARER, ("client_assertion", &of_secret)]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "12: no client_assertion_type",
            bare(&[("client_assertion", &good())]),
            "400 invalid_request",
        ),
        row(
            "12: an unknown client_assertion_type",
            bare(&[("client_assertion_type", saml), ("client_assertion", &good())]),
            "400 invalid_request",
        ),
        row(
            "5: an audience that is not registered",
            changed(json!({"requested_audiences": ["stock"]})),
            "400 invalid_target",
        ),
    ];
    for name in ["iss", "sub", "aud", "exp", "iat", "jti"] {
        rows.push(row("5: a claim is missing", without(name), REFUSED));
    }

    assert_all(rows).await;
}

/// `mia.md`, sections 5 and 12.
#[tokio::test]
async fn mia_wants_an_audience_where_it_is_required() {
    let required = Options::default().with("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "true");
    let server = Server::start_with(required);
    let client = server.create_client(json!({"audience": ["orders"]})).await;
    let keyed = server.key_client(&RSA).await;

    let form = [GRANT];
    let by_secret = server.http.post(server.at(MIA)).form(&form);
    let by_secret = by_secret.header("authorization", client.basic());
    let assertion = keyed.assertion();
    let form = [GRANT, JWT_BEARER, ("client_assertion", &assertion)];
    let by_key = server.http.post(server.at(MIA)).form(&form);
    let rows = vec![
        row("5: no audience, by a secret", by_secret, "400 invalid_request"),
        row("12: no audience, by a key", by_key, "400 invalid_request"),
    ];

    assert_all(rows).await;
}
