//! A command of the real binary, run to its end.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::server::{command, eventually};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Everything it printed.
    pub(crate) fn printed(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Fails unless it went well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self
    }

    /// Fails unless it failed with this code and said this, on standard error alone.
    pub(crate) fn badly(self, code: i32, said: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains(said), "not {said:?}: {self:?}");
        self
    }
}

/// Runs `tokenwright` with `arguments` in a directory, which also holds its data. A server that
/// cannot start ends too; one that starts is a failure after a minute.
pub(crate) fn run(directory: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = command(directory);
    command.args(arguments).envs(environment.iter().copied());
    run_command(command)
}

/// Runs a command to its end.
pub(crate) fn run_command(mut command: Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Killed(child);
    let out = read(child.0.stdout.take().unwrap());
    let err = read(child.0.stderr.take().unwrap());
    let status = eventually(
        "the end of a command",
        || {
            thread::sleep(Duration::from_millis(5));
            child.0.try_wait().unwrap()
        },
        || format!("{command:?}"),
    );
    Ended { code: status.code(), stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn read(mut stream: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
