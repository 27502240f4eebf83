//! The same server on four stacks, measured in turns. `cargo xtask bench stacks` builds and starts
//! what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod contestant;
mod crud_service;
mod report;
mod stack;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use lexopt::{Arg, Parser, ValueExt};

use crate::{contestant::Contestant, crud_service::CrudService, report::Report, stack::Stack};

const USAGE: &str = "\
Usage: bench-stacks --postgres <url without database> --mongodb <url> --redis <host:port>
                    --directory <folder> [--seconds <n>] [--rounds <n>] [--connections <n>]
                    [--assertions <n>] [--output json]

Run it as `cargo xtask bench stacks`, which starts the stores and pins them and this program to
CPU 1. The servers run on CPU 0, one at work at a time: in each of <n> rounds (5) every stack gives
warm tokens for <n> seconds (4) and answers <n> assertions (3000). Exits with 1 if a request failed,
or if a stack gives fewer than 95 % of the tokens of the best one and the difference is larger than
the spread between rounds.";

/// The server has this CPU to itself.
pub(crate) const SERVER_CPU: u32 = 0;

/// The stores, and who asks.
pub(crate) const OTHER_CPU: u32 = 1;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where PostgreSQL is, without the name of a database.
    pub(crate) postgres: String,
    /// Where MongoDB is, without the name of a database.
    pub(crate) mongodb: String,
    /// Where Redis is, as `host:port`.
    pub(crate) redis: String,
    /// An empty folder for data and logs.
    pub(crate) directory: PathBuf,
    /// How long each stack gives tokens in each round.
    pub(crate) duration: Duration,
    rounds: usize,
    /// How many connections ask.
    pub(crate) connections: usize,
    /// How many assertions each stack answers in each round.
    pub(crate) assertions: usize,
    is_json: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = parse(Parser::from_env())? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };

    let crud = CrudService::start(&options)?;
    let mut contestants = Stack::ALL
        .into_iter()
        .map(|stack| Contestant::prepare(stack, &options, &crud))
        .collect::<Result<Vec<_>, _>>()?;
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Another one begins each round.
        contestants.rotate_left(usize::from(0 < round));
        for contestant in &mut contestants {
            contestant.run(&options)?;
        }
    }
    contestants.sort_by_key(|it| it.stack);
    let measured = contestants.into_iter().map(Contestant::stop).collect::<Result<_, _>>()?;

    let report = Report { stacks: measured };
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
    let mut mongodb = None;
    let mut redis = None;
    let mut directory = None;
    let mut seconds = 4.0;
    let mut rounds = 5;
    let mut connections = 16;
    let mut assertions = 3_000;
    let mut is_json = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("postgres") => postgres = Some(parser.value()?.string()?),
            Arg::Long("mongodb") => mongodb = Some(parser.value()?.string()?),
            Arg::Long("redis") => redis = Some(parser.value()?.string()?),
            Arg::Long("directory") => directory = Some(PathBuf::from(parser.value()?)),
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("rounds") => rounds = parser.value()?.parse()?,
            Arg::Long("connections") => connections = parser.value()?.parse()?,
            Arg::Long("assertions") => assertions = parser.value()?.parse()?,
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
        mongodb: mongodb.ok_or("--mongodb is missing")?,
        redis: redis.ok_or("--redis is missing")?,
        directory: directory.ok_or("--directory is missing")?,
        duration: Duration::try_from_secs_f64(seconds)?,
        rounds,
        connections,
        assertions,
        is_json,
    }))
}
