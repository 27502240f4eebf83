//! Every port has a contract suite, or a reason not to.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper may panic; only `#[test]` functions are exempt"
)]

use std::{fs, path::Path};

/// Ports without a suite, each with the reason. This list should only shrink.
const EXEMPT: &[(&str, &str)] = &[
    ("Background", "promises nothing: its work may be dropped"),
    ("ChangeAnnouncer", "is tried together with the feed that it makes speak: change_feed"),
    ("ChangeListener", "promises nothing: it is told, and does with it what it likes"),
    ("Clock", "has one adapter besides the fake, and that is the clock of the machine"),
    ("Entropy", "has one adapter besides the fake, and unpredictability cannot be tested"),
    ("HealthProbe", "says nothing but whether its store answers; each adapter tests that itself"),
    ("IntrospectionEndpoint", "somebody else's server; tested against scripts in its one adapter"),
    ("KeyMaker", "one adapter; its keys are checked where they sign"),
    ("KeyRingInstaller", "one adapter, which tests it together with signing"),
    ("LastUse", "promises nothing: a note may be lost"),
    ("ProviderDocuments", "somebody else's server; tested against scripts in its one adapter"),
    ("SecretReader", "two adapters, which look into a folder or ask a cluster; each tests itself"),
    (
        "RemoteKeys",
        "one adapter, which needs hosts of its own; it and the cache test it themselves",
    ),
    ("SignatureVerifier", "a pure function; tested against vectors in its one adapter"),
    ("TokenDigester", "a pure function; tested against vectors in its one adapter"),
    ("TokenEndpoint", "somebody else's server; tested against scripts in its one adapter"),
    ("TokenSigner", "a pure function; tested against vectors in its one adapter"),
    ("TokenVault", "pure but for its nonces; tested in its one adapter"),
    ("TokenVerifier", "a pure function; tested against vectors in its one adapter"),
];

#[test]
fn every_port_has_a_suite_or_a_reason_not_to() {
    let without: Vec<String> = ports()
        .into_iter()
        .filter(|port| !has_suite(port) && !EXEMPT.iter().any(|(exempt, _)| exempt == port))
        .collect();

    assert!(without.is_empty(), "no module in crates/adapters/contract/src for {without:?}");
}

#[test]
fn nothing_is_exempt_without_need() {
    let ports = ports();
    let needless: Vec<&str> = EXEMPT
        .iter()
        .map(|(port, _)| *port)
        .filter(|port| has_suite(port) || !ports.iter().any(|it| it == port))
        .collect();

    assert!(needless.is_empty(), "these have a suite, or are no ports: {needless:?}");
}

/// `ClientRepository` is tried by `client_repository.rs`.
fn has_suite(port: &str) -> bool {
    let mut module = String::new();
    for letter in port.chars() {
        if letter.is_ascii_uppercase() && !module.is_empty() {
            module.push('_');
        }
        module.push(letter.to_ascii_lowercase());
    }
    root().join(format!("crates/adapters/contract/src/{module}.rs")).is_file()
}

/// Every `pub trait` of `domain::port`.
fn ports() -> Vec<String> {
    let mut ports = Vec::new();
    for entry in fs::read_dir(root().join("crates/domain/src/port")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for rest in text.lines().filter_map(|line| line.strip_prefix("pub trait ")) {
            let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            ports.push(name);
        }
    }
    ports.sort();
    ports
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
