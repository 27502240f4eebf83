//! What `docs/gateway.md` says to try, tried: the script of `examples/gateway`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::process::{bound_command, free_port};

use crate::support::gateway::client;
use crate::support::issuer::claims;
use crate::support::{Echo, within};

#[tokio::test]
async fn the_example_starts_and_its_three_ways_lead_to_the_server() {
    let gateway = Path::new(env!("CARGO_BIN_EXE_tokenwright-gateway"));
    let binaries = tempfile::tempdir().unwrap();
    let examples = gateway.parent().unwrap().join("examples");
    for (from, name) in [
        (examples.join("tokenwright"), "tokenwright"),
        (examples.join("echo-server"), "echo-server"),
        (gateway.to_owned(), "tokenwright-gateway"),
    ] {
        assert!(from.is_file(), "build it first: cargo build -p gateway --examples");
        std::os::unix::fs::symlink(from, binaries.path().join(name)).unwrap();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gateway");
    let text = std::fs::read_to_string(folder.join("gateway.yaml")).unwrap();
    let ports = [8_000, 8_001, 9_000, 3_000].map(|from| (from, free_port().unwrap()));
    let text = ports.iter().fold(text, |text, (from, to)| {
        text.replace(&format!("127.0.0.1:{from}"), &format!("127.0.0.1:<{to}>"))
    });
    let config = binaries.path().join("gateway.yaml");
    std::fs::write(&config, text.replace(['<', '>'], "")).unwrap();
    let at = |index: usize| format!("127.0.0.1:{}", ports[index].1);

    let mut command = bound_command(folder.join("start.sh"), "TERM", &[]);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TOKENWRIGHT_BIN", binaries.path())
        .env("GATEWAY_CONFIG", &config)
        .env("ECHO_LISTEN", at(2))
        .env("TOKENWRIGHT__LISTEN", at(3))
        .env("TOKENWRIGHT__SECRETS__BCRYPT_COST", "4")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(binaries.path().join("log")).unwrap());
    let mut child = command.spawn().unwrap();
    let said = || std::fs::read_to_string(binaries.path().join("log")).unwrap();

    let ((id, secret), _) = within(Duration::from_mins(1), "the credentials", async || {
        let said = said();
        let pair = said.split("curl -u '").nth(1)?.split('\'').next()?;
        pair.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
    })
    .await;
    let http = client().build().unwrap();
    let get = |path: &str| http.get(format!("http://{}{path}", at(0)));
    within(Duration::from_secs(20), "the gateway", async || get("/kong").send().await.ok()).await;
    for (path, has_credentials) in
        [("/kong/orders", true), ("/application/orders", true), ("/gateway/orders", false)]
    {
        let mut request = get(path);
        if has_credentials {
            request = request.basic_auth(&id, Some(&secret));
        }
        let echo = Echo::of(request.send().await.unwrap()).await;
        assert_eq!(echo.text("target"), path);
        let token = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        assert_eq!(claims(token)["sub"], id, "{path}");
    }
    assert_eq!(get("/kong/orders").send().await.unwrap().status(), 401);

    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    let (status, _) =
        within(Duration::from_secs(20), "the end", async || child.try_wait().unwrap()).await;
    assert!(status.success(), "{status} {}", said());
    assert!(get("/kong").send().await.is_err());
}
