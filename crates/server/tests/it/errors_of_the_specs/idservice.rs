//! `id-service.md`.

use serde_json::json;

use super::{BASIC_CHALLENGE, Ground, assert_all, row};
use crate::support::jwt::{GRANT, JWT_BEARER};
use crate::support::{Answer, Client, Options, Server, basic};

const IDSERVICE: &str = "/openid/token";

/// `id-service.md`.
#[tokio::test]
async fn idservice_refuses_as_its_text_says() {
    const INVALID: &str = r#"Bearer realm="tokenwright", error="invalid_token""#;
    let ground = Ground::start().await;
    let (id, secret) = (
        ("client_id", ground.client.id.as_str()),
        ("client_secret", ground.client.secret.as_str()),
    );
    let userinfo = ground.server.at("/openid/userinfo");
    let rows = vec![
        row(
            "parameters in the query where they are off",
            ground.server.http.post(ground.server.at(IDSERVICE)).query(&[GRANT, id, secret]),
            "400 invalid_request",
        ),
        row(
            "Basic beside client_secret",
            ground.form(IDSERVICE, &ground.client, &[GRANT, id, secret]),
            "400 invalid_request",
        ),
        row(
            "a wrong secret",
            ground.form(IDSERVICE, &ground.wrong(), &[GRANT]),
            "401 invalid_client",
        )
        .challenged(BASIC_CHALLENGE),
        row(
            "userinfo: any other token",
            ground.server.http.get(&userinfo).bearer_auth("x"),
            "401 invalid_token",
        )
        .challenged(INVALID),
        row(
            "userinfo: by POST, too",
            ground.server.http.post(&userinfo).bearer_auth("x"),
            "401 invalid_token",
        )
        .challenged(INVALID),
        row("userinfo: none", ground.server.http.get(&userinfo), "401 invalid_token")
            .challenged(r#"Bearer realm="tokenwright""#),
        row(
            "protocol.md: an invalid assertion is 401 here",
            ground.bare(
                IDSERVICE,
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

/// `id-service.md`: where parameters may be in the query, they are there or in the form.
#[tokio::test]
async fn idservice_takes_no_parameters_from_two_places() {
    let option = "TOKENWRIGHT__DIALECTS__IDSERVICE__QUERY_PARAMETERS";
    let server = Server::start_with(Options::default().with(option, "true"));
    let client = server.register().await;
    let query = [GRANT, ("client_id", &client.id), ("client_secret", &client.secret)];
    let post = || server.http.post(server.at(IDSERVICE)).query(&query);
    let header = basic(&client.id, &client.secret);
    let rows = vec![
        row("in the query and in the form", post().form(&[GRANT]), "400 invalid_request"),
        row(
            "Basic beside client_secret in the query",
            post().header("authorization", header),
            "400 invalid_request",
        ),
        row("twice in the query", post().query(&[GRANT]), "400 invalid_request"),
    ];

    assert_all(rows).await;
    let answer = Answer::to(post()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// `id-service.md`: without the capability there is nothing to learn, and of a token that is worth
/// nothing neither.
#[tokio::test]
async fn idservice_tells_nothing_of_tokens_that_are_worth_nothing_or_of_others() {
    let ground = Ground::start().await;
    let issued = Answer::to(ground.form(IDSERVICE, &ground.client, &[GRANT])).await;
    let token = issued.text_at("/access_token");
    let other = ground.server.register().await;
    let (cut, longer) = (&token[1..], format!("{token}a"));
    let tell = async |client: &Client, token: &str| {
        let request = ground.form("/openid/introspect", client, &[("token", token)]);
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };

    assert_eq!(tell(&other, &token).await, json!({"active": false}));
    for worthless in [cut, &longer, "unknown"] {
        assert_eq!(tell(&ground.client, worthless).await, json!({"active": false}));
    }
    assert_eq!(tell(&ground.client, &token).await["active"], true);
    let revoke = ground.form("/oauth2/revoke", &ground.client, &[("token", &token)]);
    assert_eq!(Answer::to(revoke).await.status, 200);
    assert_eq!(tell(&ground.client, &token).await, json!({"active": false}));
}
