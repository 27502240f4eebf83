//! `cargo xtask test`: everything that must pass before a change is done.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use crate::{
    postgres::{self, Cluster},
    run::{self, Interrupt, Outcome},
};

/// Where the tests look for PostgreSQL.
pub(crate) const POSTGRES_URL: &str = "TOKENWRIGHT_TEST_POSTGRES_URL";

/// Runs the task.
pub(crate) fn run(arguments: Parser, interrupt: &Interrupt) -> Outcome {
    match cargo_test_arguments(arguments)? {
        Some(arguments) => {
            let cluster = Cluster::start(interrupt, None)?;
            tests(interrupt, &cluster, &arguments)
        }
        None => everything(interrupt),
    }
}

/// What follows `--`, if anything does.
fn cargo_test_arguments(mut arguments: Parser) -> Outcome<Option<Vec<OsString>>> {
    let Some(mut raw) = arguments.try_raw_args() else {
        return Err("unexpected arguments".into());
    };
    match raw.next() {
        None => Ok(None),
        Some(word) if word == "--" => Ok(Some(raw.collect()).filter(|it: &Vec<_>| !it.is_empty())),
        Some(word) => Err(Arg::Value(word).unexpected().into()),
    }
}

fn everything(interrupt: &Interrupt) -> Outcome {
    // First, so that what is missing is said before minutes of compiling.
    postgres::find_or_install(interrupt)?;
    // The lines that a first start prints are run as they stand, and they use curl.
    run::find_or_install(interrupt, "curl")?;

    cargo(interrupt, &["fmt", "--all", "--check"])?;
    cargo(interrupt, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;

    let cluster = Cluster::start(interrupt, None)?;
    tests(interrupt, &cluster, &["--workspace".into()])
}

fn cargo(interrupt: &Interrupt, arguments: &[&str]) -> Outcome {
    run::step(interrupt, run::bound_command(run::cargo(), "TERM", &[]).args(arguments))
}

fn tests(interrupt: &Interrupt, cluster: &Cluster, arguments: &[OsString]) -> Outcome {
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .arg("test")
            .args(arguments)
            .env(POSTGRES_URL, format!("{}/postgres", cluster.url())),
    )
}
