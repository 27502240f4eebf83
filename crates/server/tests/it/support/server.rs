//! The real binary, as a child process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Client};

/// The management token of every server that is given one.
pub(crate) const MANAGEMENT_TOKEN: &str = "management-token-of-the-tests";

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    environment: Vec<(String, String)>,
    absent: Vec<&'static str>,
    data: Option<PathBuf>,
    disk: Option<&'static str>,
}

impl Options {
    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out a variable that all servers of the tests have.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.absent.push(name);
        self
    }

    /// These, and others which win.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.environment.extend(more.environment);
        self.absent.extend(more.absent);
        self.data = more.data.or(self.data);
        self.disk = more.disk.or(self.disk);
        self
    }

    /// The variables that are set.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    /// Keeps its data on a disk of this size, which nobody else sees.
    pub(crate) fn on_disk_of(mut self, size: &'static str) -> Self {
        self.disk = Some(size);
        self
    }

    /// Uses a data directory that outlives the server.
    pub(crate) fn in_directory(mut self, path: &Path) -> Self {
        self.data = Some(path.to_owned());
        self
    }
}

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
    readers: Vec<thread::JoinHandle<()>>,
    /// Its address: `http://127.0.0.1:port`, and the prefix.
    pub(crate) url: String,
    /// Talks to it.
    pub(crate) http: reqwest::Client,
    _directory: Option<TempDir>,
}

/// The command `tokenwright` with nothing of our own environment in it.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenwright"));
    command
        .env_clear()
        .current_dir(data)
        .env("TOKENWRIGHT__LISTEN", "127.0.0.1:0")
        .env("TOKENWRIGHT__DATA_DIRECTORY", data.join("data"))
        // The lowest cost: what is tested is not how long bcrypt takes.
        .env("TOKENWRIGHT__SECRETS__BCRYPT_COST", "4")
        // All of them come from one address, and many register a lot.
        .env("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE", "0")
        .stdin(Stdio::null());
    command
}

/// The same command, which sees a small disk where its data directory is. It takes a mount of its
/// own, and so root, or a kernel that lets users be root among themselves.
fn on_disk(size: &str, data: &Path) -> Command {
    let inner = command(data);
    std::fs::create_dir_all(data.join("data")).unwrap();
    let mut outer = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        outer.args(["--user", "--map-root-user"]);
    }
    let script = r#"mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && shift 2 && exec "$@""#;
    outer
        .args(["--mount", "sh", "-c", script, "sh", size])
        .arg(data.join("data"))
        .arg(inner.get_program())
        .current_dir(data)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null());
    outer
}

