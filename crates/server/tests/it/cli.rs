//! The command line, on the stores of a server that runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Ended, run};
use crate::support::jwt::{GRANT, KeyClient, RSA};
use crate::support::postgres::Database;
use crate::support::{Answer, Client, Options, Server, claims, within};

/// A server, and the commands beside it.
struct Beside {
    _database: Option<Database>,
    directory: TempDir,
    environment: Vec<(String, String)>,
    server: Server,
}

impl Beside {
    fn on_sqlite() -> Self {
        Self::start(None)
    }

    async fn on_postgres() -> Self {
        Self::start(Some(Database::empty().await))
    }

    fn start(database: Option<Database>) -> Self {
        let directory = TempDir::new().unwrap();
        let mut environment = vec![
            ("TOKENWRIGHT__TOKENS__ALGORITHM".to_owned(), "ES256".to_owned()),
            ("TOKENWRIGHT__CACHE__FRESH_SECONDS".to_owned(), "1".to_owned()),
        ];
        if let Some(database) = &database {
            environment.push(("TOKENWRIGHT__STORES__DEFAULT".to_owned(), "postgres".to_owned()));
            environment.push(("TOKENWRIGHT__POSTGRES__URL".to_owned(), database.url()));
        }
        let mut options = Options::default().in_directory(directory.path());
        for (name, value) in &environment {
            options = options.with(name, value);
        }
        let server = Server::start_with(options);
        Self { _database: database, directory, environment, server }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(self.directory.path(), &environment, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--output", "json"], arguments].concat()).well().json()
    }

    fn create(&self, arguments: &[&str]) -> Client {
        let made = self.json(&[&["client", "create"], arguments].concat());
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Client { id: text("client_id"), secret: text("client_secret") }
    }

    async fn status(&self, client: &Client) -> u16 {
        self.server.token(&client.basic(), &[GRANT]).await.status.as_u16()
    }

    /// Waits until the server, which may remember the client for a second, gives this answer.
    async fn until(&self, client: &Client, status: u16) {
        let ((), took) = within(Duration::from_secs(10), "the bound", async || {
            (self.status(client).await == status).then_some(())
        })
        .await;
        assert!(took < Duration::from_millis(2_500), "{took:?}");
    }
}

async fn a_client_lives_its_whole_life(it: Beside) {
    let arguments = ["billing", "--permission", "a", "--permission", "b", "--audience", "orders"];
    let client = it.create(&[&arguments[..], &["--scope", "clients:read"]].concat());
    let form = [GRANT, ("audience", "orders"), ("scope", "clients:read")];
    let token = it.server.token(&client.basic(), &form).await.text_at("/access_token");
    let said = claims(&token);
    assert_eq!((&said["permissions"], &said["aud"]), (&json!(["a", "b"]), &json!(["orders"])));
    assert_eq!(said["scope"], "clients:read");

    let shown = it.json(&["client", "show", &client.id]);
    let request = it.server.http.get(it.server.at(&format!("/clients/{}", client.id)));
    // The one above is for orders, who must not manage with it.
    let form = [GRANT, ("scope", "clients:read")];
    let manager = it.server.token(&client.basic(), &form).await.text_at("/access_token");
    let over_http = Answer::to(request.bearer_auth(&manager)).await.json();
    for member in ["client_id", "client_name", "permissions", "audience", "scope", "__STATE__"] {
        assert_eq!(shown[member], over_http[member], "{member}");
    }
    assert_eq!(shown["client_name"], "billing");
    let listed = it.json(&["client", "list", "--search", "bill"]);
    assert_eq!(listed["clients"][0]["client_id"], client.id.as_str());
    assert_eq!(listed["has_more"], false);

    assert_eq!(it.json(&["client", "disable", &client.id])["__STATE__"], "TRASH");
    it.until(&client, 401).await;
    within(Duration::from_secs(5), "the end of its tokens", async || {
        (it.server.tokeninfo(&token).await.status == 401).then_some(())
    })
    .await;
    assert_eq!(it.json(&["client", "enable", &client.id])["__STATE__"], "PUBLIC");
    it.until(&client, 200).await;

    assert_eq!(it.json(&["client", "delete", &client.id])["client_id"], client.id.as_str());
    it.until(&client, 401).await;
    let unknown = it.run(&["client", "show", &client.id]);
    unknown.badly(1, "there is no client with this id");
}

#[tokio::test]
async fn a_client_lives_its_whole_life_on_sqlite() {
    a_client_lives_its_whole_life(Beside::on_sqlite()).await;
}

#[tokio::test]
async fn a_client_lives_its_whole_life_on_postgres() {
    a_client_lives_its_whole_life(Beside::on_postgres().await).await;
}

/// A script that runs again makes no second client, and learns no secret.
#[tokio::test]
async fn a_client_that_is_there_is_not_made_again() {
    let it = Beside::on_sqlite();
    it.create(&["demonstration"]);
    let client = it.create(&["demo", "--if-absent"]);

    let again = it.json(&["client", "create", "demo", "--if-absent"]);

    assert_eq!(again, json!({"client_id": client.id, "is_new": false}));
    assert_eq!(it.json(&["client", "list"])["clients"].as_array().unwrap().len(), 2);
    it.server.token_of(&client).await;
}

/// The old secret works until the overlap has passed, the new one at once.
#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap() {
    let it = Beside::on_sqlite();
    let client = it.create(&["billing"]);
    it.server.token_of(&client).await;
    let rotate = |overlap: &str| {
        let arguments = ["client", "rotate-secret", &client.id, "--overlap", overlap];
        let made = it.json(&[&arguments[..], &["--name", "renewed"]].concat());
        assert_eq!(made["client_id"], client.id.as_str());
        assert!(made["secret_id"].is_string(), "{made}");
        Client { id: client.id.clone(), secret: made["client_secret"].as_str().unwrap().into() }
    };

