//! A PostgreSQL server of our own, for as long as a task runs.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::Signal,
    unistd::{User, geteuid},
};
use tempfile::TempDir;

use crate::run::{self, Interrupt, Outcome, POLL};

/// Where Debian keeps the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server with a data folder of its own, which both end with this value.
///
/// It answers on the loopback interface only. It never waits for the disk, and asks for no password:
/// nothing in it is worth keeping or hiding.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Child,
    port: u16,
    programs: PathBuf,
    // Last: the folder goes when nobody writes to it any more.
    _directory: TempDir,
}

impl Cluster {
    /// Starts a server, on one CPU alone if `cpu` names one.
    pub(crate) fn start(interrupt: &Interrupt, cpu: Option<u32>) -> Outcome<Self> {
        let programs = find_or_install(interrupt)?;
        let owner = Owner::choose()?;
        let directory = tempfile::Builder::new().prefix("tokenwright-postgres-").tempdir()?;
        owner.take(directory.path())?;
        initialize(&programs, &owner, directory.path())?;

        // Another process may take a free port before the server does: try a few.
        let mut last_error = None;
        for _ in 0..3 {
            let port = free_port()?;
            let mut server = launch(&programs, &owner, directory.path(), port, cpu)?;
            match await_ready(interrupt, &mut server, directory.path()) {
                Ok(()) => return Ok(Self { server, port, programs, _directory: directory }),
                Err(error) => {
                    run::stop(&mut server, Signal::SIGQUIT, Duration::from_secs(5));
                    last_error = Some(error);
                    if interrupt.is_set() {
                        break;
                    }
                }
            }
        }
        Err(last_error.unwrap_or_else(|| "PostgreSQL was not started".into()))
    }

    /// Where the server is reached, without the name of a database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Makes an empty database.
    pub(crate) fn create_database(&self, name: &str) -> Outcome {
        let port = self.port.to_string();
        let mut command = Command::new(self.programs.join("createdb"));
        command.args(["--host", "127.0.0.1", "--port", &port, "--username", "postgres", name]);
        must_succeed(&mut command)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        run::stop(&mut self.server, Signal::SIGINT, Duration::from_secs(10));
    }
}

/// Makes sure that the server's programs are here; says where.
pub(crate) fn find_or_install(interrupt: &Interrupt) -> Outcome<PathBuf> {
    if let Some(programs) = find() {
        return Ok(programs);
    }
    let missing = "PostgreSQL's server programs are missing (looked for `initdb` in \
                   /usr/lib/postgresql/*/bin and in PATH)";
    if !geteuid().is_root() || run::which("apt-get").is_none() {
        return Err(format!(
            "{missing}: install them, on Debian with `sudo apt-get install \
             --no-install-recommends postgresql`"
        )
        .into());
    }
    eprintln!("{missing}: installing them");
    run::install(interrupt, "postgresql")?;
    find().ok_or_else(|| missing.into())
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
        let programs = run::which("initdb")?.canonicalize().ok()?.parent()?.to_path_buf();
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
            None => run::bound_command(program, "INT", &[]),
            Some(_) if run::which("setpriv").is_none() => {
                return Err(
                    "`setpriv` (util-linux) is missing: it is needed to run PostgreSQL as \
                            another user than root"
                        .into(),
                );
            }
            Some(user) => {
                let uid = format!("--reuid={}", user.uid);
                let gid = format!("--regid={}", user.gid);
                run::bound_command(program, "INT", &[&uid, &gid, "--clear-groups"])
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
    must_succeed(&mut command)
}

fn launch(
    programs: &Path,
    owner: &Owner,
    directory: &Path,
    port: u16,
    cpu: Option<u32>,
) -> Outcome<Child> {
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
    let log = fs::File::create(log(directory))?;
    command.stdout(log.try_clone()?).stderr(log);
    command.spawn().map_err(|error| format!("cannot start PostgreSQL: {error}").into())
}

/// Waits until the server says, in its pid file, that it takes connections.
fn await_ready(interrupt: &Interrupt, server: &mut Child, directory: &Path) -> Outcome {
    let pid_file = data(directory).join("postmaster.pid");
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        if interrupt.is_set() {
            return Err("interrupted".into());
        }
        if let Some(status) = server.try_wait()? {
            let log = fs::read_to_string(log(directory)).unwrap_or_default();
            return Err(format!("PostgreSQL ended ({status}):\n{log}").into());
        }
        // The eighth line is the state; it appears when there is one.
        let state = fs::read_to_string(&pid_file).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Ok(());
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    Err(format!("PostgreSQL did not answer within {} s", PATIENCE.as_secs()).into())
}

fn must_succeed(command: &mut Command) -> Outcome {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?}: {}\n{said}", command, output.status).into())
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn log(directory: &Path) -> PathBuf {
    directory.join("postgres.log")
}
