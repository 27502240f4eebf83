//! Introspection: one set of checks, whatever form the answer has.

use serde_json::json;

use crate::support::jwt::{GRANT, OTHER_RSA};
use crate::support::{Answer, Client, Options, Server, basic, claims};

/// Every form of an answer.
const FORMS: [&str; 3] =
    ["application/json", "application/jwt", "application/token-introspection+jwt"];

async fn asked(server: &Server, path: &str, who: &str, token: &str, accept: &str) -> Answer {
    let request = server.http.post(server.at(path)).header("authorization", who);
    Answer::to(request.header("accept", accept).form(&[("token", token)])).await
}

/// What an answer says: refused, nothing, or whose token it is.
fn said(answer: &Answer) -> String {
    match (answer.status.as_u16(), answer.header("content-type")) {
        (200, "application/json") => owner(&answer.json()),
        (200, "application/jwt") => claims(&answer.text)["sub"].to_string(),
        (200, _) => owner(&claims(&answer.text)["token_introspection"]),
        (204, _) => "nothing".to_owned(),
        (_, _) => answer.outcome(),
    }
}

fn owner(told: &serde_json::Value) -> String {
    match told["active"].as_bool() {
        Some(true) => told["sub"].to_string(),
        Some(false) | None => "nothing".to_owned(),
    }
}

async fn issued(server: &Server, path: &str, client: &Client) -> String {
    let request = server.http.post(server.at(path)).form(&[GRANT]);
    Answer::to(request.header("authorization", client.basic())).await.text_at("/access_token")
}

/// CVE-2026-37979, CVE-2026-18208: a check that one of the forms forgot.
#[tokio::test]
async fn t39_every_form_of_an_answer_says_the_same() {
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let (owner, disabled, stranger) =
        (server.register().await, server.register().await, server.register().await);
    let capabilities = json!({"capabilities": ["introspection"]});
    let inspector = server.create_client(capabilities).await;
    let wrong = basic(&owner.id, "wrong");
    for (token_path, path) in [
        ("/oauth2/token", "/oauth2/introspect"),
        ("/oauth/token", "/oauth2/introspect"),
        ("/oauth/v2/oauth-token", "/oauth/v2/oauth-introspect"),
        ("/openid/token", "/openid/introspect"),
    ] {
        let good = issued(&server, token_path, &owner).await;
        let revoked = issued(&server, token_path, &owner).await;
        let taken = server.http.post(server.at("/oauth2/revoke")).form(&[("token", &revoked)]);
        Answer::to(taken.header("authorization", owner.basic())).await;
        let ownerless = issued(&server, token_path, &disabled).await;
        let disable = format!("/clients/{}/disable", disabled.id);
        assert_eq!(Answer::to(server.manage("POST", &disable)).await.status, 200);
        let forged = OTHER_RSA.jwt("forged", &json!({"sub": owner.id, "iss": server.url}));
        let mine = format!("\"{}\"", owner.id);
        for (who, token, expected) in [
            (owner.basic(), good.as_str(), mine.as_str()),
            (inspector.basic(), &good, &mine),
            (stranger.basic(), &good, "nothing"),
            (inspector.basic(), &revoked, "nothing"),
            (inspector.basic(), &ownerless, "nothing"),
            (inspector.basic(), &good[1..], "nothing"),
            (inspector.basic(), &forged, "nothing"),
            (inspector.basic(), "unknown", "nothing"),
            (wrong.clone(), &good, "401 invalid_client"),
        ] {
            for accept in FORMS {
                let answer = asked(&server, path, &who, token, accept).await;
                assert_eq!(said(&answer), expected, "{token_path}, {accept}, {token}");
            }
        }
        let enable = format!("/clients/{}/enable", disabled.id);
        assert_eq!(Answer::to(server.manage("POST", &enable)).await.status, 200);
    }
}
