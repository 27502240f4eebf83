//! Several servers that are as good as each other, until one is not.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::support::raw::Raw;
use crate::support::upstream::{ROUTE, request};
use crate::support::{Echo, Gateway, Upstream, within};

fn settings(servers: &[&Upstream], more: &str) -> String {
    let addresses: Vec<_> = servers.iter().map(|it| format!("\"{}\"", it.address)).collect();
    format!("upstreams: {{ it: {{ addresses: [{}], {more} }} }}\n{ROUTE}", addresses.join(", "))
}

async fn shares(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        let echo = Echo::of(gateway.get("/").await).await;
        *shares.entry(echo.text("server").to_owned()).or_default() += 1;
    }
    shares
}

/// An address where nobody listens, for as long as the value is there.
async fn nobody() -> (TcpListener, String) {
    // Bound and never accepting is not refused; so bind, learn the port, and let go.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn servers_take_turns() {
    let (one, other) = (Upstream::named("one").await, Upstream::named("other").await);
    let gateway = Gateway::start(&settings(&[&one, &other], "retries: 0"));

    let shares = shares(&gateway, 20).await;

    assert_eq!(shares, BTreeMap::from([("one".to_owned(), 10), ("other".to_owned(), 10)]));
}

#[tokio::test]
async fn connections_to_servers_are_kept_unless_they_must_not_be() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));
    shares(&gateway, 10).await;
    assert_eq!(upstream.connections(), 1);

    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("keepAlive: false") + ROUTE));
    shares(&gateway, 10).await;
    assert_eq!(upstream.connections(), 10);
}

#[tokio::test]
async fn a_server_that_refuses_connections_costs_no_request() {
    let alive = Upstream::named("alive").await;
    let (listener, dead) = nobody().await;
    drop(listener);
    let address = alive.address;
    let text =
        format!("upstreams: {{ it: {{ addresses: [\"{dead}\", \"{address}\"] }} }}\n{ROUTE}");
    let gateway = Gateway::start(&text);

    for _ in 0..10 {
        // Nothing was sent, so this is no second order.
        let request = gateway.http.post(gateway.url("/")).body("order");
        assert_eq!(Echo::of(request.send().await.unwrap()).await.text("body"), "order");
    }
}

#[tokio::test]
async fn a_request_that_a_server_may_have_seen_is_repeated_only_if_that_does_no_harm() {
    // It reads a request and closes the connection.
    let rude = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        request(&mut raw).await;
    })
    .await;
    let polite = Upstream::named("polite").await;
    let gateway = Gateway::start(&settings(&[&rude, &polite], "retries: 1"));

    for _ in 0..10 {
        let echo =
            Echo::of(gateway.http.put(gateway.url("/")).body("x").send().await.unwrap()).await;
        assert_eq!((echo.text("server"), echo.text("body")), ("polite", "x"));
    }
    let mut failed = 0;
    for _ in 0..10 {
        let response = gateway.http.post(gateway.url("/")).body("x").send().await.unwrap();
        failed += usize::from(response.status() == 502);
    }
    assert_eq!(failed, 5);
}

#[tokio::test]
async fn a_server_that_is_not_well_gets_no_requests_until_it_is() {
    let (one, other) = (Upstream::named("one").await, Upstream::named("other").await);
    let health = "retries: 0, healthCheck: { intervalSeconds: 0.05, path: /health }";
    let gateway = Gateway::start(&settings(&[&one, &other], health));
    shares(&gateway, 4).await;

    let address = other.address;
    drop(other);
    let ((), took) = within(Duration::from_secs(10), "one server alone", async || {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(gateway.get("/").await.status().as_u16());
        }
        statuses.iter().all(|it| *it == 200).then_some(())
    })
    .await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let back = TcpListener::bind(address).await.unwrap();
    let _other = Upstream::on(back, crate::support::upstream::echo_as("other"));
    within(Duration::from_secs(10), "both servers", async || {
        (shares(&gateway, 4).await.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_server_that_is_well_callers_are_told_at_once() {
    let sick = Upstream::saying("HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n").await;
    let health = "healthCheck: { intervalSeconds: 0.05, path: /health, unhealthyAfter: 1 }";
    let gateway = Gateway::start(&(sick.settings(health) + ROUTE));

    let (response, _) = within(Duration::from_secs(10), "503", async || {
        let response = gateway.get("/").await;
        (response.status() == 503).then_some(response)
    })
    .await;

    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_answer_with_an_error_is_the_servers_and_not_repeated() {
    let sick = Upstream::saying("HTTP/1.1 503 Sick\r\nContent-Length: 4\r\n\r\nsick").await;
    let gateway = Gateway::start(&(sick.settings("retries: 3") + ROUTE));

    let response = gateway.get("/").await;

    assert_eq!(response.status(), 503);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.text().await.unwrap(), "sick");
    assert_eq!(gateway.logged(&id)["attempts"], 1);
}

#[tokio::test]
async fn servers_may_have_names() {
    let upstream = Upstream::echo().await;
    let port = upstream.address.port();
    let text = format!("upstreams: {{ it: {{ addresses: [\"localhost:{port}\"] }} }}\n{ROUTE}");
    let gateway = Gateway::start(&text);

    // The name stands for ::1, too, where nobody listens.
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
}
