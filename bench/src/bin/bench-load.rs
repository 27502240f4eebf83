//! Token requests, as fast as they are answered or at a given rate.

#![expect(clippy::print_stdout, reason = "a command line tool prints")]

use std::{error::Error, process::ExitCode, time::Duration};

use bench::{
    http::Request,
    load::{self, Load, Requests},
};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

const USAGE: &str = "\
Usage: bench-load --address <ip:port> --client-id <id> --client-secret <secret>
                  [--path /oauth/token] [--connections <n>] [--seconds <n>] [--rate <per second>]

Sends client credentials grants over HTTP/1.1 connections that are kept, for <n> seconds (10): each
connection (16) as fast as it is answered, or all of them together at --rate. Latencies at a rate
count from when a request was due. Exits with 1 if an answer was not 200.";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut address = None;
    let mut id = None;
    let mut secret = None;
    let mut path = "/oauth/token".to_owned();
    let mut connections = 16;
    let mut seconds = 10.0;
    let mut rate = None;
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("address") => address = Some(parser.value()?.parse()?),
            Arg::Long("client-id") => id = Some(parser.value()?.string()?),
            Arg::Long("client-secret") => secret = Some(parser.value()?.string()?),
            Arg::Long("path") => path = parser.value()?.string()?,
            Arg::Long("connections") => connections = parser.value()?.parse()?,
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("rate") => rate = Some(parser.value()?.parse()?),
            Arg::Short('h') | Arg::Long("help") => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => {
                return Err(argument.unexpected().into());
            }
        }
    }
    let id = id.ok_or("--client-id is missing")?;
    let secret = secret.ok_or("--client-secret is missing")?;

    let outcome = load::run(&Load {
        address: address.ok_or("--address is missing")?,
        requests: Requests::Again(Request::token(&path, &id, &secret)),
        connections,
        duration: Duration::try_from_secs_f64(seconds)?,
        rate,
    })?;

    let latency = &outcome.microseconds;
    println!(
        "{}",
        json!({
            "requests": outcome.requests,
            "errors": outcome.errors,
            "first_error": outcome.first_error,
            "per_second": outcome.per_second(),
            "p50_us": latency.value_at_quantile(0.5),
            "p90_us": latency.value_at_quantile(0.9),
            "p99_us": latency.value_at_quantile(0.99),
            "max_us": latency.max(),
        })
    );
    Ok(if outcome.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
