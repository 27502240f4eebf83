//! Raw signing rates of the core it runs on, as JSON lines.

#![expect(clippy::print_stdout, reason = "a command line tool prints")]

use std::{error::Error, time::Duration};

use bench::raw::{self, Family};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

const USAGE: &str = "\
Usage: bench-raw [--seconds <n>] [--only rsa2048|p256|ed25519]

Signs for <n> seconds (2) with each algorithm and each library, and prints one JSON object a line:
{\"name\": \"p256/aws-lc\", \"per_second\": 28000.1}";

fn main() -> Result<(), Box<dyn Error>> {
    let mut seconds = 2.0;
    let mut families = Family::ALL.to_vec();
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("only") => {
                let name = parser.value()?.string()?;
                families.retain(|family| family.name() == name);
                if families.is_empty() {
                    return Err(format!("--only does not know {name}").into());
                }
            }
            Arg::Short('h') | Arg::Long("help") => {
                println!("{USAGE}");
                return Ok(());
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(argument.unexpected().into());
            }
        }
    }

    for family in families {
        for rate in raw::measure(family, Duration::try_from_secs_f64(seconds)?)? {
            println!("{}", json!({ "name": rate.name, "per_second": rate.per_second }));
        }
    }
    Ok(())
}
