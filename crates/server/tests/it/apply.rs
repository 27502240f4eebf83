//! `tokenwright apply`: the clients become what a file says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Ended, run};
use crate::support::jwt::GRANT;
use crate::support::{Client, Options, Server, within};

/// A server on SQLite, and the commands beside it.
struct Beside {
    directory: TempDir,
    server: Server,
}

const ENVIRONMENT: [(&str, &str); 2] =
    [("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"), ("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1")];

impl Beside {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut options = Options::default().in_directory(directory.path());
        for (name, value) in ENVIRONMENT {
            options = options.with(name, value);
        }
        Self { server: Server::start_with(options), directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(self.directory.path(), &ENVIRONMENT, arguments)
    }

    fn apply(&self, file: &str, arguments: &[&str]) -> Ended {
        let path = self.path("clients.yaml");
        fs::write(&path, file).unwrap();
        self.run(&[&["apply", "-f", &path], arguments].concat())
    }

    fn json(&self, file: &str, arguments: &[&str]) -> Value {
        self.apply(file, &[&["--output", "json"], arguments].concat()).well().json()
    }

    fn json_of(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--output", "json"], arguments].concat()).well().json()
    }

    fn changes(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["changes"], arguments].concat())
    }

    async fn status(&self, client: &Client) -> u16 {
        self.server.token(&client.basic(), &[GRANT]).await.status.as_u16()
    }

    fn stored(&self, id: &str) -> Option<Value> {
        let shown = self.run(&["--output", "json", "client", "show", id]);
        (shown.code == Some(0)).then(|| shown.json())
    }
}

