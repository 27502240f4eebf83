//! How a step of a task is run, and interrupted.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use testbed::process::stop;
pub(crate) use testbed::process::{Outcome, POLL, bound_command, which};

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
#[expect(clippy::disallowed_methods, reason = "this tool has no configuration but its environment")]
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
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
