//! Secrets that other software made: every library writes them in its own way.

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;

use crate::ground::{BASIC, DIALECTS, POST, client, options, step};
use crate::scripts::Library;
use crate::support::Server;

/// Colons, spaces, plus signs and what looks encoded. ASCII: Python's `requests` would send Latin-1.
const SECRET: &str = r#"a:b+c d%41&e="f"/~!"#;

#[tokio::test]
async fn every_library_brings_an_awkward_secret_in_every_dialect() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(options().in_directory(directory.path()));
    let mut clients = Vec::new();
    for method in [BASIC, POST] {
        let mut client = client(&server, method, json!({})).await;
        keep_secret(&directory, client["id"].as_str().unwrap()).await;
        client["secret"] = json!(SECRET);
        clients.push(client);
    }

    for library in [
        Library::Authlib,
        Library::RequestsOauth2client,
        Library::RequestsOauthlib,
        Library::OpenidClient,
        Library::Oauth4webapi,
        Library::SimpleOauth2,
    ] {
        let steps: Vec<_> = DIALECTS
            .iter()
            .flat_map(|it| clients.iter().map(|client| step("token", client, *it, &server)))
            .collect();
        for (outcome, step) in library.takes(&steps).iter().zip(&steps) {
            outcome.told(&format!("{library:?}: {step}"));
        }
    }
}

/// Puts the secret into the store, beside the one that was made.
async fn keep_secret(directory: &TempDir, client: &str) {
    let path = directory.path().join("data/tokenwright.sqlite");
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.unwrap();
    sqlx::query("insert into credentials (client_id, id, hash, created_at) values (?, ?, ?, 1)")
        .bind(client)
        .bind(crate::support::jwt::fresh())
        .bind(bcrypt::hash(SECRET, 4).unwrap())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}
