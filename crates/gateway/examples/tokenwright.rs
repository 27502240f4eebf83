//! `tokenwright`, for the tests of the gateway: Cargo builds examples along with tests, but not the
//! binaries of other crates.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::run()
}
