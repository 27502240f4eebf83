//! What developers run: `cargo xtask <task>`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod bench;
mod deny;
mod run;
mod services;
mod test;

use std::process::ExitCode;

use lexopt::Arg;

use crate::run::{Interrupt, Outcome};

const USAGE: &str = "\
Usage: cargo xtask <task>

  test [-- <cargo test arguments>]
        Everything that must pass: formatting, clippy, documentation, all tests, with the servers
        they need. With arguments, only `cargo test <arguments>`, with the servers up.
  services
        Starts the servers that tests need, says how to reach them, and stops them when its
        standard input ends, or on Ctrl-C.
  deny
        Checks dependencies, licences and sources with cargo-deny.
  bench token [--seconds <n>] [--connections <n>] [--samples <n>] [--max-z <z>]
              [--set <NAME=VALUE>]... [--output json]
        Tokens per second of one core beside the raw signing rate of that core; memory, start-up
        time, and whether refusals can be told apart by their time.
  bench stacks [--seconds <n>] [--rounds <n>] [--connections <n>] [--assertions <n>]
               [--output json]
        Tokens per second of the same server on four stacks, in turns; assertions, and the first
        token of a new process.
  bench scale [--clients <n>] [--stored <n>] [--touched <n>] [--samples <n>]
              [--set <NAME=VALUE>]... [--output json]
        Memory for 100 000 warm clients; look-ups among a million.
  bench endpoints [--seconds <n>] [--rounds <n>] [--connections <n>] [--requests <n>]
                  [--output json]
        Introspection beside an empty JSON handler of the same server; tokens for assertions, and
        reference tokens on Redis, for each second of the server's time.";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Outcome {
    let mut arguments = lexopt::Parser::from_env();
    let task = match arguments.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => {
            println!("{USAGE}");
            return Ok(());
        }
        Some(Arg::Value(task)) => task,
        Some(other) => return Err(other.unexpected().into()),
    };
    let interrupt = Interrupt::listen()?;

    match task.to_str() {
        Some("test") => test::run(arguments, &interrupt),
        Some("services") => services::run(&interrupt),
        Some("deny") => deny::run(&interrupt),
        Some("bench") => bench::run(arguments, &interrupt),
        _ => Err(format!("there is no task {}\n\n{USAGE}", task.display()).into()),
    }
}
