//! The configuration: where it comes from, and how its mistakes are told.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{Ended, run};
use crate::support::{Options, Server, claims, header, jwt};

/// `tokenwright check` beside a `tokenwright.toml`.
fn check(file: &str, environment: &[(&str, &str)]) -> Ended {
    let directory = TempDir::new().unwrap();
    check_in(directory.path(), file, environment)
}

fn check_in(directory: &Path, file: &str, environment: &[(&str, &str)]) -> Ended {
    if !file.is_empty() {
        fs::write(directory.join("tokenwright.toml"), file).unwrap();
    }
    run(directory, environment, &["check"])
}

/// The mistakes it told, one a line.
fn mistakes(ended: &Ended) -> String {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    ended.stderr.clone()
}

#[test]
fn no_configuration_is_right() {
    let ended = check("", &[]).well();
    assert_eq!(ended.stdout, "the configuration is right\n");
}

#[test]
fn every_mistake_is_told_at_once_with_its_key_its_origin_and_its_mend() {
    let file = r#"
        listen = "here"
        colour = "red"
        workers = 0
        public_url = "ftp://tokens.example"
        service_prefix = "a b"
        [stores]
        default = "redis"
        credentials = "postgres"
        replay = "crud"
        [mongodb]
        url = "http://mongo/credentials"
        database = "a/b"
        [redis]
        hosts = ["redis"]
        mode = "ring"
        tls_ca = "no effect without tls"
        [crud]
        base_url = "crud-service"
        forwarded_headers = "authorization"
        [postgres]
        timeout_seconds = 10
        [tokens]
        algorithm = "none"
        lifetime_seconds = "an hour"
        accepted_audiences = ["a b"]
        [assertions]
        clock_skew_seconds = 301
        [keys]
        publish_seconds = -1
        [[keys.files]]
        kid = "k"
        algorithm = "HS256"
        [[keys.files]]
        path = "key.pem"
        kid = "k"
        state = "asleep"
        [secrets]
        scheme = "keyed"
        pepper = "too short"
        [cache]
        fresh_seconds = 31
        [registration]
        mode = "token"
        key_algorithms = ["HS256"]
        [management]
        token = "too short"
        token_file = "token"
        authentication = "sometimes"
        [tls]
        certificate = "certificate.pem"
        [telemetry]
        otlp_endpoint = "collector:4318"
        [shutdown]
        drain_seconds = 0
    "#;
    let environment = [
        ("HTTP_PORT", "65536"),
        ("LOG_LEVEL", "loud"),
        ("CLIENT_SECRET_HASH_COST", "16"),
        ("PRIVATE_RSA_KEY_FILE_PATH", "/nowhere/private.pem"),
        ("MIA_JWT_EXPIRES_IN", "0"),
        ("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "maybe"),
        ("OPENID_CONFIG_PATH", "/nowhere/openid.json"),
        ("TOKENWRIGHT__TOKENS__ISSUER", "no issuer"),
        ("TOKENWRIGHT__TOKENS__ISUER", "https://tokens.example"),
        ("TOKENWRIGHT__LISTEN", ""),
        ("TOKENWRIGHT__SECRETS__BCRYPT_COST", ""),
        ("TOKENWRIGHT__DATA_DIRECTORY", "data"),
    ];

    let ended = check(file, &environment);

    insta::assert_snapshot!(mistakes(&ended));
}

/// One of the three that say where state is kept makes all the others needed.
#[test]
fn every_variable_of_the_vendor_that_is_missing_is_named_at_once() {
    let needed = [
        ("CRUD_CLIENT_BASE_URL", "http://crud-service/clients"),
        ("CLIENT_ID_HASH_SALT", "salt"),
        ("CREDENTIALS_MONGODB_URL", "mongodb://mongo/credentials"),
        ("PRIVATE_RSA_KEY_FILE_PATH", "private.pem"),
        ("PRIVATE_RSA_KEY_ID", "kid"),
        ("MIA_JWT_ISSUER", "issuer"),
        ("MIA_JWT_EXPIRES_IN", "3600"),
        ("REDIS_HOSTS", "redis:6379"),
    ];
    for name in ["CRUD_CLIENT_BASE_URL", "CREDENTIALS_MONGODB_URL", "REDIS_HOSTS"] {
        let (_, value) = needed.iter().find(|(it, _)| *it == name).unwrap();
        // An empty value is missing.
        let ended = check("", &[(name, value), ("MIA_JWT_ISSUER", "")]);
        let said = mistakes(&ended);
        let told: Vec<&str> = needed
            .iter()
            .map(|(it, _)| *it)
            .filter(|it| said.contains(&format!("  {it}: is missing")))
            .collect();
        let others: Vec<&str> = needed.iter().map(|(it, _)| *it).filter(|it| *it != name).collect();
        assert_eq!(told, others, "{said}");
        assert_eq!(said.lines().count(), 1 + others.len(), "each is told once: {said}");
    }
    // Nothing of the kind is asked of anybody else.
    check("", &[("REDIS_MODE", "normal"), ("CLIENT_ID_HASH_SALT", "salt")]).well();
}

#[test]
fn sentinels_need_the_name_of_the_master() {
    let hosts = ("TOKENWRIGHT__REDIS__HOSTS", "one:26379,two:26379");
    let sentinel = ("TOKENWRIGHT__REDIS__MODE", "sentinel");

    let said = mistakes(&check("", &[hosts, sentinel]));
    assert!(said.contains("redis.master_name: REDIS_MASTER_NAME is required"), "{said}");
    let said = mistakes(&check("", &[hosts]));
    assert!(said.contains("several hosts need redis.mode"), "{said}");
    check("", &[hosts, sentinel, ("TOKENWRIGHT__REDIS__MASTER_NAME", "mymaster")]).well();
}

#[test]
fn a_file_that_was_named_must_be_there_and_readable() {
    let directory = TempDir::new().unwrap();
    let named = run(directory.path(), &[], &["check", "--config", "other.toml"]);
    assert!(mistakes(&named).contains("other.toml"), "{named:?}");

    fs::write(directory.path().join("other.toml"), "tokens.issuer = \"of other\"").unwrap();
    let named = run(directory.path(), &[], &["--config", "other.toml", "check"]);
    assert!(mistakes(&named).contains("tokens.issuer (from other.toml)"), "{named:?}");

    fs::create_dir(directory.path().join("tokenwright.toml")).unwrap();
    let folder = run(directory.path(), &[], &["check"]);
    assert!(mistakes(&folder).contains("tokenwright.toml"), "{folder:?}");
}

#[test]
fn a_file_that_is_no_toml_is_told_with_the_place() {
    let ended = check("[tokens\nissuer = 1\n", &[]);
    let said = mistakes(&ended);
    assert!(said.contains("tokenwright.toml: TOML parse error at line 1"), "{said}");
}

/// Whatever is wrong, and wherever the secret stands.
#[test]
fn t37_no_secret_is_in_what_is_told() {
    const SECRET: &str = "Hush-4711";
    let files = [
        "[management]\ntoken = \"Hush-4711",
        "[management]\ntoken = Hush-4711\n",
        "[management]\ntoken = \"Hush-4711\"\ntoken = \"Hush-4711\"\n",
        "[management]\ntoken = \"Hush-4711\"\n",
        "[management]\ntoken = [\"Hush-4711\"]\n",
        "[management]\ntokn = \"Hush-4711-Hush-4711\"\n",
        "[management.token]\nvalue = \"Hush-4711-Hush-4711\"\n",
        "management = \"Hush-4711-Hush-4711\"\n",
        "[postgres]\nurl = \"Hush-4711\"\n",
        "[postgres]\nurl = \"postgres://user:Hush-4711@host:port/database\"\n",
        "[postgres]\nurl = \"mysql://user:Hush-4711@host/database\"\n",
        "[postgres]\nurl = 'postgres://user:Hush-4711@host/database' # \"\n[[",
        "[stores]\ndefault = \"postgres\"\n[postgres]\nurl = \"postgres://u:Hush-4711@h/d?sslmode=x\"\n",
        "public_url = \"https://user:Hush-4711@tokens.example\"\n",
        "[telemetry]\notlp_endpoint = \"https://user:Hush-4711@collector\"\n",
        "[secrets]\npepper = \"Hush-4711\"\n",
        "[registration]\nmode = \"token\"\ntoken = {a = \"Hush-4711\"}\n",
        "[keys]\npassword = [[\"Hush-4711\"]]\n",
        "[[keys.files]]\npassword = \"Hush-4711\"\n",
        "[keys]\nfiles = \"Hush-4711\"\n",
    ];
    for file in files {
        for more in ["", "\n[surprise]\nx = 1\n"] {
            let ended = check(&format!("{file}{more}"), &[]);
            assert!(!ended.printed().contains(SECRET), "{file}: {ended:?}");
        }
    }
    let variables = [
        "MANAGEMENT_TOKEN",
        "TOKENWRIGHT__MANAGEMENT__TOKEN",
        "TOKENWRIGHT__MANAGEMENT",
        "TOKENWRIGHT__MANAGEMENT__TOKEN__X",
        "TOKENWRIGHT__POSTGRES__URL",
        "PRIVATE_KEY_PASSWORD",
        "TOKENWRIGHT__SECRETS__PEPPER",
        "TOKENWRIGHT__KEYS__PASSWORD",
        "REDIS_PASSWORD",
        "CLIENT_ID_HASH_SALT",
        "TOKENWRIGHT__REGISTRATION__TOKEN",
        "TOKENWRIGHT__PUBLIC_URL",
    ];
    for name in variables {
        let ended = check("", &[(name, SECRET), ("LOG_LEVEL", "loud")]);
        mistakes(&ended);
        assert!(!ended.printed().contains(SECRET), "{name}: {ended:?}");
    }
    for name in ["CREDENTIALS_MONGODB_URL", "CRUD_CLIENT_BASE_URL", "REDIS_HOSTS"] {
        let ended = check("", &[(name, "x://user:Hush-4711@host")]);
        assert!(mistakes(&ended).contains(name), "{ended:?}");
        assert!(!ended.printed().contains(SECRET), "{name}: {ended:?}");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    let environment = [
        ("USERID_HEADER_KEY", "userid"),
        ("ADDITIONAL_HEADERS_TO_PROXY", "userid"),
        ("CLIENT_ID_HASH_SALT", "salt"),
    ];
    let ended = check("", &environment).well();
    for (name, _) in environment {
        assert!(ended.stdout.contains(&format!("note: {name} has no effect, since ")), "{ended:?}");
    }
    let directory = TempDir::new().unwrap();
    let ended = run(directory.path(), &environment, &["check", "--output", "json"]).well();
    assert_eq!(ended.json()["ok"], true);
    assert_eq!(ended.json()["notices"].as_array().unwrap().len(), 3);
}

/// An empty value is as good as none, wherever it stands.
#[tokio::test]
async fn the_later_source_wins_unless_it_is_empty() {
    let file = "[tokens]\nissuer = \"of-the-file\"\nlifetime_seconds = 100\n";
    for (mia, own, expected) in [
        ("", "", "of-the-file"),
        ("of-mia", "", "of-mia"),
        ("", "of-our-own", "of-our-own"),
        ("of-mia", "of-our-own", "of-our-own"),
    ] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("tokenwright.toml"), file).unwrap();
        let options = Options::default()
            .in_directory(directory.path())
            .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
            .with("MIA_JWT_ISSUER", mia)
            .with("TOKENWRIGHT__TOKENS__ISSUER", own);
        let server = Server::start_with(options);

        let token = server.token_of(&server.register().await).await;

        assert_eq!(claims(&token)["iss"], expected);
        let said = claims(&token);
        assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 100);
    }
}

