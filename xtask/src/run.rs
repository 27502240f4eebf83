//! How a child process is run, so that it does not outlive this one.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What a task comes to. A developer reads the error; no program does.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How often a child is asked whether it is done.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// Whether somebody asked this process to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes note of the signals that ask a process to stop, instead of dying from them: servers
    /// must be stopped and temporary folders removed first.
    pub(crate) fn listen() -> Outcome<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// Whether such a signal came.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where `program` is found in the search path.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A command that gets `signal` when this process dies, even by `kill -9`.
///
/// `setpriv` belongs to util-linux, so it is on every Debian; elsewhere only an orderly end of this
/// process ends the child.
pub(crate) fn bound_command(program: impl AsRef<OsStr>, signal: &str, drop_to: &[&str]) -> Command {
    if which("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(drop_to).args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Runs one step to its end, in the folder of the workspace and without standard input.
///
/// It is a process group of its own, so that an interrupt ends all of it: cargo, and the test
/// program under it.
pub(crate) fn step(interrupt: &Interrupt, command: &mut Command) -> Outcome {
    let shown = describe(command);
    eprintln!("==> {shown}");

    let mut child =
        command.current_dir(root()).stdin(Stdio::null()).process_group(0).spawn().map_err(
            |error| format!("cannot start {}: {error}", command.get_program().display()),
        )?;
    let status = wait(interrupt, &mut child)?;

    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}").into()) }
}

/// Asks `child` to stop with `signal`, and kills it if it takes longer than `patience`.
pub(crate) fn stop(child: &mut Child, signal: Signal, patience: Duration) {
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

fn wait(interrupt: &Interrupt, child: &mut Child) -> Outcome<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt.is_set() {
            let group = Pid::from_raw(i32::try_from(child.id())?);
            let _ = killpg(group, Signal::SIGTERM);
            stop(child, Signal::SIGTERM, Duration::from_secs(5));
            let _ = killpg(group, Signal::SIGKILL);
            return Err("interrupted".into());
        }
        thread::sleep(POLL);
    }
}

/// The command as somebody would type it, without the wrapper that binds it to this process.
fn describe(command: &Command) -> String {
    let words: Vec<&OsStr> =
        std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let start = words.iter().position(|word| *word == "--pdeathsig").map_or(0, |at| at + 3);
    let mut shown: Vec<String> =
        words.iter().skip(start).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = shown.first_mut() {
        let name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
        *program = name.unwrap_or_default();
    }
    shown.join(" ")
}

#[expect(clippy::disallowed_methods, reason = "this tool has no configuration but its environment")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// Installs a package of Debian by its name. Only root can.
pub(crate) fn install(interrupt: &Interrupt, package: &str) -> Outcome {
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step(interrupt, apt_get().arg("update"))?;
    step(interrupt, apt_get().args(["install", "-y", "--no-install-recommends", package]))
}

/// Makes sure that a program is there, which is in the package of the same name.
pub(crate) fn find_or_install(interrupt: &Interrupt, program: &str) -> Outcome {
    if which(program).is_some() {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() || which("apt-get").is_none() {
        return Err(format!(
            "{program} is missing: install it, on Debian with `sudo apt-get install {program}`"
        )
        .into());
    }
    install(interrupt, program)
}
