//! `POST /oauth/token` with a secret.

use serde_json::json;

use crate::support::{Answer, Options, Server, basic, claims, header};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_registered_client_gets_a_token_that_tokeninfo_explains() {
    let server = Server::start();
    let client = server.register().await;

    let answer = server.token(&client.basic(), &[GRANT]).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3_600);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    let token = answer.text_at("/access_token");
    let head = header(&token);
    assert_eq!((&head["alg"], &head["typ"]), (&json!("RS256"), &json!("JWT")));
    let said = claims(&token);
    assert_eq!(said["iss"], server.url);
    assert_eq!(said["sub"], client.id);
    assert_eq!(said["permissions"], json!([]));
    assert!(said.get("aud").is_none() && said.get("scope").is_none(), "{said}");
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 3_600);
    let info = server.tokeninfo(&token).await;
    assert_eq!((info.status.as_u16(), info.json()), (200, said));
}
