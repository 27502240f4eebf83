//! The token benchmark. `cargo xtask bench token` builds and starts what it needs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod refusals;
mod report;
mod start;
mod tokens;

use std::{error::Error, ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use lexopt::{Arg, Parser, ValueExt};

use crate::report::Report;

const USAGE: &str = "\
Usage: bench-token --postgres <url without database> --directory <folder>
                   [--seconds <n>] [--connections <n>] [--samples <n>] [--max-z <z>]
                   [--set <NAME=VALUE>]... [--output json]

Run it as `cargo xtask bench token`, which starts PostgreSQL and pins this program to CPU 1. The
server runs on CPU 0, with --set in its environment. Exits with 1 if a request failed, or if
refusals can be told apart by their time. A missed target is said, but is no failure.";

/// The server has this CPU to itself.
pub(crate) const SERVER_CPU: u32 = 0;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    /// Where PostgreSQL is, without the name of a database.
    pub(crate) postgres: String,
    /// An empty folder for data and logs.
    pub(crate) directory: PathBuf,
    /// How long each rate is measured.
    pub(crate) duration: Duration,
    /// How many connections ask for tokens.
    pub(crate) connections: usize,
    /// How many refusals of each kind are timed.
    pub(crate) samples: usize,
    /// The largest |z| at which two kinds of refusal still count as alike.
    pub(crate) max_z: f64,
    /// Further settings of the server.
    pub(crate) settings: Vec<(String, OsString)>,
    is_json: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = parse(Parser::from_env())? else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };

    let report = Report {
        algorithms: tokens::measure(&options)?,
        start: start::measure(&options)?,
        refusals: refusals::measure(&options)?,
    };

    if options.is_json {
        println!("{}", report.json(options.max_z));
    } else {
        println!("{}", report.table(options.max_z));
    }
    let failures = report.failures(options.max_z);
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(mut parser: Parser) -> Result<Option<Options>, Box<dyn Error>> {
    let mut postgres = None;
    let mut directory = None;
    let mut seconds = 10.0;
    let mut connections = 16;
    let mut samples = 200;
    // Of two samples from one distribution, one pair in 16 000 lies farther apart than 4.
    let mut max_z = 4.0;
    let mut settings = Vec::new();
    let mut is_json = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("postgres") => postgres = Some(parser.value()?.string()?),
            Arg::Long("directory") => directory = Some(PathBuf::from(parser.value()?)),
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("connections") => connections = parser.value()?.parse()?,
            Arg::Long("samples") => samples = parser.value()?.parse()?,
            Arg::Long("max-z") => max_z = parser.value()?.parse()?,
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
        directory: directory.ok_or("--directory is missing")?,
        duration: Duration::try_from_secs_f64(seconds)?,
        connections,
        samples,
        max_z,
        settings,
        is_json,
    }))
}
