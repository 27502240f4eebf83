//! How the process starts, ends, and what it leaves behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::cli::{run, run_command};
use crate::support::jwt::{GRANT, RSA};
use crate::support::server::command;
use crate::support::{Answer, Client, Options, Server, within};

fn options(directory: &TempDir) -> Options {
    Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("MIA_JWT_ISSUER", "the-issuer")
}

/// Nobody sends requests elsewhere before readiness is seen to be off: so they are still served.
#[tokio::test]
async fn a_server_told_to_end_is_not_ready_but_serves_until_the_delay_is_over() {
    let mut server = Server::start_with(Options::default().with("DELAY_SHUTDOWN_SECONDS", "1"));
    let client = server.register().await;
    assert_eq!(server.get("/-/ready").await.status, 200);

    let told = Instant::now();
    server.signal(Signal::SIGTERM);

    let ((), took) = within(Duration::from_secs(5), "unreadiness", async || {
        (server.get("/-/ready").await.status == 503).then_some(())
    })
    .await;
    assert!(took < Duration::from_millis(800), "{took:?}");
    assert_eq!(server.get("/-/healthz").await.status, 200);
    server.token_of(&client).await;
    let status = server.wait();
    let lasted = told.elapsed();
    assert!(status.success(), "{status:?} {}", server.printed());
    assert!((Duration::from_millis(950)..Duration::from_secs(6)).contains(&lasted), "{lasted:?}");
    assert_eq!(server.log().last().unwrap()["msg"], "ended", "{}", server.printed());
}

/// Somebody sits at the terminal.
#[tokio::test]
async fn an_interrupted_server_ends_at_once() {
    let mut server = Server::start_with(Options::default().with("DELAY_SHUTDOWN_SECONDS", "60"));
    server.register().await;

    let told = Instant::now();
    server.signal(Signal::SIGINT);

    assert!(server.wait().success(), "{}", server.printed());
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_the_delay() {
    let mut server = Server::start_with(Options::default().with("DELAY_SHUTDOWN_SECONDS", "60"));

    let told = Instant::now();
    server.signal(Signal::SIGTERM);
    server.await_log("told to end: not ready from now on, and still serving");
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal(Signal::SIGTERM);

    assert!(server.wait().success(), "{}", server.printed());
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
}

/// A request whose body is still on its way when the server is told to end.
#[tokio::test]
async fn a_request_in_flight_is_answered() {
    let mut server = Server::start_with(Options::default().with("DELAY_SHUTDOWN_SECONDS", "0"));
    let client = server.register().await;
    let body = "grant_type=client_credentials";
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        client.basic(),
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;

    server.signal(Signal::SIGTERM);
    server.await_log("told to end: not ready from now on, and still serving");
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();

    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("access_token"), "{answer}");
    assert!(server.wait().success(), "{}", server.printed());
}

/// Notes of last use are written behind: the last ones at the end.
#[tokio::test]
async fn what_was_noted_is_written_down_at_the_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let directory = TempDir::new().unwrap();
        let options = options(&directory).with("DELAY_SHUTDOWN_SECONDS", "0");
        let mut server = Server::start_with(options.clone());
        let client = server.register().await;
        server.token_of(&client).await;
        server.signal(signal);
        assert!(server.wait().success());

        let server = Server::start_with(options);
        let path = format!("/clients/{}", client.id);
        let shown = Answer::to(server.manage("GET", &path)).await.json();
        let secrets = Answer::to(server.manage("GET", &format!("{path}/secrets"))).await.json();
        assert!(shown["lastLogin"].is_string(), "{signal}: {shown}");
        assert!(secrets["secrets"][0]["last_used"].is_string(), "{signal}: {secrets}");
    }
}

/// What was acknowledged before the process was shot.
#[derive(Default)]
struct Acknowledged {
    clients: Vec<Client>,
    revoked: Vec<String>,
    disabled: Vec<Client>,
    burned: Vec<String>,
}

/// Registrations, new secrets, revocations, disabled clients and used assertions, until the
/// server is gone.
async fn work(
    server: &Server,
    signer: &crate::support::jwt::KeyClient,
    done: &Mutex<Acknowledged>,
) -> Option<()> {
    let registered = |answer: Answer| Client {
        id: answer.text_at("/client_id"),
        secret: answer.text_at("/client_secret"),
    };
    let send = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        Some(Answer { status, headers, text: response.text().await.ok()? })
    };
    let token = |form: &[(&str, &str)], basic: &str| {
        let request = server.http.post(server.at("/oauth/token")).form(form);
        if basic.is_empty() { request } else { request.header("authorization", basic) }
    };
    loop {
        let body = json!({"client_name": "a client"});
        let made = send(server.http.post(server.at("/register")).json(&body)).await?;
        assert_eq!(made.status, 201, "{made:?}");
        let client = registered(made);
        done.lock().unwrap().clients.push(client.clone());

        let path = format!("/clients/{}/secrets", client.id);
        let made = send(server.manage("POST", &path)).await?;
        assert_eq!(made.status, 201, "{made:?}");
        let second = registered(made);
        done.lock().unwrap().clients.push(second);

        let issued = send(token(&[GRANT], &client.basic())).await?.text_at("/access_token");
        let form = [("token", issued.as_str())];
        let request = server.http.post(server.at("/oauth2/revoke")).form(&form);
        let revoked = send(request.header("authorization", client.basic())).await?;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        done.lock().unwrap().revoked.push(issued);

        let body = json!({"client_name": "to be disabled"});
        let made = send(server.http.post(server.at("/register")).json(&body)).await?;
        let disabled = registered(made);
        let path = format!("/clients/{}/disable", disabled.id);
        let answer = send(server.manage("POST", &path)).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        done.lock().unwrap().disabled.push(disabled);

        let assertion = signer.assertion();
        let form = [
            GRANT,
            crate::support::jwt::JWT_BEARER,
            ("client_id", signer.id.as_str()),
            ("client_assertion", assertion.as_str()),
        ];
        let used = send(token(&form, "")).await?;
        assert_eq!(used.status, 200, "{used:?}");
        done.lock().unwrap().burned.push(assertion);
    }
}

