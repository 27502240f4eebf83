//! Many clients: what a server takes to remember them, and how long it takes to find one. `cargo
//! xtask bench scale` builds and starts what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod look_ups;
mod memory;
mod population;
mod report;

use std::{error::Error, ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use bench::{
    load::{self, Load, Requests},
    process::Server,
};
use lexopt::{Arg, Parser, ValueExt};

use crate::{population::Population, report::Report};

const USAGE: &str = "\
Usage: bench-scale --postgres <url without database> --psql <program> --directory <folder>
                   [--clients <n>] [--stored <n>] [--touched <n>] [--samples <n>]
                   [--set <NAME=VALUE>]... [--output json]

Run it as `cargo xtask bench scale`, which starts PostgreSQL and pins it and this program to CPU 1.
The servers run on CPU 0, with --set in their environment, and the default capacity of their caches
unless that says otherwise. Gives a token to each of
<clients> clients (100000) with bcrypt hashes, and says what memory that takes; looks up <samples>
clients (500) of 1000, of 100000 and of <stored> (1000000) in turns; and gives a token to each of
<touched> clients (400000) of the latter. Exits with 1 if a request failed. A missed target is said,
but is no failure.";

/// The server has this CPU to itself.
pub(crate) const SERVER_CPU: u32 = 0;

/// How many connections ask, where many ask at a time.
const CONNECTIONS: usize = 16;

/// The longest that all of them may take.
const ENOUGH: Duration = Duration::from_hours(1);

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where PostgreSQL is, without the name of a database.
    pub(crate) postgres: String,
    /// Its command line client.
    pub(crate) psql: PathBuf,
    /// An empty folder for data and logs.
    pub(crate) directory: PathBuf,
    /// How many clients are remembered while memory is measured.
    pub(crate) clients: u32,
    /// How many clients there are at the most.
    pub(crate) stored: u32,
    /// How many of those ask for a token.
    pub(crate) touched: u32,
    /// How many are looked up one at a time, of each number of clients.
    pub(crate) samples: u32,
    /// Further settings of the servers.
    pub(crate) settings: Vec<(String, OsString)>,
    is_json: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = parse(Parser::from_env())? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };

    let memory = memory::measure(&options)?;
    let report = Report { memory, look_ups: look_ups::measure(&options)? };

    if options.is_json {
        println!("{}", report.json());
    } else {
        println!("{}", report.table());
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives one token to each of these clients; how many a second.
pub(crate) fn give_tokens(
    server: &Server,
    population: &Population,
    clients: std::ops::Range<u32>,
) -> Result<f64, Box<dyn Error>> {
    let outcome = load::run(&Load {
        address: server.address,
        requests: Requests::Once(clients.map(|number| population.token_request(number)).collect()),
        connections: CONNECTIONS,
        duration: ENOUGH,
        rate: None,
    })?;
    match outcome.first_error {
        None => Ok(outcome.per_second()),
        Some(first) => {
            let (errors, log) = (outcome.errors, server.log_tail());
            Err(format!("{errors} errors: {first}\n{log}").into())
        }
    }
}

fn parse(mut parser: Parser) -> Result<Option<Options>, Box<dyn Error>> {
    let mut postgres = None;
    let mut psql = None;
    let mut directory = None;
    let mut clients = 100_000;
    let mut stored = 1_000_000;
    let mut touched = 400_000;
    let mut samples = 500;
    let mut settings = Vec::new();
    let mut is_json = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("postgres") => postgres = Some(parser.value()?.string()?),
            Arg::Long("psql") => psql = Some(PathBuf::from(parser.value()?)),
            Arg::Long("directory") => directory = Some(PathBuf::from(parser.value()?)),
            Arg::Long("clients") => clients = parser.value()?.parse()?,
            Arg::Long("stored") => stored = parser.value()?.parse()?,
            Arg::Long("touched") => touched = parser.value()?.parse()?,
            Arg::Long("samples") => samples = parser.value()?.parse()?,
            Arg::Long("set") => {
                let setting = parser.value()?.string()?;
                let (name, value) = setting.split_once('=').ok_or("--set is NAME=VALUE")?;
                settings.push((name.to_owned(), value.into()));
            }
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
        psql: psql.ok_or("--psql is missing")?,
        directory: directory.ok_or("--directory is missing")?,
        clients,
        stored,
        touched,
        samples,
        settings,
        is_json,
    }))
}
