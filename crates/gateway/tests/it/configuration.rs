//! One file: read whole, taken whole, or not at all.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::gateway::{check, client};
use crate::support::upstream::ROUTE;
use crate::support::{Echo, Gateway, Upstream, within};

const GOOD: &str = "\
    listeners: [{ address: \"127.0.0.1:0\" }]\n\
    upstreams: { it: { addresses: [\"127.0.0.1:9\"] } }\n\
    routes: [{ name: all, upstream: it }]\n";

#[test]
fn check_says_every_mistake_with_its_place_and_fails() {
    let output = check(
        "gateway.yaml",
        "listeners: [{ address: nowhere }]\n\
         routes: [{ name: a, upstream: b, path: \"x\" }]\n\
         colour: red\n",
    );

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "gateway.yaml: colour: is unknown: there are ",
        "gateway.yaml: listeners[0].address: must be an IP address and a port",
        "gateway.yaml: routes[0].path: must begin with a slash",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn check_is_content_with_yaml_json_and_toml() {
    let toml = "[[listeners]]\naddress = \"127.0.0.1:0\"\n";
    let json = r#"{"listeners": [{"address": "127.0.0.1:0"}]}"#;
    for (name, text) in [("a.yaml", GOOD), ("a.json", json), ("a.toml", toml)] {
        let output = check(name, text);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
    }
    assert_eq!(check("a.yaml", "listeners: [").status.code(), Some(1));
}

#[test]
fn the_configurations_that_we_show_have_no_mistakes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let secrets = tempfile::tempdir().unwrap();
    std::fs::create_dir(secrets.path().join("demo")).unwrap();
    for key in ["id", "secret"] {
        std::fs::write(secrets.path().join("demo").join(key), "x").unwrap();
    }
    for file in [
        "examples/gateway/gateway.yaml",
        "examples/gateway/decisions.yaml",
        "deploy/compose/gateway.yaml",
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let line = |line: &str| match line.strip_prefix("secretsDirectory:") {
            Some(_) => format!("secretsDirectory: {}", secrets.path().display()),
            None => line.to_owned(),
        };
        let text: Vec<String> = text.lines().map(line).collect();
        let output = check("gateway.yaml", &text.join("\n"));
        assert_eq!(output.status.code(), Some(0), "{file}: {output:?}");
    }
}

#[test]
fn a_gateway_with_mistakes_does_not_start_and_says_them() {
    let mut gateway = Gateway::spawn("listeners: [{ address: \"127.0.0.1:x\" }]", |_| {});

    assert_eq!(gateway.ended().code(), Some(1));
    assert_eq!(gateway.await_message("a mistake", 1)["path"], "listeners[0].address");
}

#[tokio::test]
async fn a_change_of_the_file_is_taken_while_it_runs() {
    let (one, other) = (Upstream::named("one").await, Upstream::named("other").await);
    let gateway = Gateway::start(&(one.settings("") + ROUTE));
    assert_eq!(Echo::of(gateway.get("/").await).await.text("server"), "one");

    let (from, to) = (one.address.to_string(), other.address.to_string());
    gateway.rewrite(|text| text.replace(&from, &to));
    gateway.await_message("the configuration was changed", 1);

    assert_eq!(Echo::of(gateway.get("/").await).await.text("server"), "other");
}

#[tokio::test]
async fn sighup_takes_the_file_again() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    gateway.signal(Signal::SIGHUP);
    gateway.await_message("the configuration was changed", 1);

    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_bad_change_changes_nothing_and_says_why() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    gateway.rewrite(|text| text.replace("name: all", "name: all, path: nowhere"));
    gateway.await_message("the configuration was not changed: the one before goes on", 1);

    assert_eq!(gateway.await_message("a mistake", 1)["path"], "routes[0].path");
    assert_eq!(gateway.get("/").await.status(), 200);
    let (_, metrics) = gateway.admin("/metrics").await;
    assert!(metrics.contains("reloads_total{outcome=\"refused\"} 1"), "{metrics}");
    // Nor does a listener that cannot be had.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    gateway.rewrite(|text| {
        let listener = format!("listeners:\n- {{ name: more, address: \"{address}\" }}");
        text.replace(", path: nowhere", ", path: /new").replace("listeners:", &listener)
    });
    gateway.await_message("the configuration was not changed: the one before goes on", 2);
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn listeners_come_and_go_with_the_file() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));
    let before = gateway.address("public");

    gateway.rewrite(|text| {
        text.replace("name: public,", "name: second,").replace("name: all,", "name: renamed,")
    });
    gateway.await_message("the configuration was changed", 1);

    let url = format!("http://{}/", gateway.address("second"));
    assert_eq!(gateway.http.get(url).send().await.unwrap().status(), 200);
    within(Duration::from_secs(5), "the end of the first listener", async || {
        let fresh = client().build().unwrap().get(format!("http://{before}/")).send().await;
        fresh.is_err_and(|it| it.is_connect()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_changes_in_its_place_turns_nobody_away() {
    let upstream = Upstream::echo().await;
    let port = testbed::process::free_port().unwrap();
    let text = format!(
        "listeners: [{{ name: public, address: \"127.0.0.1:{port}\" }}]\n{}{ROUTE}",
        upstream.settings("")
    );
    let gateway = Gateway::of(&text);
    assert_eq!(gateway.get("/").await.status(), 200);

    gateway.rewrite(|text| text.replace("name: public,", "name: public, http2: true,"));
    let changed = crate::support::upstream::spawn({
        let url = gateway.url("/");
        async move {
            // Every request has a connection of its own, and all are answered.
            for _ in 0..100 {
                let fresh = client().build().unwrap().get(&url).send().await.unwrap();
                assert_eq!(fresh.status(), 200);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    changed.await.unwrap();
    gateway.await_message("listening no more", 1);
    let http2 = client().http2_prior_knowledge().build().unwrap();
    let response = http2.get(gateway.url("/")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
}
