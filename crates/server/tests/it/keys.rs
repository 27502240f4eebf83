//! The keys that sign tokens.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use openssl::symm::Cipher;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::run;
use crate::support::jwt::{Pair, RSA};
use crate::support::postgres::Database;
use crate::support::{Client, Options, Server, header, within};

const PASSWORD: &str = "throw-away password";

async fn jwks(server: &Server) -> Vec<Value> {
    let answer = server.get("/.well-known/jwks.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json()["keys"].as_array().unwrap().clone()
}

async fn kids(server: &Server) -> BTreeSet<String> {
    jwks(server).await.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

/// Every form in which the vendor's key may lie in its file.
fn forms() -> [(&'static str, Vec<u8>, &'static str); 6] {
    let rsa = RSA.key.rsa().unwrap();
    let legacy = |cipher| {
        let pem = rsa.private_key_to_pem_passphrase(cipher, PASSWORD.as_bytes()).unwrap();
        assert!(String::from_utf8_lossy(&pem).contains("Proc-Type: 4,ENCRYPTED"));
        pem
    };
    let pkcs8 = |cipher| {
        let key = &RSA.key;
        key.private_key_to_pem_pkcs8_passphrase(cipher, PASSWORD.as_bytes()).unwrap()
    };
    [
        ("PKCS#1", rsa.private_key_to_pem().unwrap(), ""),
        ("PKCS#8", RSA.pem().into_bytes(), ""),
        ("encrypted PKCS#8", pkcs8(Cipher::aes_256_cbc()), PASSWORD),
        ("encrypted PKCS#8, 3DES", pkcs8(Cipher::des_ede3_cbc()), PASSWORD),
        ("legacy AES", legacy(Cipher::aes_128_cbc()), PASSWORD),
        ("legacy 3DES", legacy(Cipher::des_ede3_cbc()), PASSWORD),
    ]
}

#[tokio::test]
async fn the_vendors_key_signs_in_every_form() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("private.pem");
    for (form, pem, password) in forms() {
        fs::write(&path, pem).unwrap();
        let options = Options::default()
            .in_directory(directory.path())
            .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "of-the-vendor")
            .with("PRIVATE_KEY_PASSWORD", password);
        let server = Server::start_with(options);

        let token = server.token_of(&server.register().await).await;

        assert_eq!(kid(&token), "of-the-vendor", "{form}");
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{form}");
        let public = RSA.jwk("of-the-vendor");
        assert_eq!(jwks(&server).await, [public], "{form}");
        assert!(!directory.path().join("data/keys").exists(), "{form}: nothing else is made");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_told_before_anything_starts() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("private.pem");
    let start = |pem: &[u8], password: &str, arguments: &[&str]| {
        fs::write(&path, pem).unwrap();
        let environment = [
            ("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap()),
            ("PRIVATE_RSA_KEY_ID", "k"),
            ("PRIVATE_KEY_PASSWORD", password),
        ];
        run(directory.path(), &environment, arguments)
    };
    let small = Pair::rsa(1_024).pem();
    let mut wrong: Vec<(String, Vec<u8>, &str)> = vec![
        ("no key".to_owned(), b"no key".to_vec(), ""),
        ("empty".to_owned(), Vec::new(), ""),
        ("too small".to_owned(), small.into_bytes(), ""),
        ("not RSA".to_owned(), Pair::p256().pem().into_bytes(), ""),
        ("public".to_owned(), RSA.key.public_key_to_pem().unwrap(), ""),
    ];
    for (form, pem, password) in forms() {
        if !password.is_empty() {
            wrong.push((format!("{form} with a wrong password"), pem.clone(), "another password"));
            wrong.push((format!("{form} without a password"), pem, ""));
        }
    }
    for (what, pem, password) in wrong {
        for arguments in [&["check"][..], &["serve"]] {
            let ended = start(&pem, password, arguments).badly(1, "private.pem");
            assert!(!ended.printed().contains("another password"), "{what}: {ended:?}");
            assert!(!ended.printed().contains("PRIVATE KEY-----\n"), "{what}: {ended:?}");
            assert_eq!(ended.stdout, "", "{what}");
        }
    }
    fs::remove_file(&path).unwrap();
    let environment =
        [("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap()), ("PRIVATE_RSA_KEY_ID", "k")];
    for arguments in [&["check"][..], &["serve"]] {
        let missing = run(directory.path(), &environment, arguments);
        missing.badly(1, "private.pem").badly_because_it_is_missing();
    }
    for (half, other) in
        [(environment[0], "PRIVATE_RSA_KEY_ID"), (environment[1], "PRIVATE_RSA_KEY_FILE_PATH")]
    {
        run(directory.path(), &[half], &["check"]).badly(2, other);
    }
}

impl crate::support::cli::Ended {
    fn badly_because_it_is_missing(self) {
        assert!(self.stderr.contains("No such file"), "{self:?}");
    }
}

/// As the vendor's service does.
#[tokio::test]
async fn a_password_beside_a_plain_key_is_ignored_with_a_warning() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("private.pem");
    fs::write(&path, RSA.pem()).unwrap();
    let options = Options::default()
        .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
        .with("PRIVATE_RSA_KEY_ID", "k")
        .with("PRIVATE_KEY_PASSWORD", PASSWORD);
    let server = Server::start_with(options);

    server.token_of(&server.register().await).await;

    let is_warning = |line: &Value| {
        line["level"] == 40 && line["msg"].as_str().unwrap().contains("its password is ignored")
    };
    assert!(server.log().iter().any(is_warning), "{}", server.printed());
    assert!(!server.printed().contains(PASSWORD));
}

#[tokio::test]
async fn every_algorithm_signs_with_keys_made_at_the_first_start_which_survive_a_restart() {
    for (algorithm, members) in [
        ("RS256", ["e", "n"].as_slice()),
        ("PS256", &["e", "n"]),
        ("ES256", &["crv", "x", "y"]),
        ("EdDSA", &["crv", "x"]),
    ] {
        let directory = TempDir::new().unwrap();
        let options = Options::default()
            .in_directory(directory.path())
            .with("TOKENWRIGHT__TOKENS__ALGORITHM", algorithm)
            .with("MIA_JWT_ISSUER", "the-issuer");
        let server = Server::start_with(options.clone());
        let client = server.register().await;
        let token = server.token_of(&client).await;
        let published = jwks(&server).await;

        assert_eq!(header(&token)["alg"], algorithm);
        assert_eq!(published.len(), 2, "one signs, one is next");
        for key in &published {
            let expected: BTreeSet<&str> =
                ["alg", "kid", "kty", "use"].iter().chain(members).copied().collect();
            let found: BTreeSet<&str> =
                key.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(found, expected, "no private members");
            assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm), &json!("sig")));
        }
        assert!(kids(&server).await.contains(&kid(&token)));
        assert_eq!(server.tokeninfo(&token).await.status, 200);
        assert_for_the_owner_alone(&directory.path().join("data"));
        drop(server);

        let server = Server::start_with(options);
        assert_eq!(jwks(&server).await, published, "{algorithm}");
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{algorithm}");
        assert_eq!(kid(&server.token_of(&client).await), kid(&token), "{algorithm}");
    }
}

