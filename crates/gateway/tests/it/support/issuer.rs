//! Authorization servers: our own, and one that does as it is told.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Upstream;
use super::gateway::client;
use super::raw::Raw;
use super::upstream::request;

const MANAGEMENT_TOKEN: &str = "management-token-of-the-tests";

/// The real `tokenwright`. It is killed when this is dropped.
pub(crate) struct Issuer {
    child: Child,
    /// Where it is: `http://127.0.0.1:port`.
    pub(crate) url: String,
    http: reqwest::Client,
    _directory: TempDir,
}

/// A client of an authorization server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Issuer {
    /// Starts it, on an embedded store.
    pub(crate) fn start() -> Self {
        // Cargo builds examples along with tests, into a folder beside the binaries.
        let gateway = Path::new(env!("CARGO_BIN_EXE_tokenwright-gateway"));
        let program = gateway.parent().unwrap().join("examples/tokenwright");
        assert!(program.is_file(), "build it first: cargo build -p gateway --example tokenwright");
        let directory = tempfile::tempdir().unwrap();
        let mut command: Command = testbed::process::bound_command(program, "KILL", &[]);
        command
            .env_clear()
            .current_dir(directory.path())
            .env("TOKENWRIGHT__LISTEN", "127.0.0.1:0")
            .env("TOKENWRIGHT__DATA_DIRECTORY", directory.path().join("data"))
            .env("TOKENWRIGHT__SECRETS__BCRYPT_COST", "4")
            .env("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
            .env("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut url = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["msg"] == "listening" {
                line["url"].as_str().unwrap().clone_into(&mut url);
            }
            if line["msg"] == "ready" {
                break;
            }
        }
        assert!(!url.is_empty(), "the server ended");
        // Nobody reads on, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, http: client().build().unwrap(), _directory: directory }
    }

    /// Makes a client.
    pub(crate) async fn client(&self, mut body: Value) -> Client {
        body["client_name"] = json!("a client");
        let request = self.http.post(format!("{}/clients", self.url)).bearer_auth(MANAGEMENT_TOKEN);
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let made: Value = response.json().await.unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Client { id: text("client_id"), secret: text("client_secret") }
    }

    /// A token for a client.
    pub(crate) async fn token(&self, who: &Client) -> String {
        let request = self.http.post(format!("{}/oauth/token", self.url));
        let request = request.basic_auth(&who.id, Some(&who.secret));
        let form = [("grant_type", "client_credentials")];
        let answer: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The claims of a JWT, which nobody verifies.
pub(crate) fn claims(token: &str) -> Value {
    use std::fmt::Write as _;
    let payload = token.split('.').nth(1).unwrap();
    // base64url by hand: the tests need it in this one place.
    let mut bits = String::new();
    for byte in payload.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            other => panic!("{other} is not of base64url"),
        };
        write!(bits, "{value:06b}").unwrap();
    }
    let bytes = bits.as_bytes().chunks_exact(8).map(|it| std::str::from_utf8(it).unwrap());
    let bytes: Vec<u8> = bytes.map(|it| u8::from_str_radix(it, 2).unwrap()).collect();
    serde_json::from_slice(&bytes).unwrap()
}

/// A token endpoint that gives each question the next answer, and the last one for ever.
pub(crate) struct Scripted {
    upstream: Upstream,
    questions: Arc<Mutex<Vec<(String, String)>>>,
}

/// What a scripted server does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says this, byte for byte, and keeps the connection.
    Say(String),
    /// Says this and hangs up.
    Break(String),
    /// Says nothing.
    Nothing,
}

/// An answer with this status, these header lines and this body.
pub(crate) fn say(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

/// An answer of JSON.
pub(crate) fn json_of(status: u16, body: &Value) -> Act {
    say(status, "Content-Type: application/json\r\n", &body.to_string())
}

/// A good answer with this token.
pub(crate) fn token(token: &str, more: &Value) -> Act {
    let mut body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3_600 });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    json_of(200, &body)
}

impl Scripted {
    /// Starts it.
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts: Arc<Mutex<VecDeque<Act>>> = Arc::new(Mutex::new(acts.into_iter().collect()));
        let questions = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&questions);
        let upstream = Upstream::serve(move |stream| {
            let (acts, asked) = (Arc::clone(&acts), Arc::clone(&asked));
            async move {
                let mut raw = Raw::on(stream);
                while let Some((head, body)) = request(&mut raw).await {
                    asked.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
                    let act = {
                        let mut acts = acts.lock().unwrap();
                        let next = acts.front().cloned().unwrap();
                        if 1 < acts.len() {
                            acts.pop_front();
                        }
                        next
                    };
                    match act {
                        Act::Say(bytes) => _ = raw.say(bytes).await,
                        Act::Break(bytes) => {
                            raw.say(bytes).await;
                            return;
                        }
                        Act::Nothing => {}
                    }
                }
            }
        })
        .await;
        Self { upstream, questions }
    }

    /// Its token endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/token", self.upstream.address)
    }

    /// What it was asked so far: heads and bodies.
    pub(crate) fn questions(&self) -> Vec<(String, String)> {
        self.questions.lock().unwrap().clone()
    }
}