impl Server {
    /// A server on its embedded store, with the management token of the tests.
    pub(crate) fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A server with more variables; waits until it is ready.
    pub(crate) fn start_with(options: Options) -> Self {
        let server = Self::spawn(options.with("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN));
        server.await_log("ready");
        server
    }

    /// A server that finds its own bootstrap token; waits until it is ready.
    pub(crate) fn start_bare(options: Options) -> Self {
        let server = Self::spawn(options);
        server.await_log("ready");
        server
    }

    /// A server that need not become ready; waits until it listens.
    pub(crate) fn spawn(options: Options) -> Self {
        let mut server = Self::spawn_silent(options);
        let listening = server.await_log("listening");
        // The public address may be somebody else's: what is asked is this process.
        let url = listening["url"].as_str().unwrap();
        let (scheme, rest) = url.split_once("://").unwrap();
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        let address = listening["address"].as_str().unwrap().replace("0.0.0.0", "localhost");
        server.url = format!("{scheme}://{address}{path}");
        server
    }

    /// A server that may log nothing; waits until it listens on the port it was told.
    pub(crate) fn spawn_at(port: u16, options: Options) -> Self {
        let mut server = Self::spawn_silent(options);
        let address = format!("127.0.0.1:{port}");
        eventually("a connection", || TcpStream::connect(&address).ok(), || server.printed());
        server.url = format!("http://{address}");
        server
    }

    fn spawn_silent(options: Options) -> Self {
        let (directory, data) = if let Some(data) = options.data {
            (None, data)
        } else {
            let directory = TempDir::new().unwrap();
            let path = directory.path().to_owned();
            (Some(directory), path)
        };
        let mut command = match options.disk {
            None => command(&data),
            Some(size) => on_disk(size, &data),
        };
        for name in options.absent {
            command.env_remove(name);
        }
        let mut child = command
            .envs(options.environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, read_stdout) = collect(child.stdout.take().unwrap());
        let (stderr, read_stderr) = collect(child.stderr.take().unwrap());
        // A second test finds it installed already.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let readers = vec![read_stdout, read_stderr];
        let url = String::new();
        Self { child, stdout, stderr, readers, url, http, _directory: directory }
    }

    /// Waits until all that it printed before it ended has been read.
    pub(crate) fn await_end_of_output(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }

    /// The lines it logged, parsed: every one must be a JSON object.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.stdout.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything it printed, on both streams.
    pub(crate) fn printed(&self) -> String {
        let (out, err) = (self.stdout.lock().unwrap(), self.stderr.lock().unwrap());
        format!("{}\n{}", out.join("\n"), err.join("\n"))
    }

    /// What it printed on standard error.
    pub(crate) fn complaints(&self) -> String {
        self.stderr.lock().unwrap().join("\n")
    }

    /// Waits for a line with this message.
    pub(crate) fn await_log(&self, message: &str) -> Value {
        let is_it = |line: &Value| line["msg"] == message;
        eventually(
            &format!("the log line {message:?}"),
            || self.log().into_iter().find(is_it),
            || self.printed(),
        )
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let ended =
            eventually("the end of the server", || self.child.try_wait().unwrap(), String::new);
        // Its last lines may still be in the pipe.
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        ended
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `GET` without anything.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.http.get(self.at(path))).await
    }

    /// `POST` of JSON without a token.
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.http.post(self.at(path)).json(body)).await
    }

    /// A management request with the token of the tests.
    pub(crate) fn manage(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, self.at(path)).bearer_auth(MANAGEMENT_TOKEN)
    }

    /// Registers a client with a secret, as anybody may.
    pub(crate) async fn register(&self) -> Client {
        let made = self.post_json("/register", &json!({"client_name": "a client"})).await;
        assert_eq!(made.status, 201, "{made:?}");
        Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") }
    }

    /// Makes a client as an operator.
    pub(crate) async fn create(&self, body: &Value) -> Answer {
        Answer::to(self.manage("POST", "/clients").json(body)).await
    }

    /// Makes a client with a secret as an operator.
    pub(crate) async fn create_client(&self, mut body: Value) -> Client {
        body["client_name"] = json!("a client");
        let made = self.create(&body).await;
        assert_eq!(made.status, 201, "{made:?}");
        Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") }
    }

    /// Asks for a token with a form and, where it is not empty, an `Authorization` header.
    pub(crate) async fn token(&self, authorization: &str, form: &[(&str, &str)]) -> Answer {
        let mut request = self.http.post(self.at("/oauth/token")).form(form);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        Answer::to(request).await
    }

    /// A token for a client with a secret.
    pub(crate) async fn token_of(&self, client: &Client) -> String {
        let answer = self.token(&client.basic(), &[("grant_type", "client_credentials")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text_at("/access_token")
    }

    /// Asks what a token says.
    pub(crate) async fn tokeninfo(&self, token: &str) -> Answer {
        Answer::to(self.http.get(self.at("/tokeninfo")).bearer_auth(token)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Tries until there is something, for a minute at most.
pub(crate) fn eventually<T>(
    what: &str,
    mut attempt: impl FnMut() -> Option<T>,
    context: impl Fn() -> String,
) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        #[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
        let now = Instant::now();
        assert!(now < end, "{what} did not come; {}", context());
        thread::sleep(Duration::from_millis(10));
    }
}

fn collect(
    stream: impl Read + Send + 'static,
) -> (Arc<Mutex<Vec<String>>>, thread::JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let reader = thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else {
                return;
            };
            kept.lock().unwrap().push(line);
        }
    });
    (lines, reader)
}
