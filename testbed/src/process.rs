//! How a server is run as a child process, so that it does not outlive this one.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// What starting or stopping something comes to. A developer reads the error; no program does.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How often a child is asked whether it is done.
pub const POLL: Duration = Duration::from_millis(20);

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where `program` is found in the search path.
#[must_use]
pub fn which(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[expect(clippy::disallowed_methods, reason = "this tool has no configuration but its environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// A command that gets `signal` when the thread that starts it ends, even by `kill -9`.
///
/// `setpriv` belongs to util-linux, so it is on every Debian; elsewhere only an orderly end of this
/// process ends the child.
#[must_use]
pub fn bound_command(program: impl AsRef<OsStr>, signal: &str, drop_to: &[&str]) -> Command {
    if which("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(drop_to).args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Asks `child` to stop with `signal`, and kills it if it takes longer than `patience`.
pub fn stop(child: &mut Child, signal: Signal, patience: Duration) {
    let Ok(pid) = i32::try_from(child.id()).map(Pid::from_raw) else { return };
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    // It may end between the question and the signal: then there is nobody to tell.
    let _ = kill(pid, signal);
    let mut waited = Duration::ZERO;
    while waited < patience {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A port that nobody listened on a moment ago.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Runs a command to its end; what it printed on standard output.
///
/// # Errors
///
/// If it cannot be started or fails, with what it complained of.
pub fn output_of(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{said}{complaint}", output.status).into())
}

/// A running server, killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, which logs into `log` from its beginning.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(name: &'static str, mut command: Command, log: &Path) -> Outcome<Self> {
        let output = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Waits until `is_ready` is content with what was logged so far.
    ///
    /// # Errors
    ///
    /// If it ends before, or takes longer than a minute; with what it logged.
    pub fn await_ready(&mut self, is_ready: impl Fn(&str) -> bool) -> Outcome {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            let log = self.logged();
            if is_ready(&log) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended ({status}):\n{log}", self.name).into());
            }
            thread::sleep(POLL);
            waited += POLL;
        }
        let (name, log) = (self.name, self.logged());
        Err(format!("{name} was not ready within {} s:\n{log}", PATIENCE.as_secs()).into())
    }

    /// What it logged until now.
    #[must_use]
    pub fn logged(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal: `SIGSTOP` freezes it, `SIGCONT` lets it go on.
    ///
    /// # Errors
    ///
    /// If it has ended, or is not frozen after five seconds.
    pub fn signal(&self, signal: Signal) -> Outcome {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?;
        // On a busy machine its other threads go on for a moment, and answer.
        for _ in 0..5_000 {
            if signal != Signal::SIGSTOP || self.is_stopped() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err("the server was told to stop, and some of it goes on".into())
    }

    /// Whether every thread of it is stopped (proc(5): the state follows the name in brackets).
    fn is_stopped(&self) -> bool {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return true;
        };
        tasks.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('T'))
        })
    }

    /// Ends it with `signal`, and waits until it did.
    pub fn end(&mut self, signal: Signal) {
        stop(&mut self.child, signal, Duration::from_secs(10));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already. Nothing in it is worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
