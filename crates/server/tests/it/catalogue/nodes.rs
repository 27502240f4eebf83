//! Changes bite on every node, and a store that is out is done without.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use testbed::forwarder::{Forwarder, Mood};

use super::{ORDERS, ORDERS_PATH, ask, manage, put, register, shop};
use crate::support::cli::run;
use crate::support::postgres::{Database, on_postgres, upstream};
use crate::support::{Options, Server, assert_unavailable, within};

const STRICT: (&str, &str) = ("TOKENWRIGHT__CATALOGUE__MODE", "registered");

/// A resource that is removed on one node is refused on the other within `bound`.
async fn a_removal_bites(here: &Server, there: &Server, bound: Duration) {
    register(here, &shop()).await;
    let client = here.create_client(json!({"audience": [ORDERS], "scope": "base"})).await;
    let asked = [("resource", ORDERS)];
    within(bound, "what was registered", async || {
        (ask(there, "/oauth2/token", &client, &asked).await.status == 200).then_some(())
    })
    .await;

    assert_eq!(manage(here, "DELETE", ORDERS_PATH).await.status, 204);

    ask(here, "/oauth2/token", &client, &asked).await.assert_error(400, "invalid_target");
    let (refused, _) = within(bound, "what was removed", async || {
        let answer = ask(there, "/oauth2/token", &client, &asked).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn t34_a_removal_bites_on_another_node_at_once_with_a_feed() {
    let database = Database::empty().await;
    // What is told by nobody bites in 30 seconds.
    let options =
        database.options().with(STRICT.0, STRICT.1).with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "30");
    let (here, there) = (Server::start_with(options.clone()), Server::start_with(options));

    a_removal_bites(&here, &there, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn t34_a_removal_bites_on_another_node_within_the_bound_without_a_feed() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with(STRICT.0, STRICT.1)
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "2");
    let (here, there) = (Server::start_with(options.clone()), Server::start_with(options));

    a_removal_bites(&here, &there, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn t48_while_the_store_is_out_what_was_registered_counts_and_nothing_is_changed() {
    let database = Database::empty().await;
    let way = Forwarder::start(upstream(), Mood::Open);
    let options = on_postgres(&database.url_through(way.port))
        .with(STRICT.0, STRICT.1)
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1");
    let server = Server::start_with(options);
    register(&server, &shop()).await;
    let client =
        server.create_client(json!({"scope": "base orders:read", "audience": [ORDERS]})).await;
    let good = [("scope", "orders:read"), ("resource", ORDERS)];
    let bad = [("scope", "base"), ("resource", ORDERS)];
    assert_eq!(ask(&server, "/oauth2/token", &client, &good).await.status, 200);

    way.set(Mood::Out);

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&server, "/oauth2/token", &client, &good).await.status, 200);
    ask(&server, "/oauth2/token", &client, &bad).await.assert_error(400, "invalid_scope");
    for (method, path) in [("GET", "/catalogue"), ("GET", "/scopes/base"), ("DELETE", ORDERS_PATH)]
    {
        assert_unavailable(path, server.manage(method, path)).await;
    }
    let change = server.manage("PUT", "/scopes/new").header("if-none-match", "*").json(&json!({}));
    assert_unavailable("a change", change).await;
    let metadata = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["scopes_supported"], json!(["base", "orders:read"]));
    way.set(Mood::Open);
    within(Duration::from_secs(20), "the store", async || {
        let made = put(&server, "/scopes/new", "new", &json!({})).await;
        (made.status == 201).then_some(())
    })
    .await;
}

/// What is not understood whole may be what forbids something.
#[tokio::test]
async fn t32_a_catalogue_that_is_not_understood_changes_nothing() {
    let database = Database::empty().await;
    let server = Server::start_with(database.options());
    register(&server, &shop()).await;
    let client = server.create_client(json!({"scope": "base", "audience": [ORDERS]})).await;

    database
        .execute("update catalogue set document = replace(document, ']}', '],\"forbids\":1}')")
        .await;
    server.await_log("the catalogue cannot be read again");

    let asked = [("scope", "base"), ("resource", ORDERS)];
    ask(&server, "/oauth2/token", &client, &asked).await.assert_error(400, "invalid_scope");
    manage(&server, "GET", "/catalogue").await.assert_error(500, "server_error");
    // Whoever mends it needs the other commands.
    let directory = TempDir::new().unwrap();
    let variables = database.options().variables();
    let variables: Vec<_> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    run(directory.path(), &variables, &["client", "list"]).well();
    let shown = run(directory.path(), &variables, &["catalogue", "show"]);
    shown.badly(1, "forbids: is not known here");
    server.token_of(&client).await;
}