/// All at once, as a deployment of the vendor's service has them.
#[tokio::test]
async fn every_name_of_the_vendor_has_its_effect() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let pem = jwt::RSA.key.rsa().unwrap().private_key_to_pem().unwrap();
    fs::write(at("private.pem"), pem).unwrap();
    let openid = "{ \"issuer\": \"i\", \"token_endpoint\": \"t\", \"jwks_uri\": \"j\",\n\t\
        \"response_types_supported\": [], \"subject_types_supported\": [],\n\
        \"id_token_signing_alg_values_supported\": [], \"of the operator\": \"\\u00e8 1.0e2\" }\n\n";
    fs::write(at("openid.json"), openid).unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__LISTEN", "")
        .with("TOKENWRIGHT__SECRETS__BCRYPT_COST", "")
        .with("HTTP_PORT", "0")
        .with("SERVICE_PREFIX", "/auth/")
        .with("SERVICE_VERSION", "1.2.3-of-the-operator")
        .with("LOG_LEVEL", "trace")
        .with("DELAY_SHUTDOWN_SECONDS", "0")
        .with("CLIENT_SECRET_HASH_COST", "5")
        .with("PRIVATE_RSA_KEY_FILE_PATH", &at("private.pem"))
        .with("PRIVATE_RSA_KEY_ID", "the kid of mia")
        .with("PRIVATE_KEY_PASSWORD", "")
        .with("MIA_JWT_ISSUER", "mia-issuer")
        .with("MIA_JWT_EXPIRES_IN", "42")
        .with("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "true")
        .with("ACCEPTED_AUDIENCES", "one, two")
        .with("OPENID_CONFIG_PATH", &at("openid.json"))
        .with("CLOCK_SKEW_SECONDS", "20")
        .with("CREDENTIALS_COLLECTION_NAME", "credentials")
        .with("CLIENT_ID_HASH_SALT", "salt");
    let mut server = Server::start_with(options);

    assert!(server.url.starts_with("http://localhost:"), "{}", server.url);
    assert!(server.url.ends_with("/auth"), "{}", server.url);
    server.url = server.url.replace("localhost", "127.0.0.1");
    let outside = server.url.trim_end_matches("/auth").to_owned();
    let health = server.http.get(format!("{outside}/-/healthz")).send().await.unwrap();
    let health: Value = health.json().await.unwrap();
    assert_eq!(health["version"], "1.2.3-of-the-operator");
    let document = server.get("/.well-known/openid-configuration").await;
    assert_eq!(
        (document.text.as_str(), document.header("content-type")),
        (openid, "application/json")
    );

    let audience = json!({"audience": ["one", "two", "three"]});
    let client = server.create_client(audience).await;
    let token = |audience: &'static str| {
        let (server, client) = (&server, &client);
        async move {
            let form = [jwt::GRANT, ("audience", audience)];
            server.token(&client.basic(), &form).await.text_at("/access_token")
        }
    };
    server.token(&client.basic(), &[jwt::GRANT]).await.assert_error(400, "invalid_request");
    let good = token("two").await;
    assert_eq!(server.tokeninfo(&good).await.status, 200);
    let not_accepted = token("three").await;
    server.tokeninfo(&not_accepted).await.assert_error(401, "invalid_token");
    assert_eq!(header(&good), json!({"alg": "RS256", "kid": "the kid of mia", "typ": "JWT"}));
    let said = claims(&good);
    assert_eq!(said["iss"], "mia-issuer");
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 42);

    // 10 s in the future, with a skew of 20 s.
    let mut signer = server.key_client(&jwt::RSA).await;
    signer.issuer = "mia-issuer".to_owned();
    let early = json!({"iat": jwt::now() + 10, "requested_audiences": ["one"]});
    let refused = signer.send(&server, &signer.changed(&early)).await;
    refused.assert_error(400, "invalid_target");

    server.await_log("incoming request");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.wait().success());
    assert!(hashes(directory.path()).await.iter().all(|it| it.starts_with("$2b$05$")));
}

