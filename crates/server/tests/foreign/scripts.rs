//! The scripts beside this file, each of which lends its library's voice to a test.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::foreign::{Interpreters, find_or_install};

/// How long a script may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(5);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

static INTERPRETERS: LazyLock<Interpreters> =
    LazyLock::new(|| find_or_install(Path::new(FOLDER)).unwrap());

/// Runs a text in Python, where the libraries are.
pub(crate) fn python(text: &str, environment: &[(&str, &str)]) -> std::process::Output {
    let mut command = INTERPRETERS.command(&INTERPRETERS.python);
    command.args(["-c", text]).envs(environment.iter().copied()).output().unwrap()
}

/// A library with the name of its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// Python's Authlib.
    Authlib,
    /// Python's `requests_oauth2client`.
    RequestsOauth2client,
    /// Python's requests-oauthlib.
    RequestsOauthlib,
    /// Node's openid-client.
    OpenidClient,
    /// Node's oauth4webapi.
    Oauth4webapi,
    /// Node's simple-oauth2.
    SimpleOauth2,
    /// Python's `PyJWT`.
    PyJwt,
    /// Python's Authlib and joserfc, where they check tokens.
    AuthlibVerifier,
    /// Node's jose.
    Jose,
}

impl Library {
    fn script(self) -> &'static str {
        match self {
            Self::Authlib => "python/authlib_client.py",
            Self::RequestsOauth2client => "python/requests_oauth2client_client.py",
            Self::RequestsOauthlib => "python/requests_oauthlib_client.py",
            Self::PyJwt => "python/verify_pyjwt.py",
            Self::AuthlibVerifier => "python/verify_authlib.py",
            Self::OpenidClient => "node/openid_client.mjs",
            Self::Oauth4webapi => "node/oauth4webapi.mjs",
            Self::SimpleOauth2 => "node/simple_oauth2.mjs",
            Self::Jose => "node/verify_jose.mjs",
        }
    }

    /// Whether its script is Node's.
    pub(crate) fn is_of_node(self) -> bool {
        self.script().starts_with("node/")
    }

    /// Takes these steps; what came of each.
    pub(crate) fn takes(self, steps: &[Value]) -> Vec<Outcome> {
        self.takes_with(steps, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn takes_with(self, steps: &[Value], environment: &[(&str, &str)]) -> Vec<Outcome> {
        let script = Path::new(FOLDER).join(self.script());
        if !self.is_of_node() {
            let mut command = INTERPRETERS.command(&INTERPRETERS.python);
            // Nothing is written beside the scripts.
            command.arg("-B").arg(script);
            return outcomes(command, environment, steps);
        }
        // Node looks for packages beside the script that wants them.
        let folder = tempfile::TempDir::new().unwrap();
        symlink(&INTERPRETERS.node_modules, folder.path().join("node_modules")).unwrap();
        for file in ["steps.mjs", script.file_name().unwrap().to_str().unwrap()] {
            fs::copy(script.with_file_name(file), folder.path().join(file)).unwrap();
        }
        let mut command = INTERPRETERS.command(&INTERPRETERS.node);
        command.arg(folder.path().join(script.file_name().unwrap()));
        outcomes(command, environment, steps)
    }
}

/// What came of a step.
#[derive(Clone, Debug)]
pub(crate) struct Outcome(Value);

impl Outcome {
    /// What the library returned.
    pub(crate) fn ok(&self) -> &Value {
        self.0.get("ok").unwrap_or_else(|| panic!("refused: {}", self.0))
    }

    /// What the library returned; `what` says of whom.
    pub(crate) fn told(&self, what: &str) -> &Value {
        self.0.get("ok").unwrap_or_else(|| panic!("{what}: refused: {}", self.0))
    }

    /// The library's own error.
    pub(crate) fn error(&self) -> &Value {
        self.0.get("error").unwrap_or_else(|| panic!("not refused: {}", self.0))
    }
}

fn outcomes(mut command: Command, environment: &[(&str, &str)], steps: &[Value]) -> Vec<Outcome> {
    // A proxy of the machine has no business between a test and its server.
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let mut child = command
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sent = serde_json::to_vec(steps).unwrap();
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    // Not every library has a limit of its own to how long it waits.
    let Ok(ended) = told.recv_timeout(PATIENCE) else {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("{command:?} did not end within {PATIENCE:?}");
    };
    let ended = ended.unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {complaint}");
    let told: Vec<Value> =
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(told.len(), steps.len(), "one outcome for each step");
    told.into_iter().map(Outcome).collect()
}
