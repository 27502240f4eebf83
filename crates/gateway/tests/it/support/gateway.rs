//! The real binary, as a child process.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long a gateway may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway. It is killed when this is dropped.
pub(crate) struct Gateway {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
    directory: TempDir,
    /// Talks to it, and follows no redirect.
    pub(crate) http: reqwest::Client,
}

/// The command with nothing of our own environment in it.
pub(crate) fn command() -> Command {
    let mut command =
        testbed::process::bound_command(env!("CARGO_BIN_EXE_tokenwright-gateway"), "KILL", &[]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    command
}

/// Runs `tokenwright-gateway check` on such a file.
pub(crate) fn check(name: &str, text: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::write(&file, text).unwrap();
    command().arg("check").arg(&file).output().unwrap()
}

/// A client that trusts everybody and takes no proxy of the environment.
pub(crate) fn client() -> reqwest::ClientBuilder {
    // Whoever comes second finds it installed.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.tls_danger_accept_invalid_certs(true).timeout(Duration::from_secs(30))
}

impl Gateway {
    /// A gateway with one plain listener called `public`, and what `rest` says.
    pub(crate) fn start(rest: &str) -> Self {
        Self::with("shutdown: { delaySeconds: 0.05 }", rest)
    }

    /// The same, with more at the root.
    pub(crate) fn with(more: &str, rest: &str) -> Self {
        let listeners = "\
            listeners:\n\
            - { name: public, address: \"127.0.0.1:0\" }\n\
            - { name: admin, address: \"127.0.0.1:0\", serves: admin }\n";
        Self::of(&format!("{listeners}{more}\n{rest}"))
    }

    /// A gateway with this configuration; waits until all its listeners are there.
    pub(crate) fn of(configuration: &str) -> Self {
        let gateway = Self::spawn(configuration, |_| {});
        let listeners = configuration.matches("address: \"").count();
        gateway.await_lines(|lines| {
            lines.iter().filter(|it| it["message"] == "listening").count() >= listeners
        });
        gateway
    }

    /// A gateway that need not start; `prepare` may put files beside its configuration.
    pub(crate) fn spawn(configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        std::fs::write(directory.path().join("gateway.yaml"), configuration).unwrap();
        let mut command = command();
        command.arg("--config").arg(directory.path().join("gateway.yaml"));
        command.current_dir(directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = collected(child.stdout.take().unwrap());
        let stderr = collected(child.stderr.take().unwrap());
        Self { child, stdout, stderr, directory, http: client().build().unwrap() }
    }

    /// Where a listener is: `127.0.0.1:port`.
    pub(crate) fn address(&self, name: &str) -> String {
        let lines = self.await_lines(|lines| {
            lines.iter().any(|it| it["message"] == "listening" && it["name"] == name)
        });
        let named = |it: &&Value| it["message"] == "listening" && it["name"] == name;
        lines.iter().rfind(named).unwrap()["address"].as_str().unwrap().to_owned()
    }

    /// A URL at the listener `public`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("public"))
    }

    /// Sends `GET` to the listener `public`.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// What the admin listener says.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address("admin"));
        let response = self.http.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The file that it reads.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("gateway.yaml")
    }

    /// Writes the configuration anew.
    pub(crate) fn rewrite(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        std::fs::write(self.file(), change(text)).unwrap();
    }

    /// Waits until it has logged a line with this message, the `nth` time.
    pub(crate) fn await_message(&self, message: &str, nth: usize) -> Value {
        let lines = self
            .await_lines(|lines| lines.iter().filter(|it| it["message"] == message).count() >= nth);
        lines.into_iter().filter(|it| it["message"] == message).nth(nth - 1).unwrap()
    }

    fn await_lines(&self, is_enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let lines = parsed(&self.stderr);
            if is_enough(&lines) {
                return lines;
            }
            assert!(started.elapsed() < PATIENCE, "{:#?}", self.stderr.lock().unwrap());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The line of the access log about the request with this id.
    pub(crate) fn logged(&self, request_id: &str) -> Value {
        let started = Instant::now();
        loop {
            let lines = parsed(&self.stdout);
            if let Some(line) = lines.into_iter().find(|it| it["requestId"] == request_id) {
                return line;
            }
            assert!(started.elapsed() < PATIENCE, "{:#?}", self.stdout.lock().unwrap());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that it printed.
    pub(crate) fn printed(&self) -> String {
        let (stdout, stderr) = (self.stdout.lock().unwrap(), self.stderr.lock().unwrap());
        format!("{}\n{}", stdout.join("\n"), stderr.join("\n"))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "{}", self.printed());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collected(output: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collecting = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            collecting.lock().unwrap().push(line);
        }
    });
    lines
}

fn parsed(lines: &Mutex<Vec<String>>) -> Vec<Value> {
    let lines = lines.lock().unwrap();
    let parsed = lines.iter().map(|line| serde_json::from_str(line));
    parsed
        .collect::<Result<Vec<Value>, _>>()
        .unwrap_or_else(|error| panic!("a line is no JSON ({error}): {lines:#?}"))
}

/// Names and values of headers, the last one of a name winning.
pub(crate) fn headers(response: &reqwest::Response) -> HashMap<String, String> {
    let headers = response.headers().iter();
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    headers.map(text).collect()
}
