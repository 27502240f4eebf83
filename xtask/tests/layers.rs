//! Which crate may depend on which. `ARCHITECTURE.md` says why; `deny.toml` is the second lock.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper may panic; only `#[test]` functions are exempt"
)]

use std::{collections::BTreeSet, fs, path::Path};

use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package, camino::Utf8PathBuf};

/// A crate, and everything it may depend on.
struct Layer {
    krate: &'static str,
    /// Crates of this workspace, under `[dependencies]`.
    inside: &'static [&'static str],
    /// Crates of other people, under `[dependencies]`.
    outside: &'static [&'static str],
    /// Crates of this workspace, under `[dev-dependencies]`.
    tests: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        krate: "domain",
        inside: &[],
        outside: &[
            "async-trait",
            "base64",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "url",
            "winnow",
        ],
        tests: &[],
    },
    Layer {
        krate: "app",
        inside: &["domain"],
        outside: &[
            "arc-swap",
            "futures-util",
            "quick_cache",
            "serde",
            "serde_json",
            "thiserror",
            "tracing",
            "url",
            "uuid",
        ],
        tests: &["adapter-memory"],
    },
    Layer {
        krate: "contract",
        inside: &["domain"],
        outside: &["futures-timer", "futures-util", "serde_json"],
        tests: &[],
    },
    Layer {
        krate: "adapter-memory",
        inside: &["domain"],
        outside: &["async-trait", "base64", "quick_cache", "serde_json", "tokio"],
        tests: &["contract"],
    },
    Layer {
        krate: "adapter-sql",
        inside: &["domain"],
        outside: &["async-trait", "secrecy", "serde", "serde_json", "sqlx", "thiserror", "tokio"],
        tests: &["contract", "testbed"],
    },
    Layer {
        krate: "adapter-mongodb",
        inside: &["domain"],
        outside: &[
            "async-trait",
            "aws-lc-rs",
            "base64",
            "futures-util",
            "mongodb",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
        ],
        tests: &["contract", "testbed"],
    },
    Layer {
        krate: "adapter-redis",
        inside: &["domain"],
        outside: &[
            "async-trait",
            "deadpool",
            "futures-util",
            "redis",
            "rustls",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
        ],
        tests: &["contract", "testbed"],
    },
    Layer {
        krate: "adapter-crud",
        inside: &["domain"],
        outside: &[
            "async-trait",
            "reqwest",
            "serde",
            "serde_json",
            "thiserror",
            "time",
            "tokio",
            "url",
        ],
        tests: &["contract", "crud-service", "testbed"],
    },
    Layer {
        krate: "adapter-remote",
        inside: &["domain"],
        outside: &["async-trait", "ipnet", "quick_cache", "reqwest", "thiserror", "tokio", "url"],
        tests: &[],
    },
    Layer {
        krate: "crud-service",
        inside: &[],
        outside: &["actix-web", "futures-util", "mongodb", "serde_json", "time"],
        tests: &["testbed"],
    },
    Layer {
        krate: "testbed",
        inside: &[],
        outside: &["mongodb", "nix", "tempfile", "tokio"],
        tests: &[],
    },
    Layer {
        krate: "example-file-replay-guard",
        inside: &["domain"],
        outside: &["async-trait", "aws-lc-rs", "base64", "tokio"],
        tests: &["contract"],
    },
    Layer {
        krate: "adapter-jose",
        inside: &["domain"],
        outside: &[
            "arc-swap",
            "async-trait",
            "aws-lc-rs",
            "base64",
            "josekit",
            "openssl",
            "quick_cache",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "zeroize",
        ],
        tests: &["contract"],
    },
    Layer {
        krate: "adapter-hashing",
        inside: &["domain"],
        outside: &[
            "argon2",
            "async-trait",
            "aws-lc-rs",
            "base64",
            "bcrypt",
            "quick_cache",
            "thiserror",
            "tokio",
            "zeroize",
        ],
        tests: &["contract"],
    },
    Layer {
        krate: "adapter-oauth-client",
        inside: &["domain"],
        outside: &[
            "async-trait",
            "aws-lc-rs",
            "base64",
            "httpdate",
            "quick_cache",
            "reqwest",
            "rustls",
            "secrecy",
            "serde_json",
            "thiserror",
            "tokio",
            "url",
        ],
        tests: &["adapter-memory"],
    },
    Layer {
        krate: "server",
        inside: &[
            "adapter-crud",
            "adapter-hashing",
            "adapter-jose",
            "adapter-memory",
            "adapter-mongodb",
            "adapter-redis",
            "adapter-remote",
            "adapter-sql",
            "app",
            "domain",
        ],
        outside: &[
            "actix-web",
            "async-trait",
            "base64",
            "clap",
            "config",
            "futures-util",
            "governor",
            "ipnet",
            "mimalloc",
            "opentelemetry",
            "opentelemetry-otlp",
            "opentelemetry_sdk",
            "percent-encoding",
            "prometheus-client",
            "rustls",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "time",
            "tokio",
            "tracing",
            "tracing-opentelemetry",
            "tracing-subscriber",
            "url",
            "utoipa-swagger-ui",
            "uuid",
            "yaml-rust2",
        ],
        tests: &["crud-service", "testbed"],
    },
    Layer {
        krate: "gateway",
        inside: &[
            "adapter-hashing",
            "adapter-jose",
            "adapter-memory",
            "adapter-oauth-client",
            "adapter-redis",
            "app",
            "domain",
        ],
        outside: &[
            "arc-swap",
            "async-trait",
            "bytes",
            "clap",
            "http",
            "ipnet",
            "mimalloc",
            "parking_lot",
            "percent-encoding",
            "pingora-core",
            "pingora-http",
            "pingora-load-balancing",
            "pingora-proxy",
            "prometheus-client",
            "rustls",
            "secrecy",
            "serde",
            "serde-saphyr",
            "serde_json",
            "thiserror",
            "time",
            "tokio",
            "toml",
            "tracing",
            "tracing-appender",
            "tracing-subscriber",
            "url",
            "uuid",
        ],
        tests: &["server", "testbed"],
    },
    Layer {
        krate: "xtask",
        inside: &["testbed"],
        outside: &["lexopt", "nix", "signal-hook", "tempfile"],
        tests: &[],
    },
    Layer {
        krate: "bench",
        inside: &[],
        outside: &[
            "aws-lc-rs",
            "base64",
            "hdrhistogram",
            "lexopt",
            "nix",
            "openssl",
            "serde_json",
            "tokio",
        ],
        tests: &[],
    },
];

