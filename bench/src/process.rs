//! A server under measurement, and the CPU it runs on.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::http::{Connection, Request};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// What Linux counts the time of processes in, wherever this runs (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A program of this build, beside the one that runs.
///
/// # Errors
///
/// If it was not built.
pub fn sibling(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = env::current_exe()?.with_file_name(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{name} is not beside this program: build it with the same profile").into())
    }
}

/// `program` on one CPU alone; it ends when this process ends.
#[must_use]
pub fn pinned(program: &Path, cpu: u32) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "--", "taskset", "--cpu-list", &cpu.to_string()])
        .arg(program)
        .stdin(Stdio::null());
    command
}

/// A loopback address that nobody listened on a moment ago.
///
/// # Errors
///
/// If there is none.
pub fn free_address() -> Result<SocketAddr, Box<dyn Error>> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A running server. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `tokenwright serve` on `cpu` with `settings` and nothing else in its environment.
    /// Whether it listens already is another question.
    ///
    /// # Errors
    ///
    /// If the program is missing or does not start.
    pub fn spawn(
        cpu: u32,
        data: &Path,
        settings: &[(String, OsString)],
    ) -> Result<Self, Box<dyn Error>> {
        let address = free_address()?;
        fs::create_dir_all(data)?;
        let log = data.with_extension("log");
        let output = File::create(&log)?;
        let child = pinned(&sibling("tokenwright")?, cpu)
            .arg("serve")
            .current_dir(data)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("TOKENWRIGHT__LISTEN", address.to_string())
            .env("TOKENWRIGHT__DATA_DIRECTORY", data)
            .env("DELAY_SHUTDOWN_SECONDS", "0")
            // All load comes from one address.
            .env("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE", "0")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self { address, child, log })
    }

    /// Waits until the server says that it is ready.
    ///
    /// # Errors
    ///
    /// If it ends, or takes too long; with what it logged.
    pub fn await_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let ready = Request::new("GET", "/-/ready", &[], "");
        self.await_success(&ready, Duration::from_millis(10))
    }

    /// Sends `request`, on a new connection each time, until it is answered with 200.
    ///
    /// # Errors
    ///
    /// If the server ends, or takes too long; with what it logged.
    pub fn await_success(
        &mut self,
        request: &Request,
        pause: Duration,
    ) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        loop {
            let answer = Connection::new(self.address).exchange(request);
            if answer.as_ref().is_ok_and(|response| response.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended ({status}):\n{}", self.log_tail()).into());
            }
            if start.elapsed() > PATIENCE {
                let log = self.log_tail();
                return Err(format!("no success; last: {answer:?}\n{log}").into());
            }
            thread::sleep(pause);
        }
    }

    /// Resident memory, in KiB.
    ///
    /// # Errors
    ///
    /// If the kernel does not say.
    pub fn resident_kib(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        Ok(number.ok_or("no VmRSS")?.parse()?)
    }

    /// How long it has been at work on any CPU, in seconds: what it takes, whoever else is at work.
    ///
    /// # Errors
    ///
    /// If the kernel does not say.
    pub fn cpu_seconds(&self) -> Result<f64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program, in parentheses, may hold anything. The state follows it.
        let (_, rest) = stat.rsplit_once(')').ok_or("no stat")?;
        let mut ticks = rest.split_whitespace().skip(11);
        let user: u32 = ticks.next().ok_or("no utime")?.parse()?;
        let system: u32 = ticks.next().ok_or("no stime")?.parse()?;
        Ok(f64::from(user + system) / TICKS_PER_SECOND)
    }

    /// Asks the server to stop, and waits until it did.
    ///
    /// # Errors
    ///
    /// If it takes too long, or does not end well.
    pub fn stop(mut self) -> Result<(), Box<dyn Error>> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("the server ended ({status}):\n{}", self.log_tail()).into())
                };
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("the server does not stop:\n{}", self.log_tail()).into())
    }

    /// The last lines of what the server logged.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
