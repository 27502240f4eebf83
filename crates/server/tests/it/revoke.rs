//! `POST /oauth2/revoke`: a client takes its own token back.

use tempfile::TempDir;

use crate::support::jwt::{JWT_BEARER, KeyClient, Pair, RSA, fresh, now};
use crate::support::{Answer, Options, Server, basic};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

async fn revoke(server: &Server, authorization: &str, form: &[(&str, &str)]) -> Answer {
    let mut request = server.http.post(server.at("/oauth2/revoke")).form(form);
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    Answer::to(request).await
}

fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{answer:?}");
    // There is nothing to parse, and nothing says that there is.
    assert_eq!(answer.header("content-type"), "", "{answer:?}");
    assert_eq!(answer.header("content-length"), "0", "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_from_then_on() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let (token, other) = (server.token_of(&client).await, server.token_of(&client).await);
    assert_eq!(server.tokeninfo(&token).await.status, 200);

    let done = revoke(&server, &client.basic(), &[("token", &token)]).await;

    assert_done(&done);
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    assert_eq!(server.tokeninfo(&other).await.status, 200);
    // Again is fine too (RFC 7009 section 2.2).
    assert_done(&revoke(&server, &client.basic(), &[("token", &token)]).await);
    assert_eq!(server.tokeninfo(&server.token_of(&client).await).await.status, 200);
}

#[tokio::test]
async fn every_way_of_authenticating_may_revoke() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let signing = server.key_client(&RSA).await;

    let token = server.token_of(&client).await;
    let form = [("token", &*token), ("client_id", &client.id), ("client_secret", &client.secret)];
    assert_done(&revoke(&server, "", &form).await);
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");

    let token = signing.send(&server, &signing.assertion()).await.text_at("/access_token");
    let assertion = signing.assertion();
    let hint = ("token_type_hint", "access_token");
    let form = [("token", &*token), JWT_BEARER, ("client_assertion", &assertion), hint];
    assert_done(&revoke(&server, "", &form).await);
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn what_is_worth_nothing_already_is_a_success() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;

    for worthless in ["nonsense", "a.b.c", ".", &token[1..], &"x".repeat(20_000)] {
        for hint in ["access_token", "refresh_token", "something"] {
            let form = [("token", worthless), ("token_type_hint", hint)];
            assert_done(&revoke(&server, &client.basic(), &form).await);
        }
    }
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn t35_nobody_revokes_the_token_of_another() {
    let server = Server::start_with(quick());
    let (client, other) = (server.register().await, server.register().await);
    let signing = server.key_client(&RSA).await;
    let token = server.token_of(&client).await;

    let refused = revoke(&server, &other.basic(), &[("token", &token)]).await;
    let assertion = signing.assertion();
    let form = [("token", &*token), JWT_BEARER, ("client_assertion", &assertion)];
    let refused_too = revoke(&server, "", &form).await;

    refused.assert_error(400, "invalid_request");
    refused_too.assert_error(400, "invalid_request");
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn t35_a_stranger_revokes_nothing() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;
    let bearer = format!("Bearer {token}");
    let wrong = basic(&client.id, "wrong");
    let id = ("client_id", client.id.as_str());

    for (authorization, form) in [
        ("", vec![("token", &*token)]),
        ("", vec![("token", &*token), id]),
        ("", vec![("token", &*token), id, ("client_secret", "wrong")]),
        (&wrong, vec![("token", &*token)]),
        (&bearer, vec![("token", &*token)]),
        // Who asks is answered first, whatever the token is.
        (&wrong, vec![("token", "nonsense")]),
    ] {
        let answer = revoke(&server, authorization, &form).await;
        answer.assert_error(401, "invalid_client");
    }
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn a_request_without_exactly_one_token_is_invalid() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;

    for form in [&[][..], &[("token", "")], &[("token", &*token), ("token", &token)]] {
        let answer = revoke(&server, &client.basic(), form).await;
        answer.assert_error(400, "invalid_request");
    }
    let in_the_query = server
        .http
        .post(server.at(&format!("/oauth2/revoke?token={token}")))
        .header("authorization", client.basic())
        .form(&[("token", &token)]);
    Answer::to(in_the_query).await.assert_error(400, "invalid_request");
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}

#[tokio::test]
async fn a_token_without_jti_cannot_be_revoked_and_says_so() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, RSA.pem()).unwrap();
    let server = Server::start_with(
        Options::default()
            .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "ours"),
    );
    let client = server.register().await;
    let claims = serde_json::json!({"iss": server.url, "sub": client.id, "exp": now() + 60});
    let token = RSA.jwt("ours", &claims);

    let answer = revoke(&server, &client.basic(), &[("token", &token)]).await;

    answer.assert_error(400, "unsupported_token_type");
}

#[tokio::test]
async fn a_revocation_survives_a_restart() {
    let directory = TempDir::new().unwrap();
    let options = quick().with("MIA_JWT_ISSUER", "the-issuer").in_directory(directory.path());
    let server = Server::start_with(options.clone());
    let client = server.register().await;
    let (token, kept) = (server.token_of(&client).await, server.token_of(&client).await);
    assert_done(&revoke(&server, &client.basic(), &[("token", &token)]).await);
    drop(server);

    let server = Server::start_with(options);

    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    assert_eq!(server.tokeninfo(&kept).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_no_token_to_revoke() {
    let server = Server::start_with(
        quick().with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "EdDSA,RS256"),
    );
    let pair = Pair::ed25519();
    let client = server.key_client(&pair).await;
    let unused = client.changed(&serde_json::json!({"jti": fresh()}));
    let assertion = client.assertion();

    let form = [("token", &*unused), JWT_BEARER, ("client_assertion", &assertion)];
    let done = revoke(&server, "", &form).await;

    assert_done(&done);
    let KeyClient { id, .. } = &client;
    assert_eq!(client.send(&server, &unused).await.status, 200, "{id}");
}
