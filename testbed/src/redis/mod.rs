//! Redis servers of our own: alone, followed by replicas and watched by sentinels, or in a cluster.

mod cluster;
mod sentinel;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::Once,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::install;
use crate::process::{Daemon, Outcome, bound_command, free_port, output_of, which};

pub use cluster::RedisCluster;
pub use sentinel::{MASTER_NAME, Passwords, SentinelGroup};

/// What the names of the servers' folders begin with; the process that made them follows.
const PREFIX: &str = "tokenwright-redis-";

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Makes sure that Redis is here.
///
/// # Errors
///
/// If it is missing and cannot be installed.
pub fn find_or_install() -> Outcome<PathBuf> {
    install::ensure("redis-server", "redis-server")?;
    install::ensure("redis-cli", "redis-tools")?;
    which("redis-server").ok_or_else(|| "redis-server is still missing".into())
}

/// A running `redis-server`, or a sentinel.
#[derive(Debug)]
pub struct RedisServer {
    daemon: Daemon,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// How `redis-cli` proves itself to it: `["--user", "a", "--pass", "b"]`, `["--tls", ...]`.
    pub credentials: Vec<String>,
    is_sentinel: bool,
    // Last: the folder goes when nobody writes to it any more.
    directory: TempDir,
}

impl RedisServer {
    /// Starts a server that is alone, keeps nothing on disk and asks for no password.
    ///
    /// # Errors
    ///
    /// If Redis is missing and cannot be installed, or does not start.
    pub fn start() -> Outcome<Self> {
        Self::start_with(|_| String::new())
    }

    /// Starts a server with more lines in its configuration: `settings` is told the port. A port
    /// other than for TLS is not opened where it says `port 0`.
    ///
    /// # Errors
    ///
    /// As [`RedisServer::start`].
    pub fn start_with(settings: impl Fn(u16) -> String) -> Outcome<Self> {
        Self::start_as(false, settings)
    }

    fn start_as(is_sentinel: bool, settings: impl Fn(u16) -> String) -> Outcome<Self> {
        find_or_install()?;
        sweep();
        let prefix = format!("{PREFIX}{}-", process::id());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir()?;
        let mut last_error = None;
        for _ in 0..3 {
            let port = free_port()?;
            let path = directory.path().display();
            let mut text = format!("port {port}\nbind 127.0.0.1\ndir {path}\n");
            if !is_sentinel {
                text += "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n";
            }
            text += &settings(port);
            fs::write(directory.path().join("redis.conf"), text)?;
            match launch(directory.path(), is_sentinel) {
                Ok(daemon) => {
                    let credentials = Vec::new();
                    return Ok(Self { daemon, port, credentials, is_sentinel, directory });
                }
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| "Redis was not started".into()))
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a command with `redis-cli`, and returns what it answered.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached.
    pub fn command(&self, words: &[&str]) -> Outcome<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--no-auth-warning"]);
        Ok(output_of(command.args(&self.credentials).args(words))?.trim().to_owned())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon.end(Signal::SIGKILL);
    }

    /// Starts it again after [`RedisServer::kill`], at the same port. It remembers what its
    /// configuration lets it keep on disk.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn restart(&mut self) -> Outcome {
        self.daemon = launch(self.directory.path(), self.is_sentinel)?;
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

/// Removes the folders of processes that ended without a chance to do so: servers that many tests
/// share live until the very end.
fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            let owner = owner.and_then(|rest| rest.split_once('-')).map(|(owner, _)| owner);
            if let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok())
                && !Path::new(&format!("/proc/{owner}")).exists()
            {
                // Somebody else may be sweeping as well.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    });
}

fn launch(directory: &Path, is_sentinel: bool) -> Outcome<Daemon> {
    let program = which("redis-server").ok_or("redis-server is missing")?;
    let mut command = bound_command(program, "KILL", &[]);
    command.arg(directory.join("redis.conf")).current_dir(directory);
    if is_sentinel {
        command.arg("--sentinel");
    }
    let mut daemon = Daemon::spawn("Redis", command, &directory.join("redis.log"))?;
    let ready = if is_sentinel { "+monitor master" } else { "Ready to accept connections" };
    daemon.await_ready(|log| log.contains(ready))?;
    Ok(daemon)
}

/// The files with which servers speak TLS, to each other as well.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// Who vouches for servers and clients.
    pub authority: &'a Path,
    /// What a server shows to clients and to other servers.
    pub certificate: &'a Path,
    /// The key of that.
    pub key: &'a Path,
}

impl TlsFiles<'_> {
    /// The lines of a configuration that make a server speak TLS alone, to clients with a
    /// certificate.
    #[must_use]
    pub fn settings(&self, port: u16) -> String {
        format!(
            "port 0\ntls-port {port}\ntls-auth-clients yes\ntls-replication yes\n\
             tls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\n",
            self.authority.display(),
            self.certificate.display(),
            self.key.display()
        )
    }

    /// How `redis-cli` reaches such a server.
    #[must_use]
    pub fn credentials(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let (authority, certificate) = (path(self.authority), path(self.certificate));
        let mut words = vec!["--tls".to_owned()];
        for (word, file) in
            [("--cacert", authority), ("--cert", certificate), ("--key", path(self.key))]
        {
            words.extend([word.to_owned(), file]);
        }
        words
    }
}

fn tls_settings(tls: Option<TlsFiles<'_>>, port: u16) -> String {
    tls.map_or_else(String::new, |files| files.settings(port))
}

fn tls_credentials(tls: Option<TlsFiles<'_>>) -> Vec<String> {
    tls.map_or_else(Vec::new, |files| files.credentials())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Outcome {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        if is_so() {
            return Ok(());
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    Err(format!("it took longer than a minute until {what}").into())
}
