//! The program, as a stack runs it.

use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::process::{bound_command, free_port};

use crate::mongo::Mongo;
use crate::support::http;

#[tokio::test]
async fn runs_on_its_environment_alone() {
    let mongo = Mongo::shared();
    let port = free_port().unwrap();
    let mut command = bound_command(env!("CARGO_BIN_EXE_crud-service"), "KILL", &[]);
    command
        .env("MONGODB_URL", &mongo.url)
        .env("COLLECTION", "program")
        .env("HTTP_PORT", port.to_string())
        .env("DEFAULT_STATE", "PUBLIC");
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();

    let http = http();
    let mut is_ready = false;
    for _ in 0..200 {
        let ready = http.get(format!("http://127.0.0.1:{port}/-/ready")).send().await;
        is_ready = ready.is_ok_and(|it| it.status().is_success());
        if is_ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_ready);
    for path in ["/-/healthz", "/program/?clientId=nobody", "/program/count"] {
        let answer = http.get(format!("http://127.0.0.1:{port}{path}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    let is_healthy = || {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_crud-service"));
        let asked = asked.arg("healthcheck").env("HTTP_PORT", port.to_string());
        asked.status().unwrap().success()
    };
    assert!(is_healthy());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!is_healthy(), "it has ended");
}

#[test]
fn says_which_variable_is_wrong() {
    for (name, value, wrong) in [
        ("MONGODB_URL", "", "MONGODB_URL"),
        ("DEFAULT_STATE", "public", "DEFAULT_STATE"),
        ("COLLECTION_DEFINITION", "x", "COLLECTION_DEFINITION"),
        ("HTTP_PORT", "x", "HTTP_PORT"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crud-service"));
        command
            .env_clear()
            .env("MONGODB_URL", "mongodb://user:s3cret@127.0.0.1:1/")
            .env(name, value);
        let output = command.output().unwrap();

        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(said.contains(wrong) && !said.contains("s3cret"), "{said}");
    }
}