/// 0700 for every directory and 0600 for every file.
fn assert_for_the_owner_alone(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            assert_for_the_owner_alone(&entry.unwrap().path());
        }
    }
}

#[tokio::test]
async fn keys_in_the_data_directory_are_encrypted_where_there_is_a_password() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("MIA_JWT_ISSUER", "the-issuer");
    let encrypted = options.clone().with("TOKENWRIGHT__KEYS__PASSWORD", PASSWORD);
    let server = Server::start_with(encrypted.clone());
    let token = server.token_of(&server.register().await).await;
    drop(server);

    for entry in fs::read_dir(directory.path().join("data/keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "pem") {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{text}");
        }
    }
    let server = Server::start_with(encrypted);
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    drop(server);
    for password in ["", "another password"] {
        let environment = [
            ("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"),
            ("TOKENWRIGHT__KEYS__PASSWORD", password),
        ];
        run(directory.path(), &environment, &["serve"]).badly(1, ".pem");
    }
}

/// A running node, and how its keys are changed from the command line.
struct Turning {
    _database: Option<Database>,
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
    server: Server,
    client: Client,
}

impl Turning {
    async fn on_files() -> Self {
        Self::start(None).await
    }

    async fn on_postgres() -> Self {
        Self::start(Some(Database::empty().await)).await
    }

