//! `cargo xtask deny`: what `deny.toml` says, checked.

use crate::run::{self, Interrupt, Outcome};

/// Runs the task.
pub(crate) fn run(interrupt: &Interrupt) -> Outcome {
    if run::which("cargo-deny").is_none() {
        return Err("cargo-deny is not installed: `cargo install cargo-deny --locked`".into());
    }
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .args(["deny", "check", "bans", "licenses", "sources"]),
    )
}
