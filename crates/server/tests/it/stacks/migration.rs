//! `tokenwright migrate-store`: clients move, and never notice.

use crud_service::Definition;
use serde_json::json;

use super::ground::{Ground, Stack, key_client};
use crate::support::cli::{Ended, run};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server};

/// Runs the command with what both grounds say.
fn migrate(from: &Ground, to: &Ground, arguments: &[&str]) -> Ended {
    run_with(Vec::new(), from, to, arguments)
}

/// As `migrate`, with this data directory.
fn migrate_in(directory: &str, from: &Ground, to: &Ground, arguments: &[&str]) -> Ended {
    let name = "TOKENWRIGHT__DATA_DIRECTORY".to_owned();
    run_with(vec![(name, directory.to_owned())], from, to, arguments)
}

fn run_with(first: Vec<(String, String)>, from: &Ground, to: &Ground, arguments: &[&str]) -> Ended {
    let mut variables = first;
    variables.extend(from.options.variables());
    for (name, value) in to.options.variables() {
        if !variables.iter().any(|(it, _)| *it == name) {
            variables.push((name, value));
        }
    }
    let pairs: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let folder = if from.stack == Stack::Sqlite { from.folder() } else { to.folder() };
    let output: &[&str] = if arguments.contains(&"--output") { &[] } else { &["--output", "json"] };
    run(&folder, &pairs, &[&["migrate-store"], output, arguments].concat())
}

struct Moved {
    secret: Client,
    rotated: Client,
    signing: crate::support::jwt::KeyClient,
    disabled: Client,
}

