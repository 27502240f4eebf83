//! The status routes.

use serde_json::json;

use crate::support::postgres::Database;
use crate::support::{Options, Server};

/// Never below the prefix.
#[tokio::test]
async fn they_say_who_and_how_we_are_outside_of_the_prefix() {
    let options = Options::default()
        .with("SERVICE_PREFIX", "/auth")
        .with("SERVICE_VERSION", "1.2.3")
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256");
    let mut server = Server::start_with(options);
    let below = server.url.clone();
    server.url = below.trim_end_matches("/auth").to_owned();
    let well = json!({"status": "OK", "name": "client-credentials", "version": "1.2.3"});

    for path in ["/-/healthz", "/-/ready"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, well.clone()), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    let checked = server.get("/-/check-up").await;
    let mut named = well;
    named["dependencies"] = json!({"sqlite": "OK"});
    assert_eq!((checked.status.as_u16(), checked.json()), (200, named));
    let metrics = server.get("/-/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text.ends_with("# EOF\n"), "{}", metrics.text);

    server.url = below;
    for path in ["/-/healthz", "/-/ready", "/-/check-up", "/-/metrics"] {
        server.get(path).await.assert_error(404, "not_found");
    }
}

#[tokio::test]
async fn they_answer_get_and_head_only() {
    let server = Server::start();
    for path in ["/-/healthz", "/-/ready", "/-/check-up", "/-/metrics"] {
        let head = server.http.head(server.at(path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        let posted = server.post_json(path, &json!({})).await;
        posted.assert_error(405, "method_not_allowed");
        assert_eq!(posted.header("allow"), "GET, HEAD", "{path}");
    }
}

#[tokio::test]
async fn the_version_is_ours_unless_the_operator_says_another() {
    let server = Server::start();
    let version = server.get("/-/healthz").await.text_at("/version");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn every_store_in_use_is_named() {
    let database = Database::empty().await;
    let options = database.options().with("TOKENWRIGHT__STORES__TOKENS", "sqlite");
    let server = Server::start_with(options);

    let checked = server.get("/-/check-up").await;

    assert_eq!(checked.json()["dependencies"], json!({"postgres": "OK", "sqlite": "OK"}));
    let all_in_memory = Options::default().with("TOKENWRIGHT__STORES__DEFAULT", "memory");
    let server = Server::start_with(all_in_memory);
    let checked = server.get("/-/check-up").await;
    assert_eq!((checked.status.as_u16(), &checked.json()["dependencies"]), (200, &json!({})));
    server.token_of(&server.register().await).await;
}
