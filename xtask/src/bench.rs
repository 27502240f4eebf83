//! `cargo xtask bench token`: builds what is measured, starts what it needs, and leaves the rest to
//! `bench-token`.

use std::{ffi::OsString, thread};

use lexopt::{Arg, Parser};

use crate::{
    postgres::Cluster,
    run::{self, Interrupt, Outcome},
};

/// The databases that `bench-token` expects: one for each algorithm.
const DATABASES: &[&str] = &["bench_rs256", "bench_es256", "bench_eddsa"];

/// Everything but the server under measurement runs here.
const OTHER_CPU: u32 = 1;

/// Runs the task.
pub(crate) fn run(mut arguments: Parser, interrupt: &Interrupt) -> Outcome {
    match arguments.next()? {
        Some(Arg::Value(what)) if what == "token" => {}
        Some(other) => return Err(other.unexpected().into()),
        None => return Err("what is to be measured? There is `bench token`".into()),
    }
    let options: Vec<OsString> = arguments.raw_args()?.collect();

    if thread::available_parallelism()?.get() < 2 {
        return Err("this needs two CPUs: one for the server, one for everything else".into());
    }

    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[]).args([
            "build",
            "--release",
            "--package",
            "server",
            "--package",
            "bench",
        ]),
    )?;

    let cluster = Cluster::start(interrupt, Some(OTHER_CPU))?;
    for database in DATABASES {
        cluster.create_database(database)?;
    }
    let directory = tempfile::Builder::new().prefix("tokenwright-bench-").tempdir()?;

    run::step(
        interrupt,
        run::bound_command("taskset", "TERM", &[])
            .args(["--cpu-list", &OTHER_CPU.to_string()])
            .arg(run::cargo())
            .args(["run", "--quiet", "--release", "--package", "bench", "--bin", "bench-token"])
            .args(["--", "--postgres", &cluster.url(), "--directory"])
            .arg(directory.path())
            .args(options),
    )
}