    async fn start(database: Option<Database>) -> Self {
        let directory = TempDir::new().unwrap();
        let mut environment = vec![
            ("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256".to_owned()),
            ("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1".to_owned()),
            ("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "2".to_owned()),
            ("TOKENWRIGHT__KEYS__CLOCK_SKEW_SECONDS", "0".to_owned()),
        ];
        if let Some(database) = &database {
            environment.push(("TOKENWRIGHT__STORES__DEFAULT", "postgres".to_owned()));
            environment.push(("TOKENWRIGHT__POSTGRES__URL", database.url()));
        }
        let mut options = Options::default().in_directory(directory.path());
        for (name, value) in &environment {
            options = options.with(name, value);
        }
        let server = Server::start_with(options);
        let client = server.register().await;
        Self { _database: database, directory, environment, server, client }
    }

    fn keys(&self, arguments: &[&str]) -> crate::support::cli::Ended {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let arguments = [&["--output", "json", "keys"], arguments].concat();
        run(self.directory.path(), &environment, &arguments)
    }

    /// The kids, newest last, each with its state.
    fn states(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let keys = self.keys(&["list"]).well().json();
        keys.as_array().unwrap().iter().map(|it| (text(&it["kid"]), text(&it["state"]))).collect()
    }

    async fn token(&self) -> String {
        self.server.token_of(&self.client).await
    }
}

/// Two seconds for verifiers, one until every node has read the keys again, and two because either
/// may be late.
const PUBLISHED: Duration = Duration::from_secs(5);

async fn keys_take_turns_while_a_server_runs(it: Turning) {
    let old = it.token().await;
    let before = it.states();
    assert_eq!(before.len(), 2);
    assert_eq!(before[0], (kid(&old), "active".to_owned()));
    tokio::time::sleep(PUBLISHED).await;

    it.keys(&["rotate"]).well();

    let (new, took) = within(Duration::from_secs(10), "a token of the new key", async || {
        let token = it.token().await;
        (kid(&token) != kid(&old)).then_some(token)
    })
    .await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(kid(&new), before[1].0, "the key that was published as the next one");
    for token in [&old, &new] {
        assert_eq!(it.server.tokeninfo(token).await.status, 200);
    }
    let after = it.states();
    let states: Vec<&str> = after.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["retired", "active", "next"]);
    let published = kids(&it.server).await;
    assert_eq!(published, after.into_iter().map(|(kid, _)| kid).collect());
}

#[tokio::test]
async fn t42_keys_in_files_take_turns_while_a_server_runs() {
    keys_take_turns_while_a_server_runs(Turning::on_files().await).await;
}

#[tokio::test]
async fn t42_keys_in_postgres_take_turns_while_a_server_runs() {
    keys_take_turns_while_a_server_runs(Turning::on_postgres().await).await;
}

/// Verifiers cache the keys: one that signs before they know it is refused everywhere.
#[tokio::test]
async fn t42_a_turn_comes_too_early_unless_it_is_forced() {
    let it = Turning::on_files().await;
    let old = it.token().await;
    tokio::time::sleep(PUBLISHED).await;
    it.keys(&["rotate"]).well();
    let turned = it.states();

    it.keys(&["rotate"]).badly(1, "published less than 5 s ago");
    assert_eq!(it.states(), turned);
    it.keys(&["rotate", "--force"]).well();

    let (new, _) = within(Duration::from_secs(10), "a token of the newest key", async || {
        let token = it.token().await;
        (kid(&token) == turned[2].0).then_some(token)
    })
    .await;
    for token in [&old, &new] {
        assert_eq!(it.server.tokeninfo(token).await.status, 200);
    }
    assert_eq!(kids(&it.server).await.len(), 4);
}

/// The drill for a key that was stolen: what it signed is worth nothing, and nobody waits.
#[tokio::test]
async fn t42_a_revoked_key_signs_and_verifies_nothing_any_more() {
    for it in [Turning::on_files().await, Turning::on_postgres().await] {
        let old = it.token().await;
        let stolen = kid(&old);

        it.keys(&["revoke", &stolen]).well();

        let ((), took) = within(Duration::from_secs(10), "the end of the key", async || {
            let is_published = kids(&it.server).await.contains(&stolen);
            let is_good = it.server.tokeninfo(&old).await.status == 200;
            (!is_published && !is_good).then_some(())
        })
        .await;
        assert!(took < Duration::from_secs(3), "{took:?}");
        it.server.tokeninfo(&old).await.assert_error(401, "invalid_token");
        let new = it.token().await;
        assert_ne!(kid(&new), stolen);
        assert_eq!(it.server.tokeninfo(&new).await.status, 200);
        assert!(it.states().iter().all(|(kid, _)| *kid != stolen));
        it.keys(&["revoke", &stolen]).badly(1, "");
        it.keys(&["revoke", "nobody's"]).badly(1, "");
    }
}