    let renewed = rotate("3");

    it.server.token_of(&renewed).await;
    it.server.token_of(&client).await;
    let ((), took) = within(Duration::from_secs(10), "the end of the overlap", async || {
        (it.status(&client).await == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_secs(6), "{took:?}");
    it.server.token_of(&renewed).await;

    let last = rotate("0");
    it.server.token_of(&last).await;
    it.until(&renewed, 401).await;
    it.server.token_of(&last).await;
}

#[tokio::test]
async fn people_read_lines() {
    let it = Beside::on_sqlite();
    let made = it.run(&["client", "create", "billing"]).well();
    let lines: Vec<Vec<&str>> =
        made.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[0][0], lines[1][0], lines.len()), ("client_id", "client_secret", 2));
    let client = Client { id: lines[0][1].to_owned(), secret: lines[1][1].to_owned() };
    it.server.token_of(&client).await;
    let id = client.id.as_str();

    let listed = it.run(&["client", "list"]).well().stdout;
    assert_eq!(listed, format!("{id}  PUBLIC   billing\n"));
    let shown = it.run(&["client", "show", id]).well().stdout;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["client_id"], id);
    assert_eq!(it.run(&["client", "disable", id]).well().stdout, format!("{id} is TRASH\n"));
    assert_eq!(it.run(&["client", "enable", id]).well().stdout, format!("{id} is PUBLIC\n"));
    let rotated = it.run(&["client", "rotate-secret", id, "--overlap", "60"]).well().stdout;
    assert!(rotated.starts_with("client_secret  ") && rotated.contains("end in 60 s"), "{rotated}");
    assert_eq!(it.run(&["client", "delete", id]).well().stdout, format!("{id} is deleted\n"));
    let keys = it.run(&["keys", "list"]).well().stdout;
    assert_eq!(keys.lines().count(), 2, "{keys}");
    assert!(keys.contains("  ES256  active\n") && keys.contains("  ES256  next\n"), "{keys}");
    assert_eq!(it.run(&["migrate"]).well().stdout, "sqlite: nothing to do\n");
}