const TWO: &str = "
clients:
  - client_id: billing
    client_name: Billing
    scope: invoices:read invoices:write
    default_scope: invoices:read
  - client_id: reports
    client_name: Reports
    audience: [https://api.example/reports]
";

fn secret_of(applied: &Value, id: &str) -> Client {
    let secrets = applied["secrets"].as_array().unwrap();
    let found = secrets.iter().find(|it| it["client_id"] == id).unwrap();
    Client { id: id.to_owned(), secret: found["client_secret"].as_str().unwrap().to_owned() }
}

/// First a dry run, then the real one, then once more, which has nothing to do.
#[tokio::test]
async fn the_clients_become_what_the_file_says_and_then_nothing_is_to_be_done() {
    let it = Beside::new();
    let other = it.server.create_client(json!({})).await;

    let dry = it.apply(TWO, &["--output", "json", "--dry-run"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(3), ""), "{dry:?}");
    let would = dry.json();
    assert_eq!((&would["change_set"], &would["secrets"]), (&Value::Null, &json!([])));
    assert_eq!(would["not_in_file"], json!([other.id]));
    assert_eq!(it.stored("billing"), None);

    let applied = it.json(TWO, &["--note", "the first two"]);
    assert_eq!(applied["clients"], would["clients"]);
    let billing = secret_of(&applied, "billing");
    it.server.token_of(&billing).await;
    it.server.token_of(&secret_of(&applied, "reports")).await;
    assert_eq!(it.status(&other).await, 200);

    let again = it.json(TWO, &[]);
    assert_eq!((&again["change_set"], &again["clients"]), (&Value::Null, &json!([])));
    assert_eq!(again["unchanged"], 2);
    assert_eq!(it.apply(TWO, &["--dry-run"]).code, Some(0));
    it.server.token_of(&billing).await;
}

#[tokio::test]
async fn what_is_left_out_is_what_it_is_for_a_new_client_but_for_the_state() {
    let it = Beside::new();
    let applied = it.json(TWO, &[]);
    let billing = secret_of(&applied, "billing");
    it.run(&["client", "disable", "billing"]).well();

    let less = "clients: [{client_id: billing, client_name: Billing}]";
    let changed = it.json(less, &[]);

    let members = &changed["clients"][0]["members"];
    assert_eq!(members["scope"], json!({"before": "invoices:read invoices:write", "after": ""}));
    assert_eq!(members["default_scope"]["after"], Value::Null);
    let stored = it.stored("billing").unwrap();
    assert_eq!((&stored["__STATE__"], &stored["scope"]), (&json!("TRASH"), &json!("")));
    assert_eq!(changed["secrets"], json!([]));
    let on = "clients: [{client_id: billing, client_name: Billing, __STATE__: PUBLIC}]";
    it.json(on, &[]);
    within(Duration::from_secs(10), "the client to be back", async || {
        (it.status(&billing).await == 200).then_some(())
    })
    .await;
}

/// The server notices within its stated bound.
#[tokio::test]
async fn clients_that_are_not_in_the_file_go_only_where_it_is_told_so_and_come_back() {
    let it = Beside::new();
    let first = it.json(TWO, &[]);
    let reports = secret_of(&first, "reports");
    it.server.token_of(&reports).await;
    let one = TWO.split("  - client_id: reports").next().unwrap();

    let named = it.apply(one, &[]).well().stdout;
    assert!(named.contains("left alone (1; --prune would delete them): reports"));
    assert!(it.stored("reports").is_some());
    let dry = it.apply(one, &["--prune", "--dry-run"]);
    assert_eq!(dry.code, Some(3), "{dry:?}");
    assert!(dry.stdout.contains("delete  reports"), "{dry:?}");
    assert!(it.stored("reports").is_some());

    let pruned = it.json(one, &["--prune"]);
    assert_eq!(pruned["clients"][0]["change"], "delete");
    let ((), took) = within(Duration::from_secs(10), "the bound", async || {
        (it.status(&reports).await == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_millis(2_500), "{took:?}");

    let id = pruned["change_set"].as_str().unwrap();
    let listed = it.changes(&["list"]).well().stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.lines().next().unwrap().starts_with(id), "{listed}");
    let shown = it.changes(&["diff", id]).well().stdout;
    assert!(shown.contains("committed") && shown.contains("delete  reports"), "{shown}");
    it.changes(&["roll-back", id]).well();
    within(Duration::from_secs(15), "the client to be back", async || {
        (it.status(&reports).await == 200).then_some(())
    })
    .await;
    it.changes(&["roll-back", id]).badly(1, "rolled_back");
    it.changes(&["roll-back", "nothing"]).badly(1, "there is no change set with this id");
    it.changes(&["diff", "a b"]).badly(1, "change set id");
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_changed() {
    let directory = TempDir::new().unwrap();
    let apply = |file: &str| {
        let path = directory.path().join("clients.yaml");
        fs::write(&path, file).unwrap();
        run(directory.path(), &ENVIRONMENT, &["apply", "-f", path.to_str().unwrap()])
    };
    let file = "
clients:
  - {client_id: fine, client_name: Fine}
  - {client_id: fine, client_name: Twice}
  - {client_id: a, client_name: A, scope: 7, default_scope: x, colour: red}
  - {client_id: b, client_name: B, client_secret: hunter2}
  - {client_name: C}
";
    let ended = apply(file).badly(1, "5 mistakes");
    for said in [
        "clients[1].client_id: fine stands at clients[0] already",
        "clients[2].scope: must be a text",
        "clients[2].colour: is not a member of a client",
        "clients[3].client_secret: a file may not hold secrets",
        "clients[4].client_id: is required",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    assert!(!ended.printed().contains("hunter2"));
    assert_eq!(ended.stdout, "");
    apply("clients: [").badly(1, "line ");
    apply("client: []").badly(1, "client: is not known here");
    let missing = run(directory.path(), &ENVIRONMENT, &["apply", "-f", "nowhere.yaml"]);
    missing.badly(1, "nowhere.yaml cannot be read");
    run(directory.path(), &ENVIRONMENT, &["apply"]).badly(2, "--file");
    let listed = run(directory.path(), &ENVIRONMENT, &["--output", "json", "client", "list"]);
    assert_eq!(listed.well().json()["clients"], json!([]));
    let nothing = apply("clients: []").well();
    assert_eq!(nothing.stdout, "Nothing to change.\n");
}

/// A problem that only the store knows is told with its place in the file, too.
#[tokio::test]
async fn an_id_that_was_deleted_for_good_is_refused_with_its_place() {
    let it = Beside::new();
    let gone = it.server.create_client(json!({})).await;
    it.run(&["client", "delete", &gone.id]).well();
    let file = format!("{TWO}  - {{client_id: {}, client_name: Again}}\n", gone.id);

    let refused = it.apply(&file, &[]);

    refused.badly(1, "clients[2]: a client with this id was deleted");
    assert_eq!(it.stored("billing"), None);
}

#[test]
fn secrets_go_to_a_file_of_their_own_or_nothing_is_changed() {
    let it = Beside::new();
    let secrets = it.path("secrets.json");
    fs::write(&secrets, "precious").unwrap();
    it.apply(TWO, &["--secrets-file", &secrets]).badly(1, "secrets.json cannot be made");
    assert_eq!(fs::read_to_string(&secrets).unwrap(), "precious");
    assert_eq!(it.stored("billing"), None);
    fs::remove_file(&secrets).unwrap();

    let applied = it.apply(TWO, &["--secrets-file", &secrets]).well();

    let written: Value = serde_json::from_slice(&fs::read(&secrets).unwrap()).unwrap();
    assert_eq!(written.as_array().unwrap().len(), 2);
    for secret in written.as_array().unwrap() {
        assert!(!applied.printed().contains(secret["client_secret"].as_str().unwrap()));
    }
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    // A full disk, and everything is as it was.
    let more = format!("{TWO}  - {{client_id: third, client_name: Third}}\n");
    if Path::new("/dev/full").exists() {
        let link = it.path("full.json");
        // `create_new` follows no link: the file must not be there.
        std::os::unix::fs::symlink("/dev/full", &link).unwrap();
        it.apply(&more, &["--secrets-file", &link]).badly(1, "full.json cannot be made");
        assert_eq!(it.stored("third"), None);
    }
}

/// Two that run at once: both are what the file says, or one is told that it came too late.
#[test]
fn two_that_run_at_once_do_not_mix() {
    let it = Beside::new();
    fs::write(it.path("a.yaml"), TWO).unwrap();
    fs::write(it.path("b.yaml"), TWO.replace("Billing", "Other")).unwrap();
    let directory = it.directory.path();

    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let start = |name: &'static str| {
            let path = it.path(name);
            scope.spawn(move || run(directory, &ENVIRONMENT, &["apply", "-f", &path]))
        };
        let started = [start("a.yaml"), start("b.yaml")];
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });

    let well = ended.iter().filter(|it| it.code == Some(0)).count();
    assert!(0 < well, "{ended:?}");
    for late in ended.iter().filter(|it| it.code != Some(0)) {
        assert!(late.stderr.contains("somebody else changed clients at the same time"), "{late:?}");
    }
    let drafts = it.run(&["--output", "json", "changes", "list"]).well().json();
    for set in drafts["changes"].as_array().unwrap() {
        assert_eq!(set["state"], "committed", "no draft is left: {drafts}");
    }
}

/// The file and the commands of the page, as they stand there.
#[tokio::test]
async fn the_example_of_the_page_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/changes.md");
    let page = fs::read_to_string(page).unwrap();
    let block = |kind: &str, number: usize| {
        let start = format!("```{kind}\n");
        let found = page.split(start.as_str()).nth(number + 1).unwrap();
        found.split("```").next().unwrap().to_owned()
    };
    let it = Beside::new();
    fs::write(it.path("clients.yaml"), block("yaml", 0)).unwrap();
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        assert_eq!(arguments[0], "tokenwright");
        it.run(&arguments[1..])
    };

    let [dry, first, again] =
        <[Ended; 3]>::try_from(block("sh", 0).lines().map(run).collect::<Vec<_>>()).unwrap();

    assert_eq!((dry.code, first.code, again.code), (Some(3), Some(0), Some(0)));
    assert!(again.stdout.starts_with("Nothing to change."), "{again:?}");
    let written = fs::read(it.path("new-secrets.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let applied = json!({"secrets": written});
    it.server.token_of(&secret_of(&applied, "billing")).await;
    let listed = it.json_of(&["changes", "list"]);
    let id = listed["changes"][0]["id"].as_str().unwrap();
    for line in block("sh", 1).lines() {
        let ended = run(&line.replace("CHANGE_SET", id));
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
    }
    assert_eq!(it.stored("billing"), None);
}