/// Two nodes that start at once on an empty database agree on one key.
#[tokio::test]
async fn nodes_that_start_at_once_sign_with_the_same_key() {
    for algorithm in ["RS256", "ES256"] {
        let database = Database::empty().await;
        let options = database
            .options()
            .with("TOKENWRIGHT__TOKENS__ALGORITHM", algorithm)
            .with("MIA_JWT_ISSUER", "the-issuer")
            .with("MANAGEMENT_TOKEN", "management-token-of-the-tests");
        let nodes: Vec<Server> = (0..3).map(|_| Server::spawn(options.clone())).collect();
        for node in &nodes {
            node.await_log("ready");
        }
        let client = nodes[0].register().await;

        let mut signed_with = BTreeSet::new();
        let mut published = BTreeSet::new();
        for node in &nodes {
            let token = node.token_of(&client).await;
            signed_with.insert(kid(&token));
            published.insert(kids(node).await);
            for other in &nodes {
                assert_eq!(other.tokeninfo(&token).await.status, 200);
            }
        }

        assert_eq!((signed_with.len(), published.len()), (1, 1), "{signed_with:?}");
        assert_eq!(published.first().unwrap().len(), 2);
    }
}

/// Verifiers that cache the keys do not know the first key of another algorithm. Tokens are signed
/// with the old one until they do, and what it signed stays good.
#[tokio::test]
async fn another_algorithm_is_published_first_and_signs_when_verifiers_know_it() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("MIA_JWT_ISSUER", "the-issuer")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1")
        .with("TOKENWRIGHT__KEYS__CLOCK_SKEW_SECONDS", "0")
        .with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "1");
    let server =
        Server::start_with(options.clone().with("TOKENWRIGHT__TOKENS__ALGORITHM", "EdDSA"));
    let client = server.register().await;
    let old = server.token_of(&client).await;
    drop(server);

    let server = Server::start_with(options.with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let meanwhile = server.token_of(&client).await;
    let (new, took) = within(Duration::from_secs(20), "a token of the new key", async || {
        let published = kids(&server).await;
        let token = server.token_of(&client).await;
        assert!(kid(&token) == kid(&old) || published.contains(&kid(&token)));
        (kid(&token) != kid(&old)).then_some(token)
    })
    .await;

    assert!(Duration::from_secs(3) < took, "{took:?}");
    assert_eq!(
        (&header(&old)["alg"], &header(&meanwhile)["alg"]),
        (&json!("EdDSA"), &json!("EdDSA"))
    );
    assert_eq!(header(&new)["alg"], "ES256");
    for token in [&old, &meanwhile, &new] {
        assert_eq!(server.tokeninfo(token).await.status, 200);
    }
    assert_eq!(jwks(&server).await.len(), 4);
}

/// Keys that the operator brings are the operator's to change.
#[test]
fn keys_of_the_operator_are_not_rotated_here() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("private.pem"), RSA.pem()).unwrap();
    let environment =
        [("PRIVATE_RSA_KEY_FILE_PATH", "private.pem"), ("PRIVATE_RSA_KEY_ID", "of-the-vendor")];

    let listed = run(directory.path(), &environment, &["keys", "list"]).well();
    assert_eq!(listed.stdout, "of-the-vendor  RS256  active\n");
    let refused = run(directory.path(), &environment, &["keys", "rotate", "--force"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert_eq!(run(directory.path(), &environment, &["keys", "list"]).well().stdout, listed.stdout);
}

/// The operator brings the next key and the last one, too.
#[tokio::test]
async fn several_keys_of_the_operator_are_published_and_one_signs() {
    let directory = TempDir::new().unwrap();
    for (name, pair) in [("a", RSA.clone()), ("b", Pair::rsa(2_048)), ("c", Pair::p256())] {
        fs::write(directory.path().join(name), pair.pem()).unwrap();
    }
    let file = r#"
        [[keys.files]]
        path = "a"
        kid = "one"
        [[keys.files]]
        path = "b"
        kid = "two"
        state = "next"
        [[keys.files]]
        path = "c"
        kid = "three"
        algorithm = "ES256"
        state = "retired"
    "#;
    fs::write(directory.path().join("tokenwright.toml"), file).unwrap();
    let server = Server::start_with(Options::default().in_directory(directory.path()));

    let token = server.token_of(&server.register().await).await;

    assert_eq!(kid(&token), "one");
    assert_eq!(kids(&server).await, ["one", "three", "two"].map(str::to_owned).into());
    let ended = run(directory.path(), &[("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")], &["check"]);
    ended.badly(1, "no active key is for ES256");
}
