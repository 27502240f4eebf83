//! `tokenwright migrate-store`: clients move, and never notice.

use serde_json::json;

use super::ground::{Ground, Stack, key_client};
use crate::support::cli::{Ended, run};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server};

/// Runs the command with what both grounds say.
fn migrate(from: &Ground, to: &Ground, arguments: &[&str]) -> Ended {
    let mut variables = from.options.variables();
    for (name, value) in to.options.variables() {
        if !variables.iter().any(|(it, _)| *it == name) {
            variables.push((name, value));
        }
    }
    let pairs: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let folder = if from.stack == Stack::Sqlite { from.folder() } else { to.folder() };
    run(&folder, &pairs, &[&["migrate-store", "--output", "json"], arguments].concat())
}

struct Moved {
    secret: Client,
    rotated: Client,
    signing: crate::support::jwt::KeyClient,
    disabled: Client,
}

async fn furnished(server: &Server) -> Moved {
    let body = json!({"permissions": ["a:read"], "audience": ["orders"], "metadata": {"n": 1.5}});
    let secret = server.create_client(body).await;
    let path = format!("/clients/{}/secrets", secret.id);
    let added = Answer::to(server.manage("POST", &path).json(&json!({"name": "second"}))).await;
    let rotated = Client { id: secret.id.clone(), secret: added.text_at("/client_secret") };
    let disabled = server.create_client(json!({})).await;
    let disable = server.manage("POST", &format!("/clients/{}/disable", disabled.id));
    assert_eq!(Answer::to(disable).await.status, 200);
    for _ in 0..5 {
        server.register().await;
    }
    Moved { secret, rotated, signing: key_client(server).await, disabled }
}

impl Moved {
    /// Whoever had a token gets one, with what was said before; nobody else does.
    async fn live_on(&self, server: &Server) {
        for client in [&self.secret, &self.rotated] {
            let answer = server.token(&client.basic(), &[GRANT, ("audience", "orders")]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let said = crate::support::claims(&answer.text_at("/access_token"));
            assert_eq!(said["permissions"], json!(["a:read"]));
        }
        self.signing.assert_welcome(server).await;
        let refused = server.token(&self.disabled.basic(), &[GRANT]).await;
        assert_eq!(refused.outcome(), "401 invalid_client", "{refused:?}");
        let shown = server.manage("GET", &format!("/clients/{}", self.secret.id));
        assert_eq!(Answer::to(shown).await.json()["metadata"], json!({"n": 1.5}));
    }
}

async fn clients_move(from: Stack, names: (&str, &str), to: Stack) {
    let (source, target) = (Ground::of(from).await, Ground::of(to).await);
    let moved = {
        let server = source.server();
        furnished(&server).await
    };
    let arguments = ["--from", names.0, "--to", names.1];
    let dry = [arguments.as_slice(), &["--dry-run"]].concat();

    let planned = migrate(&source, &target, &dry).well().json();
    assert_eq!((&planned["dry_run"], &planned["complete"]), (&json!(true), &json!(true)));
    assert_eq!(planned["clients"], json!({"read": 8, "copied": 8, "present": 0}));
    assert_eq!(planned["verification"], json!(null));
    let done = migrate(&source, &target, &arguments).well().json();
    assert_eq!(done["clients"], json!({"read": 8, "copied": 8, "present": 0}), "{done}");
    assert_eq!(done["secrets"], json!({"read": 8, "copied": 8, "present": 0}), "{done}");
    assert_eq!(done["verification"]["equal"], json!(true), "{done}");
    assert_eq!(done["verification"]["target"]["clients"], json!(8), "{done}");
    let again = migrate(&source, &target, &arguments).well().json();
    assert_eq!(again["clients"], json!({"read": 8, "copied": 0, "present": 8}), "{again}");

    moved.live_on(&target.server()).await;
}

#[tokio::test]
async fn from_the_embedded_store_to_postgres() {
    clients_move(Stack::Sqlite, ("sqlite", "postgres"), Stack::Postgres).await;
}

#[tokio::test]
async fn from_postgres_to_the_vendors_stores() {
    clients_move(Stack::Postgres, ("postgres", "crud+mongodb"), Stack::Mia).await;
}

#[tokio::test]
async fn from_the_vendors_stores_to_the_embedded_one() {
    clients_move(Stack::Mia, ("crud+mongodb", "sqlite"), Stack::Sqlite).await;
}

/// The store that is moved to refuses, and what is there stays.
#[tokio::test]
async fn what_stands_in_the_way_is_named_and_nothing_is_overwritten() {
    let (source, target) = (Ground::of(Stack::Sqlite).await, Ground::of(Stack::Postgres).await);
    let client = source.server().create_client(json!({"permissions": ["a"]})).await;
    let arguments = ["--from", "sqlite", "--to", "postgres"];
    migrate(&source, &target, &arguments).well();
    let server = target.server();
    let changed = server.manage("PATCH", &format!("/clients/{}", client.id));
    let changed = changed.header("if-match", "*").json(&json!({"permissions": ["b"]}));
    assert_eq!(Answer::to(changed).await.status, 200);

    let refused = migrate(&source, &target, &arguments);

    assert_eq!(refused.code, Some(1), "{refused:?}");
    let said = refused.json();
    assert_eq!(said["complete"], json!(false));
    assert_eq!(said["conflicts"][0]["client_id"], json!(client.id));
    assert!(refused.stderr.contains("Nothing was overwritten"), "{refused:?}");
    let shown = Answer::to(server.manage("GET", &format!("/clients/{}", client.id))).await;
    assert_eq!(shown.json()["permissions"], json!(["b"]));
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let ground = Ground::of(Stack::Sqlite).await;
    for (arguments, said) in [
        (["--from", "sqlite", "--to", "postgres"], "postgres.url is not set"),
        (["--from", "sqlite", "--to", "crud+sqlite"], "crud.base_url is not set"),
        (["--from", "sqlite", "--to", "sqlite"], "the same stores"),
    ] {
        let refused = migrate(&ground, &ground, &arguments);
        assert!(refused.code == Some(1) && refused.stderr.contains(said), "{refused:?}");
    }
    let refused = migrate(&ground, &ground, &["--from", "crud", "--to", "sqlite"]);
    assert!(refused.stderr.contains("keeps no secrets"), "{refused:?}");
}

/// Whoever is served by the target meanwhile hears of what arrives, and nothing is lost of what it
/// had.
#[tokio::test]
async fn a_running_server_serves_what_arrives() {
    let (source, target) = (Ground::of(Stack::Sqlite).await, Ground::of(Stack::Postgres).await);
    let client = source.server().create_client(json!({})).await;
    let server = target.server_with(Options::default());
    let own = server.register().await;
    let refused = server.token(&client.basic(), &[GRANT]).await;
    assert_eq!(refused.outcome(), "401 invalid_client");

    migrate(&source, &target, &["--from", "sqlite", "--to", "postgres"]).well();

    server.token_of(&client).await;
    server.token_of(&own).await;
}
