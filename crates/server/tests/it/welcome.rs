//! What the first start tells a newcomer.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::cli::run_command;
use crate::support::server::eventually;
use crate::support::{Answer, Options, Server};

/// The text it prints, whole.
fn welcome(server: &Server) -> String {
    let is_whole = || Some(server.complaints()).filter(|it| it.contains("/tokeninfo -H"));
    eventually("the welcome", is_whole, || server.printed())
}

fn token_of(welcome: &str) -> String {
    let is_token = |line: &&str| line.starts_with("    ") && !line.trim().contains(' ');
    welcome.lines().find(is_token).unwrap().trim().to_owned()
}

fn start(directory: &TempDir) -> Server {
    let options = Options::default()
        .in_directory(directory.path())
        .with("LOG_LEVEL", "trace")
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256");
    Server::start_bare(options)
}

#[tokio::test]
async fn the_lines_work_when_pasted() {
    let directory = TempDir::new().unwrap();
    let server = start(&directory);
    let welcome = welcome(&server);
    assert!(welcome.contains(&format!("Tokenwright is ready at {}", server.url)), "{welcome}");
    let mut lines: Vec<&str> = welcome.lines().skip_while(|it| !it.contains("MADE=")).collect();
    lines.retain(|line| !line.trim().is_empty());
    assert_eq!(lines.len(), 5, "{welcome}");
    let curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status();
    assert!(curl.is_ok_and(|it| it.success()), "curl is not here: apt-get install curl");

    let mut bash = Command::new("bash");
    bash.env("NO_PROXY", "*").args(["-c", &lines.join("\n")]);
    let ended = run_command(bash).well();

    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&said["iss"], &said["permissions"]),
        (&server.url.clone().into(), &Value::Array(vec![]))
    );
    let token = token_of(&welcome);
    let request =
        server.http.get(server.at(&format!("/clients/{}", said["sub"].as_str().unwrap())));
    let made = Answer::to(request.bearer_auth(&token)).await;
    assert_eq!(made.text_at("/client_name"), "my first client");
}

#[tokio::test]
async fn t37_the_bootstrap_token_is_in_no_log_and_in_no_store() {
    let directory = TempDir::new().unwrap();
    let server = start(&directory);
    let token = token_of(&welcome(&server));
    assert!(32 <= token.len(), "{token}");
    let request = server.http.get(server.at("/clients")).bearer_auth(&token);
    assert_eq!(Answer::to(request).await.status, 200);
    let refused = server.http.get(server.at("/clients")).bearer_auth(format!("{token}x"));
    assert_eq!(Answer::to(refused).await.status, 401);

    assert!(!server.log().is_empty());
    for line in server.log() {
        assert!(!line.to_string().contains(&token), "{line}");
    }
    assert_eq!(server.printed().matches(&token).count(), 2, "the token, and the line to paste");
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let is_there = bytes.windows(token.len()).any(|it| it == token.as_bytes());
            assert!(!is_there, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn only_the_first_start_prints_it() {
    let directory = TempDir::new().unwrap();
    let server = start(&directory);
    let token = token_of(&welcome(&server));
    drop(server);

    let server = start(&directory);

    let request = server.http.get(server.at("/clients")).bearer_auth(&token);
    assert_eq!(Answer::to(request).await.status, 200, "it is still good");
    assert_eq!(server.complaints(), "");
}

#[tokio::test]
async fn a_configured_token_takes_its_place() {
    let server = Server::start();
    assert_eq!(server.get("/-/ready").await.status, 200);
    assert_eq!(server.complaints(), "");
}