/// The two binaries, and the one place of each that knows adapters.
const WIRINGS: [(&str, &str); 2] = [
    ("crates/server/src", "crates/server/src/wiring/"),
    ("crates/gateway/src", "crates/gateway/src/wiring/"),
];

#[test]
fn every_crate_has_a_layer() {
    let declared: BTreeSet<String> = LAYERS.iter().map(|layer| layer.krate.to_owned()).collect();
    let actual: BTreeSet<String> =
        packages().iter().map(|package| package.name.to_string()).collect();

    assert_eq!(declared, actual, "the table of layers (left) and the workspace (right) differ");
}

#[test]
fn no_crate_reaches_outside_its_layer() {
    let mut trespasses = Vec::new();
    for package in packages() {
        let layer = layer_of(&package);
        for dependency in &package.dependencies {
            // A crate may switch on its own features for its own tests.
            let is_itself = dependency.name == package.name.as_str();
            if !is_itself && !is_allowed(layer, dependency) {
                trespasses.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }

    assert!(trespasses.is_empty(), "forbidden dependencies: {trespasses:#?}");
}

#[test]
fn no_layer_allows_more_than_it_uses() {
    let mut stale = Vec::new();
    for package in packages() {
        let layer = layer_of(&package);
        let normal = layer.inside.iter().chain(layer.outside);
        let expected = normal
            .map(|name| (name, DependencyKind::Normal))
            .chain(layer.tests.iter().map(|name| (name, DependencyKind::Development)));
        for (name, kind) in expected {
            if !package.dependencies.iter().any(|it| it.kind == kind && it.name == *name) {
                stale.push(format!("{} -> {name}", package.name));
            }
        }
    }

    assert!(stale.is_empty(), "permissions that nobody uses: {stale:#?}");
}

#[test]
fn adapters_know_the_domain_and_nothing_else_of_ours() {
    for layer in LAYERS.iter().filter(|layer| layer.krate.starts_with("adapter-")) {
        assert_eq!(layer.inside, ["domain"], "{}", layer.krate);
    }
}

#[test]
fn adapters_are_named_in_the_wiring_only() {
    let root = root();
    let mut trespasses = Vec::new();
    for (sources, wiring) in WIRINGS {
        for file in rust_files(root.join(sources).as_std_path()) {
            let name = file.strip_prefix(root.as_std_path()).unwrap();
            let name = name.to_string_lossy().into_owned();
            if name.starts_with(wiring) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for (index, line) in text.lines().enumerate() {
                if line.contains("adapter_") {
                    trespasses.push(format!("{name}:{}: {}", index + 1, line.trim()));
                }
            }
        }
    }

    assert!(trespasses.is_empty(), "only {WIRINGS:?} name adapters: {trespasses:#?}");
}

#[test]
fn every_manifest_takes_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();

        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", package.manifest_path);
    }
}

#[test]
fn every_version_is_said_once_in_the_workspace() {
    let mut strays = Vec::new();
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let mut is_dependency_table = false;
        for line in manifest.lines().map(str::trim) {
            if let Some(table) = line.strip_prefix('[') {
                let table = table.trim_end_matches(']');
                is_dependency_table = table.ends_with("dependencies");
                // `[dependencies.foo]` would hide the version from this test.
                if table.contains("dependencies.") {
                    strays.push(format!("{}: {line}", package.name));
                }
                continue;
            }
            let says_something = !line.is_empty() && !line.starts_with('#');
            // `path = "."` is the crate itself, with other features for its tests.
            let inherits = line.contains(".workspace = true")
                || line.contains("{ workspace = true")
                || line.contains("{ path = \".\"");
            if is_dependency_table && says_something && !inherits {
                strays.push(format!("{}: {line}", package.name));
            }
        }
    }

    assert!(strays.is_empty(), "not `workspace = true`: {strays:#?}");
}

fn is_allowed(layer: &Layer, dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    // By path or from elsewhere: a crate of another person may bear the name of one of ours.
    let is_ours = dependency.path.is_some();
    if dependency.kind == DependencyKind::Normal {
        if is_ours { layer.inside.contains(&name) } else { layer.outside.contains(&name) }
    } else if dependency.kind == DependencyKind::Development {
        !is_ours || layer.inside.contains(&name) || layer.tests.contains(&name)
    } else {
        // A build script would be a second way in.
        false
    }
}

fn layer_of(package: &Package) -> &'static Layer {
    LAYERS
        .iter()
        .find(|layer| layer.krate == package.name.as_str())
        .unwrap_or_else(|| panic_about(package))
}

#[expect(clippy::panic, reason = "a test helper may panic")]
fn panic_about(package: &Package) -> ! {
    panic!("{} has no layer: write it into the table of {}", package.name, file!())
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    metadata.workspace_packages().into_iter().cloned().collect()
}

fn root() -> Utf8PathBuf {
    MetadataCommand::new().no_deps().exec().unwrap().workspace_root
}
