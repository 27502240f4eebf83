//! `ARCHITECTURE.md` names what there is, and nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper may panic; only `#[test]` functions are exempt"
)]

use std::{collections::BTreeSet, fs, path::Path};

use cargo_metadata::MetadataCommand;

/// More than this nobody reads.
const MOST_LINES: usize = 250;

#[test]
fn the_code_map_names_exactly_the_crates() {
    let mapped: BTreeSet<String> = section("Code map")
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .flat_map(backticked)
        .collect();

    assert_eq!(mapped, crates(), "the code map (left) and the workspace (right) differ");
}

#[test]
fn the_table_of_ports_names_exactly_the_ports() {
    let tabled: BTreeSet<String> = section("Ports")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(port, _)| port.to_owned())
        .collect();

    assert_eq!(tabled, ports(), "the table (left) and `domain::port` (right) differ");
}

#[test]
fn no_adapter_is_named_that_does_not_exist() {
    let crates = crates();
    let unknown: Vec<String> = backticked(&architecture())
        .into_iter()
        .filter(|name| name.starts_with("adapter-") && !crates.contains(name))
        .collect();

    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn no_file_is_named_that_does_not_exist() {
    let missing: Vec<String> = backticked(&architecture())
        .into_iter()
        .filter(|name| name.contains('/') && !name.contains(['*', '{', ' ', '<']))
        .filter(|name| name.starts_with("crates/") || name.starts_with("xtask/"))
        .filter(|name| !root().join(name).exists())
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

/// What the page shows is what is compiled and tested, to the letter.
#[test]
fn the_worked_example_of_the_adapters_page_is_the_one_that_is_tested() {
    let page = fs::read_to_string(root().join("docs/adapters.md")).unwrap();
    let example = ["src/lib.rs", "tests/contract.rs"].map(|file| {
        fs::read_to_string(root().join("examples/file-replay-guard").join(file)).unwrap()
    });
    let shown: Vec<&str> = page
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect();

    assert!(4 <= shown.len(), "{} blocks", shown.len());
    for block in shown {
        assert!(example.iter().any(|text| text.contains(block)), "not in the example:\n{block}");
    }
}

/// Every port that a store can implement is on the page for those who write one.
#[test]
fn the_adapters_page_names_every_port_of_a_store() {
    let page = fs::read_to_string(root().join("docs/adapters.md")).unwrap();
    // What is no store: time, randomness, keys in use, and what is done with secrets and tokens.
    let others = [
        "Background",
        "ChangeListener",
        "Clock",
        "Entropy",
        "IntrospectionEndpoint",
        "KeyMaker",
        "KeyRingInstaller",
        "LastUse",
        "MacVerifier",
        "ProviderDocuments",
        "RemoteKeys",
        "SecretHasher",
        "SecretReader",
        "SignatureVerifier",
        "TokenDigester",
        "TokenEndpoint",
        "TokenSigner",
        "TokenVault",
        "TokenVerifier",
    ];
    let missing: Vec<String> = ports()
        .into_iter()
        .filter(|port| !others.contains(&port.as_str()))
        .filter(|port| !page.contains(&format!("| `{port}` |")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_architecture_is_short_enough_to_read() {
    let lines = architecture().lines().count();

    assert!(lines <= MOST_LINES, "ARCHITECTURE.md has {lines} lines");
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// What stands below `## title`, up to the next heading of that level.
fn section(title: &str) -> String {
    let text = architecture();
    let start = text.find(&format!("\n## {title}\n")).unwrap();
    let (_, section) = text.split_at(start + 1);
    section.split("\n## ").next().unwrap().to_owned()
}

/// Everything between single backticks, code blocks aside.
fn backticked(text: &str) -> Vec<String> {
    let mut is_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

fn crates() -> BTreeSet<String> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect()
}

/// Every `pub trait` of `domain::port`.
fn ports() -> BTreeSet<String> {
    let mut ports = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates/domain/src/port")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for rest in text.lines().filter_map(|line| line.strip_prefix("pub trait ")) {
            ports.insert(rest.chars().take_while(char::is_ascii_alphanumeric).collect());
        }
    }
    ports
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
