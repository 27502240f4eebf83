//! `cargo xtask test`: everything that must pass before a change is done.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use crate::{
    run::{self, Interrupt, Outcome},
    services::Services,
};

/// Runs the task.
pub(crate) fn run(arguments: Parser, interrupt: &Interrupt) -> Outcome {
    match cargo_test_arguments(arguments)? {
        Some(arguments) => tests(interrupt, &Services::start()?, &arguments),
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
    Services::install()?;

    cargo(interrupt, &["fmt", "--all", "--check"])?;
    cargo(interrupt, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;

    tests(interrupt, &Services::start()?, &["--workspace".into()])
}

fn cargo(interrupt: &Interrupt, arguments: &[&str]) -> Outcome {
    run::step(interrupt, run::bound_command(run::cargo(), "TERM", &[]).args(arguments))
}

fn tests(interrupt: &Interrupt, services: &Services, arguments: &[OsString]) -> Outcome {
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .arg("test")
            .args(arguments)
            .envs(services.variables()),
    )
}
