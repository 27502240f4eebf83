//! `cargo xtask bench token`, `stacks`, `scale` and `endpoints`: builds what is measured, starts what
//! it needs, and leaves the rest to `bench-token`, `bench-stacks`, `bench-scale` and
//! `bench-endpoints`.

use std::{
    ffi::{OsStr, OsString},
    process::{self, Command},
    thread,
};

use lexopt::{Arg, Parser};
use testbed::{mongodb::MongoServer, postgres::Cluster, process::output_of, redis::RedisServer};

use crate::run::{self, Interrupt, Outcome};

/// The databases that `bench-token` expects: one for each algorithm.
const TOKEN_DATABASES: &[&str] = &["bench_rs256", "bench_es256", "bench_eddsa"];

/// Those that `bench-stacks` expects.
const STACKS_DATABASES: &[&str] = &["bench_postgres", "bench_postgres_redis"];

/// The one that `bench-endpoints` expects.
const ENDPOINTS_DATABASES: &[&str] = &["bench_endpoints"];

/// Everything but the server under measurement runs here.
const OTHER_CPU: u32 = 1;

/// Runs the task.
pub(crate) fn run(mut arguments: Parser, interrupt: &Interrupt) -> Outcome {
    let what = match arguments.next()? {
        Some(Arg::Value(what)) => what,
        Some(other) => return Err(other.unexpected().into()),
        None => {
            let known = "`bench token`, `stacks`, `scale` or `endpoints`";
            return Err(format!("what is to be measured? {known}").into());
        }
    };
    let options: Vec<OsString> = arguments.raw_args()?.collect();
    match what.to_str() {
        Some("token") => token(&options, interrupt),
        Some("stacks") => stacks(&options, interrupt),
        Some("scale") => scale(&options, interrupt),
        Some("endpoints") => endpoints(&options, interrupt),
        _ => Err(format!("there is no benchmark {}", what.display()).into()),
    }
}

fn token(options: &[OsString], interrupt: &Interrupt) -> Outcome {
    build(interrupt, &[])?;
    let cluster = cluster_with(TOKEN_DATABASES)?;
    let postgres = cluster.url();
    measure("bench-token", &["--postgres", &postgres], options, interrupt)
}

fn stacks(options: &[OsString], interrupt: &Interrupt) -> Outcome {
    testbed::mongodb::find_or_install()?;
    testbed::redis::find_or_install()?;
    build(interrupt, &["--package", "crud-service"])?;
    let cluster = cluster_with(STACKS_DATABASES)?;
    // Both inherit the CPU of this process.
    let mongodb = MongoServer::start()?;
    let redis = RedisServer::start()?;
    let (postgres, mongodb, redis) = (cluster.url(), mongodb.url(), redis.host());
    let stores = ["--postgres", &postgres, "--mongodb", &mongodb, "--redis", &redis];
    measure("bench-stacks", &stores, options, interrupt)
}

fn scale(options: &[OsString], interrupt: &Interrupt) -> Outcome {
    build(interrupt, &[])?;
    let cluster = cluster_with(&[])?;
    let psql = testbed::postgres::find_or_install()?.join("psql");
    let (postgres, psql) = (cluster.url(), psql.display().to_string());
    measure("bench-scale", &["--postgres", &postgres, "--psql", &psql], options, interrupt)
}

fn endpoints(options: &[OsString], interrupt: &Interrupt) -> Outcome {
    testbed::redis::find_or_install()?;
    build(interrupt, &[])?;
    let cluster = cluster_with(ENDPOINTS_DATABASES)?;
    // It inherits the CPU of this process.
    let redis = RedisServer::start()?;
    let stores = ["--postgres", &cluster.url(), "--redis", &redis.host()];
    measure("bench-endpoints", &stores, options, interrupt)
}

/// Builds the server, the benchmarks and `more`; from then on, this process and whatever it starts
/// leave the server's CPU alone.
fn build(interrupt: &Interrupt, more: &[&str]) -> Outcome {
    if thread::available_parallelism()?.get() < 2 {
        return Err("this needs two CPUs: one for the server, one for everything else".into());
    }
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .args(["build", "--release", "--package", "server", "--package", "bench"])
            .args(more),
    )?;
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", &OTHER_CPU.to_string()]);
    output_of(taskset.arg(process::id().to_string())).map(drop)
}

fn cluster_with(databases: &[&str]) -> Outcome<Cluster> {
    let cluster = Cluster::start(Some(OTHER_CPU))?;
    for database in databases {
        cluster.create_database(database)?;
    }
    Ok(cluster)
}

/// Runs a benchmark beside the servers that it was given.
fn measure(
    program: &str,
    servers: &[&str],
    options: &[OsString],
    interrupt: &Interrupt,
) -> Outcome {
    let directory = tempfile::Builder::new().prefix("tokenwright-bench-").tempdir()?;
    run::step(
        interrupt,
        run::bound_command(run::cargo(), "TERM", &[])
            .args(["run", "--quiet", "--release", "--package", "bench", "--bin", program, "--"])
            .args(servers)
            .args([OsStr::new("--directory"), directory.path().as_os_str()])
            .args(options),
    )
}