#[tokio::test]
async fn clients_are_listed_a_page_at_a_time() {
    let it = Beside::on_sqlite();
    for _ in 0..3 {
        it.server.register().await;
    }

    let first = it.json(&["client", "list", "--limit", "2"]);
    let last = first["clients"][1]["client_id"].as_str().unwrap();
    let second = it.json(&["client", "list", "--limit", "2", "--after", last]);

    assert_eq!((first["clients"].as_array().unwrap().len(), &first["has_more"]), (2, &json!(true)));
    let rest = second["clients"].as_array().unwrap();
    assert_eq!((rest.len(), &second["has_more"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_client_may_bring_a_key() {
    let it = Beside::on_sqlite();
    let path = it.directory.path().join("key.json");
    let create = || it.run(&["client", "create", "a", "--public-key", path.to_str().unwrap()]);
    create().badly(1, "key.json cannot be read");
    fs::write(&path, "[]").unwrap();
    create().badly(1, "key.json holds no JWK");
    fs::write(&path, r#"{"kty":"oct","kid":"k","k":"AAAA"}"#).unwrap();
    create().badly(1, "public_key");
    fs::write(&path, RSA.jwk(KeyClient::KID).to_string()).unwrap();

    let made = create().well().stdout;

    let id = made.trim().strip_prefix("client_id").unwrap().trim().to_owned();
    let client = KeyClient { id, pair: RSA.clone(), issuer: it.server.url.clone() };
    client.assert_welcome(&it.server).await;
    it.run(&["client", "rotate-secret", &client.id]).badly(1, "uses private_key_jwt");
}

/// 1 where a command cannot be carried out, 2 where it cannot be understood.
#[test]
fn what_went_wrong_is_said_on_standard_error() {
    let directory = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let ended = run(directory.path(), &[], arguments);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        ended
    };
    for command in ["show", "disable", "enable", "delete", "rotate-secret"] {
        run(&["client", command, "nobody"]).badly(1, "there is no client with this id");
        run(&["client", command, "no body"]).badly(1, "client_id may hold visible ASCII");
        run(&["client", command]).badly(2, "required arguments");
    }
    run(&["client", "create", ""]).badly(1, "client_name");
    run(&["client", "create", "a", "--scope", "a\"b"]).badly(1, "scope");
    run(&["client", "create", "a", "--audience", "a b"]).badly(1, "audience");
    run(&["client", "list", "--limit", "0"]).badly(2, "--limit");
    run(&["client", "list", "--limit", "201"]).badly(2, "--limit");
    run(&["client", "list", "--after", "a b"]).badly(1, "client_id");
    run(&["fly"]).badly(2, "unrecognized subcommand");
    run(&["--output", "xml", "check"]).badly(2, "xml");
    run(&["--config", "nowhere.toml", "check"]).badly(2, "nowhere.toml");
}

#[test]
fn the_commands_need_no_server() {
    let directory = TempDir::new().unwrap();
    let run = |arguments: &[&str]| run(directory.path(), &[], arguments).well();

    let migrated = run(&["--output", "json", "migrate"]).json();
    assert_eq!(migrated[0]["store"], "sqlite");
    assert_eq!(migrated[0]["applied"][0], "0001 initial");
    assert_eq!(run(&["--output", "json", "migrate"]).json()[0]["applied"], json!([]));
    run(&["client", "create", "billing"]);
    assert_eq!(run(&["--output", "json", "client", "list"]).json()["clients"][0]["scope"], "");
    assert_eq!(run(&["keys", "list"]).stdout, "", "keys are made by the first start");
    assert!(run(&["--version"]).stdout.starts_with("tokenwright "));
    assert!(run(&["--help"]).stdout.contains("bootstrap-token"));
}

/// What a command makes while the server is starting, too.
#[tokio::test]
async fn commands_and_servers_do_not_get_in_each_others_way() {
    let directory = TempDir::new().unwrap();
    let servers: Vec<Server> =
        (0..2).map(|_| Server::spawn(Options::default().in_directory(directory.path()))).collect();
    let path: &Path = directory.path();
    let commands: Vec<Ended> = std::thread::scope(|scope| {
        let create = |n: usize| {
            scope.spawn(move || run(path, &[], &["client", "create", &format!("client {n}")]))
        };
        let running: Vec<_> = (0..6).map(create).collect();
        running.into_iter().map(|it| it.join().unwrap()).collect()
    });

    for ended in commands {
        ended.well();
    }
    for server in &servers {
        server.await_log("ready");
    }
    let listed = run(path, &[], &["--output", "json", "client", "list"]).well().json();
    assert_eq!(listed["clients"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_lost_bootstrap_token_is_replaced() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256");
    let server = Server::start_bare(options);
    let status = async |token: &str| {
        let request = server.http.get(server.at("/clients")).bearer_auth(token);
        Answer::to(request).await.status.as_u16()
    };
    let replace = || run(directory.path(), &[], &["bootstrap-token"]).well();

    let first = replace().stdout.trim().to_owned();
    assert_eq!(status(&first).await, 200);
    let second = run(directory.path(), &[], &["--output", "json", "bootstrap-token"]).well();
    let second = second.json()["bootstrap_token"].as_str().unwrap().to_owned();

    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    for (name, value, said) in [
        ("MANAGEMENT_TOKEN", "0123456789abcdef", "management.token is configured"),
        ("TOKENWRIGHT__MANAGEMENT__AUTHENTICATION", "none", "authentication is none"),
    ] {
        run(directory.path(), &[(name, value)], &["bootstrap-token"]).badly(1, said);
    }
}

#[tokio::test]
async fn a_healthcheck_says_whether_a_server_lives() {
    let server = Server::start();
    let directory = TempDir::new().unwrap();
    let port = url::Url::parse(&server.url).unwrap().port().unwrap();
    let check =
        |listen: &str| run(directory.path(), &[("TOKENWRIGHT__LISTEN", listen)], &["healthcheck"]);

    check(&format!("127.0.0.1:{port}")).well();
    check(&format!("0.0.0.0:{port}")).well();
    drop(server);

    check(&format!("127.0.0.1:{port}")).badly(1, "no server at 127.0.0.1");
}

/// As `| head` does: what was to be done is done, and nobody need hear more of it.
#[tokio::test]
async fn a_reader_that_has_heard_enough_is_no_failure() {
    let it = Beside::on_sqlite();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let mut command = crate::support::server::command(it.directory.path());
    command.args(["client", "list"]).envs(it.environment.iter().cloned()).stdout(writer);
    let ended = command.output().unwrap();

    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}