#[tokio::test]
async fn t18_nothing_acknowledged_is_lost_by_kill_9() {
    let directory = TempDir::new().unwrap();
    let options = options(&directory);
    let mut signer = None;
    let done = Mutex::new(Acknowledged::default());
    for round in 0..3 {
        let mut server = Server::start_with(options.clone());
        if signer.is_none() {
            let mut made = server.key_client(&RSA).await;
            "the-issuer".clone_into(&mut made.issuer);
            signer = Some(made);
        }
        let signer = signer.as_ref().unwrap();
        let shot = async {
            tokio::time::sleep(Duration::from_millis(1_500 + 137 * round)).await;
            server.signal(Signal::SIGKILL);
        };
        let workers = (0..16).map(|_| work(&server, signer, &done));
        tokio::join!(futures_util::future::join_all(workers), shot);
        assert!(!server.wait().success());
    }
    let signer = signer.unwrap();
    let Acknowledged { clients, revoked, disabled, burned } = done.into_inner().unwrap();
    for count in [clients.len(), revoked.len(), disabled.len(), burned.len()] {
        assert!(20 < count, "too little happened before the shot: {count}");
    }

    let server = Server::start_with(options);

    for client in &clients {
        assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200, "{client:?}");
    }
    for token in &revoked {
        server.tokeninfo(token).await.assert_error(401, "invalid_token");
    }
    for client in &disabled {
        server.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    }
    for assertion in &burned {
        signer.assert_refused(&server, assertion, "used before the shot").await;
    }
    signer.assert_welcome(&server).await;
}

#[test]
fn a_port_that_is_taken_is_told() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let ended = run(directory.path(), &[("TOKENWRIGHT__LISTEN", &address)], &["serve"]);

    let ended = ended.badly(1, &format!("cannot listen on {address}: "));
    assert!(ended.stderr.contains("choose another with `listen` or HTTP_PORT"), "{ended:?}");
    assert!(!directory.path().join("data").exists(), "nothing was made");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_told() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let below = directory.path().join("file/data");
    let below = below.to_str().unwrap();

    let ended = run(directory.path(), &[("TOKENWRIGHT__DATA_DIRECTORY", below)], &["serve"]);

    ended.badly(1, &format!("the data directory {below} cannot be made: "));
}

/// As another user: root may write everywhere.
#[test]
fn a_data_directory_that_cannot_be_written_is_told() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(directory.path());
    if nix::unistd::Uid::effective().is_root() {
        use std::os::unix::process::CommandExt as _;
        // The binary may lie where nobody else can look.
        let copy = directory.path().join("tokenwright");
        fs::copy(command.get_program(), &copy).unwrap();
        let mut other = std::process::Command::new(copy);
        other.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        other.current_dir(directory.path()).uid(65_534).gid(65_534);
        command = other;
    }

    let ended = run_command(command);

    ended.badly(1, "data/tokenwright.sqlite cannot be opened: ");
}

#[test]
fn a_damaged_file_is_told_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let file = data.join("tokenwright.sqlite");
    run(directory.path(), &[], &["client", "create", "billing"]).well();
    // With its log beside it SQLite could do without the page that is damaged here.
    for log in ["tokenwright.sqlite-wal", "tokenwright.sqlite-shm"] {
        drop(fs::remove_file(data.join(log)));
    }
    let mut bytes = fs::read(&file).unwrap();
    bytes[..64].fill(0x5A);
    for damaged in [bytes, b"this is no database, however long one looks at it".repeat(100)] {
        fs::write(&file, &damaged).unwrap();

        let ended = run(directory.path(), &[], &["serve"]);

        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("data/tokenwright.sqlite"), "{ended:?}");
        assert!(ended.stderr.contains("file is not a database"), "{ended:?}");
        assert_eq!(fs::read(&file).unwrap(), damaged);
    }
}

/// A newer release was taken back.
#[tokio::test]
async fn a_newer_schema_is_told() {
    use sqlx::Connection as _;
    let directory = TempDir::new().unwrap();
    run(directory.path(), &[], &["migrate"]).well();
    let file = directory.path().join("data/tokenwright.sqlite");
    let mut connection = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    sqlx::query("update _sqlx_migrations set version = 9999 where version = (select max(version) from _sqlx_migrations)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    for arguments in [&["serve"][..], &["migrate"]] {
        run(directory.path(), &[], arguments).badly(1, "newer release");
    }
}
