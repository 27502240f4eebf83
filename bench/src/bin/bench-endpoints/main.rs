//! What else a server is asked for, measured in turns beside a handler that has nothing to do.
//! `cargo xtask bench endpoints` builds and starts what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod endpoint;
mod report;
mod subject;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use lexopt::{Arg, Parser, ValueExt};

use crate::{report::Report, subject::Subject};

const USAGE: &str = "\
Usage: bench-endpoints --postgres <url without database> --redis <host:port> --directory <folder>
                       [--seconds <n>] [--rounds <n>] [--connections <n>] [--requests <n>]
                       [--output json]

Run it as `cargo xtask bench endpoints`, which starts the stores and pins them and this program to
CPU 1. One server runs on CPU 0. In each of <n> rounds (5), whatever needs no store is asked for for
<n> seconds (3), and what is written down in a store <n> times (20000). Exits with 1 if a request
failed, or if a figure is below what is wanted and the rounds do not lie too far apart to say so.";

/// The server has this CPU to itself.
pub(crate) const SERVER_CPU: u32 = 0;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where PostgreSQL is, without the name of a database.
    pub(crate) postgres: String,
    /// Where Redis is, as `host:port`.
    pub(crate) redis: String,
    /// An empty folder for data and logs.
    pub(crate) directory: PathBuf,
    /// How long what needs no store is asked for in each round.
    pub(crate) duration: Duration,
    rounds: usize,
    /// How many connections ask.
    pub(crate) connections: usize,
    /// How often what is written down is asked for in each round.
    pub(crate) requests: usize,
    is_json: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = parse(Parser::from_env())? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };

    let mut subject = Subject::prepare(&options)?;
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        subject.run(&options, round)?;
    }
    let report = Report { measured: subject.stop()? };

    if options.is_json {
        println!("{}", report.json());
    } else {
        println!("{}", report.table());
    }
    let failures = report.failures();
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(mut parser: Parser) -> Result<Option<Options>, Box<dyn Error>> {
    let mut postgres = None;
    let mut redis = None;
    let mut directory = None;
    let mut seconds = 3.0;
    let mut rounds = 5;
    let mut connections = 16;
    let mut requests = 20_000;
    let mut is_json = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("postgres") => postgres = Some(parser.value()?.string()?),
            Arg::Long("redis") => redis = Some(parser.value()?.string()?),
            Arg::Long("directory") => directory = Some(PathBuf::from(parser.value()?)),
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("rounds") => rounds = parser.value()?.parse()?,
            Arg::Long("connections") => connections = parser.value()?.parse()?,
            Arg::Long("requests") => requests = parser.value()?.parse()?,
            Arg::Long("output") => match parser.value()?.string()?.as_str() {
                "json" => is_json = true,
                "text" => is_json = false,
                other => return Err(format!("--output is json or text, not {other}").into()),
            },
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(argument.unexpected().into());
            }
        }
    }
    Ok(Some(Options {
        postgres: postgres.ok_or("--postgres is missing")?,
        redis: redis.ok_or("--redis is missing")?,
        directory: directory.ok_or("--directory is missing")?,
        duration: Duration::try_from_secs_f64(seconds)?,
        rounds,
        connections,
        requests,
        is_json,
    }))
}
