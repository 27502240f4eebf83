//! Proxies of other people, started for real with the configurations of `examples/gateway`: each
//! asks our endpoint, and does what it says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use testbed::process::{Daemon, bound_command, free_port, which};
use testbed::wheel::{CADDY, ENVOY, TRAEFIK};

use crate::support::gateway::{client, headers};
use crate::support::issuer::{Client, Issuer, claims};
use crate::support::{Echo, Gateway, Upstream, within};

/// The addresses that stand in the examples.
const PUBLIC: u16 = 8_000;
const AUTHORIZATION_SERVER: u16 = 3_000;
const DECISIONS: u16 = 8_091;
const UPSTREAM: u16 = 9_000;

/// A proxy, our endpoint that it asks, and what stands around.
struct Stack {
    issuer: Issuer,
    client: Client,
    upstream: Upstream,
    gateway: Gateway,
    daemon: Daemon,
    url: String,
    http: reqwest::Client,
    _directory: TempDir,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gateway")
}

fn port_of(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// A configuration of the examples, with other ports.
fn moved(text: &str, ports: &[(u16, u16)]) -> String {
    // A new port may be the old one of another address: so marks come first, and then the ports.
    let mark = |index: usize| format!("\u{0}{index}\u{0}");
    let marked = ports.iter().enumerate().fold(text.to_owned(), |text, (index, (from, _))| {
        text.replace(&format!(":{from}"), &format!(":{}", mark(index)))
            .replace(&format!("port_value: {from}"), &format!("port_value: {}", mark(index)))
    });
    let ports = ports.iter().enumerate();
    ports.fold(marked, |text, (index, (_, to))| text.replace(&mark(index), &to.to_string()))
}

impl Stack {
    /// Starts all of it; `command` starts the proxy in the folder of its configuration.
    async fn start(name: &'static str, command: impl FnOnce(&Path) -> Command) -> Self {
        let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
        let client = issuer.client(json!({})).await;
        let decisions = std::fs::read_to_string(examples().join("decisions.yaml")).unwrap();
        let ports = [(DECISIONS, 0), (AUTHORIZATION_SERVER, port_of(&issuer.url))];
        let gateway = Gateway::of(&moved(&decisions, &ports));
        let public = free_port().unwrap();
        let ports = [
            (PUBLIC, public),
            (DECISIONS, port_of(&gateway.address("decisions"))),
            (UPSTREAM, upstream.address.port()),
        ];
        let directory = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(examples().join(name)).unwrap() {
            let file = file.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            std::fs::write(directory.path().join(file.file_name()), moved(&text, &ports)).unwrap();
        }
        let mut command = command(directory.path());
        command.current_dir(directory.path()).env("HOME", directory.path());
        let daemon = Daemon::spawn(name, command, &directory.path().join("log")).unwrap();
        let http = self::client().build().unwrap();
        let url = format!("http://127.0.0.1:{public}");
        let stack =
            Self { issuer, client, upstream, gateway, daemon, url, http, _directory: directory };
        within(Duration::from_secs(30), "the proxy", async || {
            stack.http.get(&stack.url).send().await.ok().filter(|it| it.status() == 401)
        })
        .await;
        stack
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    /// What every proxy must do.
    async fn does_right(mut self) {
        // Nobody in without credentials, and whoever is refused is told how.
        let before = self.upstream.connections();
        let response = self.get("/orders").send().await.unwrap();
        assert_eq!(response.status(), 401, "{}", self.daemon.logged());
        assert!(headers(&response)["www-authenticate"].starts_with("Basic realm="));
        let response = self.get("/orders").basic_auth(&self.client.id, Some("wrong"));
        assert_eq!(response.send().await.unwrap().status(), 401);
        assert_eq!(self.upstream.connections(), before);

        // The server gets a token, and knows who calls from us alone (threat T46).
        for _ in 0..2 {
            let request = self.get("/orders/7?a=b").header("X-User", "root");
            let request = request.header("X-Group", "admin");
            let request = request.basic_auth(&self.client.id, Some(&self.client.secret));
            let echo = Echo::of(request.send().await.unwrap()).await;
            assert_eq!(echo.text("target"), "/orders/7?a=b");
            let token = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
            assert_eq!(claims(token)["sub"], self.client.id);
            assert_eq!(claims(token)["iss"], self.issuer.url);
            assert_eq!(echo.all("x-user"), [self.client.id.as_str()]);
            assert!(echo.all("x-group").iter().all(|it| it.is_empty()), "{echo:?}");
        }

        // A body does not go to us, and arrives.
        let request = self.http.post(format!("{}/orders", self.url)).body("an order");
        let request = request.basic_auth(&self.client.id, Some(&self.client.secret));
        assert_eq!(Echo::of(request.send().await.unwrap()).await.text("body"), "an order");

        // Without us nobody goes on.
        let before = self.upstream.connections();
        self.gateway.signal(nix::sys::signal::Signal::SIGKILL);
        self.gateway.ended();
        let request = self.get("/").basic_auth(&self.client.id, Some(&self.client.secret));
        let status = request.send().await.unwrap().status().as_u16();
        assert!((400..600).contains(&status), "{status}");
        assert_eq!(self.upstream.connections(), before);
    }
}

#[tokio::test]
async fn nginx_asks_with_auth_request() {
    testbed::ensure("nginx", "nginx-light").unwrap();
    let program = which("nginx").unwrap();
    let stack = Stack::start("nginx", |directory| {
        let mut command = bound_command(program, "KILL", &[]);
        command.arg("-p").arg(directory).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        command
    });
    stack.await.does_right().await;
}

#[tokio::test]
async fn haproxy_asks_with_its_lua_client() {
    testbed::ensure("haproxy", "haproxy").unwrap();
    let program = which("haproxy").unwrap();
    let stack = Stack::start("haproxy", |_| {
        let mut command = bound_command(program, "KILL", &[]);
        command.args(["-f", "haproxy.cfg"]);
        command
    });
    stack.await.does_right().await;
}

#[tokio::test]
async fn traefik_asks_with_forward_auth() {
    let program = TRAEFIK.find_or_install().unwrap();
    let stack = Stack::start("traefik", |_| {
        let mut command = bound_command(program, "KILL", &[]);
        command.arg("--configfile=traefik.yaml");
        command
    });
    stack.await.does_right().await;
}

#[tokio::test]
async fn caddy_asks_with_forward_auth() {
    let program = CADDY.find_or_install().unwrap();
    let stack = Stack::start("caddy", |_| {
        let mut command = bound_command(program, "KILL", &[]);
        command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command
    });
    stack.await.does_right().await;
}

#[tokio::test]
async fn envoy_asks_with_ext_authz() {
    let program = ENVOY.find_or_install().unwrap();
    let stack = Stack::start("envoy", |_| {
        let mut command = bound_command(program, "KILL", &[]);
        command.args(["-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id"]);
        command
    });
    stack.await.does_right().await;
}