async fn furnished(server: &Server) -> Moved {
    let body = json!({"permissions": ["a:read"], "audience": ["orders"], "metadata": {"zone": "b", "n": 1.5}});
    let secret = server.create_client(body).await;
    let path = format!("/clients/{}/secrets", secret.id);
    let added = Answer::to(server.manage("POST", &path).json(&json!({"name": "second"}))).await;
    let rotated = Client { id: secret.id.clone(), secret: added.text_at("/client_secret") };
    let document = json!({"name": "The orders", "scopes": []});
    let put = server.manage("PUT", "/resources/orders").header("if-none-match", "*");
    assert_eq!(Answer::to(put.json(&document)).await.status, 201);
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
        let resource = Answer::to(server.manage("GET", "/resources/orders")).await;
        assert_eq!(resource.text_at("/name"), "The orders");
        let refused = server.token(&self.disabled.basic(), &[GRANT]).await;
        assert_eq!(refused.outcome(), "401 invalid_client", "{refused:?}");
        let shown = server.manage("GET", &format!("/clients/{}", self.secret.id));
        assert_eq!(Answer::to(shown).await.json()["metadata"], json!({"zone": "b", "n": 1.5}));
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
    assert_eq!(planned["clients"], json!({"read": 8, "copied": 8, "updated": 0, "present": 0}));
    assert_eq!(planned["verification"], json!(null));
    let copied = json!({"scopes": 0, "resources": 1, "outcome": "copied", "differences": []});
    assert_eq!(planned["catalogue"], copied);
    let done = migrate(&source, &target, &arguments).well().json();
    assert_eq!(
        done["clients"],
        json!({"read": 8, "copied": 8, "updated": 0, "present": 0}),
        "{done}"
    );
    assert_eq!(
        done["secrets"],
        json!({"read": 8, "copied": 8, "updated": 0, "present": 0}),
        "{done}"
    );
    assert_eq!(done["verification"]["equal"], json!(true), "{done}");
    assert_eq!(done["catalogue"], copied, "{done}");
    assert_eq!(done["verification"]["target"]["clients"], json!(8), "{done}");
    let again = migrate(&source, &target, &arguments).well().json();
    assert_eq!(again["catalogue"]["outcome"], "present", "{again}");
    assert_eq!(
        again["clients"],
        json!({"read": 8, "copied": 0, "updated": 0, "present": 8}),
        "{again}"
    );

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

/// What is in both stores and differs is named, by a dry run, too, and what is there stays, until
/// somebody says that the source is right.
#[tokio::test]
async fn what_differs_is_named_and_overwritten_only_on_request() {
    let (source, target) = (Ground::of(Stack::Sqlite).await, Ground::of(Stack::Postgres).await);
    let client = source.server().create_client(json!({"permissions": ["a"]})).await;
    let arguments = ["--from", "sqlite", "--to", "postgres"];
    migrate(&source, &target, &arguments).well();
    let server = target.server();
    let extra = server.register().await;
    let path = format!("/clients/{}", client.id);
    let changed = server.manage("PATCH", &path);
    let changed = changed.header("if-match", "*").json(&json!({"permissions": ["b"]}));
    assert_eq!(Answer::to(changed).await.status, 200);
    let rotated =
        Answer::to(server.manage("POST", &format!("{path}/secrets")).json(&json!({}))).await;
    assert_eq!(rotated.status, 201, "{rotated:?}");
    let rotated = Client { id: client.id.clone(), secret: rotated.text_at("/client_secret") };

    let dry = [arguments.as_slice(), &["--dry-run"]].concat();
    for (arguments, said) in
        [(&dry[..], "would be copied"), (&arguments, "Nothing was overwritten")]
    {
        let refused = migrate(&source, &target, arguments).badly(1, said);
        assert!(refused.stderr.contains("--update"), "{refused:?}");
        let told = refused.json();
        assert_eq!(told["complete"], json!(false));
        assert_eq!(told["conflicts"].as_array().unwrap().len(), 1, "{told}");
        assert_eq!(told["conflicts"][0]["client_id"], json!(client.id));
        let what = told["conflicts"][0]["what"].as_str().unwrap();
        assert!(what.starts_with("differs in permissions; secret "), "{what}");
        assert!(what.ends_with("is in the target alone"), "{what}");
        assert!(told["only_in_target"].as_array().unwrap().contains(&json!(extra.id)), "{told}");
    }
    let shown = Answer::to(server.manage("GET", &path)).await;
    assert_eq!(shown.json()["permissions"], json!(["b"]));
    server.token_of(&rotated).await;

    let update = [arguments.as_slice(), &["--update"]].concat();
    let done = migrate(&source, &target, &update).well().json();

    assert_eq!(done["clients"]["updated"], json!(1), "{done}");
    assert_eq!(done["removed_secrets"], json!(1), "{done}");
    let shown = Answer::to(server.manage("GET", &path)).await;
    assert_eq!(shown.json()["permissions"], json!(["a"]));
    migrate(&source, &target, &arguments).well();
    let restarted = target.server();
    let refused = restarted.token(&rotated.basic(), &[GRANT]).await;
    assert_eq!(refused.outcome(), "401 invalid_client");
    restarted.token_of(&client).await;
    restarted.token_of(&extra).await;
}

/// People read names, too.
#[tokio::test]
async fn people_are_told_what_is_in_the_target_alone() {
    let (source, target) = (Ground::of(Stack::Sqlite).await, Ground::of(Stack::Postgres).await);
    source.server().register().await;
    let extra = target.server().register().await;

    let arguments = ["--from", "sqlite", "--to", "postgres", "--output", "text"];
    let told = migrate(&source, &target, &arguments).well();

    let expected = format!("only in the target: 1\n  {}\n", extra.id);
    assert!(told.stdout.contains(&expected), "{told:?}");
    assert!(told.stdout.contains("both are the same"), "{told:?}");
}

/// As the vendor has it: what is put into the collection begins as a draft.
#[tokio::test]
async fn a_collection_whose_documents_begin_as_drafts_gets_clients_in_use() {
    for definition in [Definition::published(), Definition::extended()] {
        let source = Ground::of(Stack::Sqlite).await;
        let target = Ground::of_vendor(definition).await;
        let (client, disabled) = {
            let server = source.server();
            let disabled = server.register().await;
            let disable = server.manage("POST", &format!("/clients/{}/disable", disabled.id));
            assert_eq!(Answer::to(disable).await.status, 200);
            (server.register().await, disabled)
        };

        let arguments = ["--from", "sqlite", "--to", "crud+mongodb"];
        let done = migrate(&source, &target, &arguments).well().json();

        assert_eq!(done["clients"]["copied"], json!(2), "{done}");
        assert_eq!(done["verification"]["equal"], json!(true), "{done}");
        let server = target.server();
        server.token_of(&client).await;
        let refused = server.token(&disabled.basic(), &[GRANT]).await;
        assert_eq!(refused.outcome(), "401 invalid_client");
        migrate(&source, &target, &arguments).well();
    }
}

/// Neither a directory nor a file comes of it.
#[tokio::test]
async fn a_dry_run_makes_no_embedded_store() {
    let (source, target) = (Ground::of(Stack::Postgres).await, Ground::of(Stack::Sqlite).await);
    source.server().register().await;
    let directory = target.folder().join("not").join("there");
    let elsewhere = directory.to_str().unwrap();

    let dry = ["--from", "postgres", "--to", "sqlite", "--dry-run"];
    let planned = migrate_in(elsewhere, &source, &target, &dry).well().json();

    assert_eq!(planned["clients"]["copied"], json!(1), "{planned}");
    assert_eq!(planned["taken_as_empty"], json!(["sqlite"]), "{planned}");
    let from = ["--from", "sqlite", "--to", "postgres", "--dry-run"];
    migrate_in(elsewhere, &source, &target, &from).badly(1, "does not exist");
    assert!(!target.folder().join("not").exists());
    migrate_in(elsewhere, &source, &target, &dry[..4]).well();
    assert!(directory.join("tokenwright.sqlite").exists());
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
