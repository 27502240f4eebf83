//! A PostgreSQL server of our own, for as long as a task runs.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::Signal,
    unistd::{User, geteuid},
};
use tempfile::TempDir;

use crate::install;
use crate::process::{self, Daemon, Outcome, free_port, output_of, which};

/// Where Debian keeps the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A running server with a data folder of its own, which both end with this value.
///
/// It answers on the loopback interface only. It never waits for the disk, and asks for no password:
/// nothing in it is worth keeping or hiding.
#[derive(Debug)]
pub struct Cluster {
    server: Daemon,
    port: u16,
    programs: PathBuf,
    // Last: the folder goes when nobody writes to it any more.
    _directory: TempDir,
}

impl Cluster {
    /// Starts a server, on one CPU alone if `cpu` names one.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is missing and cannot be installed, or does not start.
    pub fn start(cpu: Option<u32>) -> Outcome<Self> {
        let programs = find_or_install()?;
        let owner = Owner::choose()?;
        let directory = tempfile::Builder::new().prefix("tokenwright-postgres-").tempdir()?;
        owner.take(directory.path())?;
        initialize(&programs, &owner, directory.path())?;

        // Another process may take a free port before the server does: try a few.
        let mut last_error = None;
        for _ in 0..3 {
            let port = free_port()?;
            let mut server = launch(&programs, &owner, directory.path(), port, cpu)?;
            match await_ready(&mut server, directory.path()) {
                Ok(()) => return Ok(Self { server, port, programs, _directory: directory }),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| "PostgreSQL was not started".into()))
    }

    /// Where the server is reached, without the name of a database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Makes an empty database.
    ///
    /// # Errors
    ///
    /// If there is one of this name.
    pub fn create_database(&self, name: &str) -> Outcome {
        let port = self.port.to_string();
        let mut command = Command::new(self.programs.join("createdb"));
        command.args(["--host", "127.0.0.1", "--port", &port, "--username", "postgres", name]);
        output_of(&mut command).map(drop)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        self.server.end(Signal::SIGINT);
    }
}

/// Makes sure that the server's programs are here; says where.
///
/// # Errors
///
/// If they are missing and this process may not install them.
pub fn find_or_install() -> Outcome<PathBuf> {
    if let Some(programs) = find() {
        return Ok(programs);
    }
    let missing = "PostgreSQL's server (`initdb` in /usr/lib/postgresql/*/bin or in PATH)";
    install::apt_get(missing, "postgresql")?;
    find().ok_or_else(|| format!("{missing} is still missing").into())
}

/// The newest version that Debian's layout holds, else what the search path holds.
fn find() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, programs)| holds_server(programs))
        .collect();
    versions.sort();
    versions.pop().map(|(_, programs)| programs).or_else(|| {
        let programs = which("initdb")?.canonicalize().ok()?.parent()?.to_path_buf();
        holds_server(&programs).then_some(programs)
    })
}

fn holds_server(programs: &Path) -> bool {
    ["initdb", "postgres", "createdb"].iter().all(|program| programs.join(program).is_file())
}

/// Whose server it is: PostgreSQL refuses to run as root.
#[derive(Debug)]
struct Owner(Option<User>);

impl Owner {
    fn choose() -> Outcome<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Self(Some(user)));
            }
        }
        Err("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`".into())
    }

    fn take(&self, directory: &Path) -> Outcome {
        if let Some(user) = &self.0 {
            chown(directory, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(())
    }

    /// `program`, as this user, ended when this process ends.
    fn command(&self, program: &Path, directory: &Path) -> Outcome<Command> {
        let mut command = match &self.0 {
            None => process::bound_command(program, "INT", &[]),
            Some(_) if which("setpriv").is_none() => {
                return Err(
                    "`setpriv` (util-linux) is missing: it is needed to run PostgreSQL as \
                            another user than root"
                        .into(),
                );
            }
            Some(user) => {
                let uid = format!("--reuid={}", user.uid);
                let gid = format!("--regid={}", user.gid);
                process::bound_command(program, "INT", &[&uid, &gid, "--clear-groups"])
            }
        };
        command.current_dir(directory).stdin(Stdio::null());
        Ok(command)
    }
}

fn initialize(programs: &Path, owner: &Owner, directory: &Path) -> Outcome {
    let mut command = owner.command(&programs.join("initdb"), directory)?;
    command
        .arg("--pgdata")
        .arg(data(directory))
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
        .arg("--no-sync");
    output_of(&mut command).map(drop)
}

fn launch(
    programs: &Path,
    owner: &Owner,
    directory: &Path,
    port: u16,
    cpu: Option<u32>,
) -> Outcome<Daemon> {
    let program = programs.join("postgres");
    let mut command = match cpu {
        None => owner.command(&program, directory)?,
        Some(cpu) => {
            let mut command = owner.command(Path::new("taskset"), directory)?;
            command.args(["--cpu-list", &cpu.to_string()]).arg(&program);
            command
        }
    };
    command.arg("-D").arg(data(directory));
    let settings = [
        format!("port={port}"),
        format!("unix_socket_directories={}", directory.display()),
        "listen_addresses=127.0.0.1".to_owned(),
        "max_connections=300".to_owned(),
        "fsync=off".to_owned(),
        "synchronous_commit=off".to_owned(),
        "full_page_writes=off".to_owned(),
    ];
    for setting in &settings {
        command.args(["-c", setting]);
    }
    Daemon::spawn("PostgreSQL", command, &directory.join("postgres.log"))
}

/// Waits until the server says, in its pid file, that it takes connections.
fn await_ready(server: &mut Daemon, directory: &Path) -> Outcome {
    let pid_file = data(directory).join("postmaster.pid");
    server.await_ready(|_| {
        // The eighth line is the state; it appears when there is one.
        let state = fs::read_to_string(&pid_file).unwrap_or_default();
        state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
    })
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}
