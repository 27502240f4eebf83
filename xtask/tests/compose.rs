//! The local stacks are what compose reads, and hold no secret.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper may panic; only `#[test]` functions are exempt"
)]

use std::{fs, path::Path, process::Command};

/// The four ways to keep state, and the gateway, by their profiles.
const SERVERS: [(&str, &[&str]); 5] = [
    ("", &["tokenwright"]),
    ("postgres", &["tokenwright-postgres", "postgres"]),
    (
        "postgres-redis",
        &["tokenwright-node-1", "tokenwright-node-2", "balancer", "postgres", "redis"],
    ),
    ("mia", &["tokenwright-mia", "crud-service", "mongodb", "redis"]),
    ("gateway", &["tokenwright-gateway-server", "echo", "gateway"]),
];

/// What compose makes of the files, with variables as an operator sets them.
fn config(files: &[&str]) -> String {
    let compose = || {
        let is_plugin = Command::new("docker")
            .args(["compose", "version"])
            .output()
            .is_ok_and(|it| it.status.success());
        if is_plugin {
            let mut command = Command::new("docker");
            command.arg("compose");
            command
        } else {
            Command::new("docker-compose")
        }
    };
    let mut command = compose();
    for file in files {
        command.args(["-f", file]);
    }
    for (profile, _) in SERVERS.iter().filter(|(profile, _)| !profile.is_empty()) {
        command.args(["--profile", profile]);
    }
    let output = command
        .arg("config")
        .current_dir(root())
        .env("TOKENWRIGHT_POSTGRES_PASSWORD", "of-the-operator")
        .env("TOKENWRIGHT_CLIENT_ID_SALT", "salt-of-the-operator")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "compose (Debian: docker-compose) refuses {files:?}, or is not installed: {said}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn compose_accepts_the_stacks_with_all_their_profiles() {
    let config = config(&["docker-compose.yml"]);

    for (profile, services) in SERVERS {
        for service in services {
            assert!(config.contains(&format!("\n  {service}:\n")), "{profile}: no {service}");
        }
    }
    assert!(config.contains("of-the-operator") && config.contains("salt-of-the-operator"));
}

#[test]
fn compose_accepts_the_stand_in() {
    let config = config(&["docker-compose.yml", "deploy/compose/stand-in.yml"]);

    assert!(config.contains("tokenwright-crud-service:local"), "{config}");
}

#[test]
fn every_service_of_the_stacks_has_a_health_check_or_a_reason() {
    let text = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let (_, services) = text.split_once("\nservices:\n").unwrap();
    let (services, _) = services.split_once("\nvolumes:\n").unwrap();
    let mut unchecked = Vec::new();
    let is_name =
        |line: &&str| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
    let names: Vec<&str> =
        services.lines().filter(is_name).map(|it| it.trim().trim_end_matches(':')).collect();
    for name in names {
        let (_, rest) = services.split_once(&format!("  {name}:\n")).unwrap();
        let block: String = rest
            .lines()
            .take_while(|line| !is_name(line))
            .fold(String::new(), |all, line| all + line + "\n");
        // Servers share one, and what runs once and ends has none.
        let is_checked = block.contains("healthcheck:") || block.contains("<<: *server");
        let runs_once = block.contains("<<: *demo") || block.contains("restart: \"no\"");
        if !is_checked && !runs_once {
            unchecked.push(name);
        }
    }

    assert!(unchecked.is_empty(), "{unchecked:?}");
}

#[test]
fn no_secret_is_in_the_files_of_the_stacks() {
    let text = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for word in ["PASSWORD: ", "SALT: ", "SECRET: ", "TOKEN: "] {
            if let Some((_, value)) = line.split_once(word) {
                assert!(value.trim().starts_with("${"), "{line}");
            }
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