/// The hashes in the embedded store of a server that has ended.
async fn hashes(directory: &Path) -> Vec<String> {
    use sqlx::Connection as _;
    let file = directory.join("data/tokenwright.sqlite");
    let mut connection = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    let hashes: Vec<String> = sqlx::query_scalar("select hash from credentials")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert!(!hashes.is_empty());
    hashes
}

#[test]
fn a_discovery_document_of_the_operator_must_be_whole() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("openid.json");
    let check = |content: &str| {
        fs::write(&file, content).unwrap();
        let path = file.to_str().unwrap();
        mistakes(&check_in(directory.path(), "", &[("OPENID_CONFIG_PATH", path)]))
    };
    let members = [
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ];

    assert!(check("{}").contains(&format!("lacks {}", members.join(", "))));
    assert!(check(r#"{"issuer":"i","jwks_uri":"j"}"#).contains("lacks token_endpoint, response_"));
    for other in ["", "[]", "{", "null", "\"issuer\"", "{\"issuer\":1,\"issuer\":2}"] {
        assert!(check(other).contains("is not a JSON object"), "{other}");
    }
}

/// The content of the file, but for the newline at its end.
#[tokio::test]
async fn a_secret_may_lie_in_a_file() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("token"), "a-token-that-lies-in-a-file\n").unwrap();
    for name in ["MANAGEMENT_TOKEN_FILE", "TOKENWRIGHT__MANAGEMENT__TOKEN_FILE"] {
        let options = Options::default()
            .in_directory(directory.path())
            .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
            .with(name, &at("token"));
        let server = Server::start_bare(options);

        let request = server.http.get(server.at("/clients"));
        let answer = request.bearer_auth("a-token-that-lies-in-a-file").send().await.unwrap();

        assert_eq!(answer.status(), 200, "{name}");
    }
    for (name, key) in [
        ("TOKENWRIGHT__POSTGRES__URL_FILE", "postgres.url_file"),
        ("TOKENWRIGHT__SECRETS__PEPPER_FILE", "secrets.pepper_file"),
        ("TOKENWRIGHT__KEYS__PASSWORD_FILE", "keys.password_file"),
        ("TOKENWRIGHT__REGISTRATION__TOKEN_FILE", "registration.token_file"),
        ("PRIVATE_KEY_PASSWORD_FILE", "keys.rsa_password_file"),
        ("MANAGEMENT_TOKEN_FILE", "management.token_file"),
    ] {
        let said = mistakes(&check("", &[(name, "/nowhere/file")]));
        assert!(said.contains(&format!("  {key} (from ")), "{said}");
        assert!(said.contains("/nowhere/file cannot be read"), "{said}");
    }
    let both = [("MANAGEMENT_TOKEN", "0123456789abcdef"), ("MANAGEMENT_TOKEN_FILE", "x")];
    assert!(mistakes(&check("", &both)).contains("management.token is set too"));
    // An empty file is no secret: better told than an open door.
    fs::write(at("empty"), "\n").unwrap();
    let empty = check("", &[("MANAGEMENT_TOKEN_FILE", &at("empty"))]);
    assert!(mistakes(&empty).contains("management.token"), "{empty:?}");
    let registration = [
        ("TOKENWRIGHT__REGISTRATION__MODE", "token"),
        ("TOKENWRIGHT__REGISTRATION__TOKEN_FILE", &at("empty")),
    ];
    assert!(mistakes(&check("", &registration)).contains("registration.token"));
}

#[test]
fn a_server_does_not_start_with_a_mistake() {
    let directory = TempDir::new().unwrap();
    for arguments in [&[][..], &["serve"], &["client", "list"], &["migrate"]] {
        let ended = run(directory.path(), &[("LOG_LEVEL", "loud")], arguments);
        assert!(mistakes(&ended).contains("log.level (from LOG_LEVEL)"), "{ended:?}");
    }
    assert!(!directory.path().join("data").exists(), "nothing was made");
}
