//! What is too long, too slow, or too much.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::raw::{Raw, status};
use crate::support::upstream::{ROUTE, request};
use crate::support::{Gateway, Upstream};

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_it_says_so() {
    let upstream = Upstream::echo().await;
    let route = "routes: [{ name: all, upstream: it, bodyLimitBytes: 10 }]\n";
    let gateway = Gateway::start(&(upstream.settings("") + route));
    let post = async |framed: &str| {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framed}")).await;
        status(&raw.all().await)
    };

    assert_eq!(post("Content-Length: 10\r\n\r\n0123456789").await, 200);
    assert_eq!(post("Content-Length: 11\r\n\r\n01234567890").await, 413);
    assert_eq!(post("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n").await, 200);
    let chunked = "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n";
    assert_eq!(post(chunked).await, 413);
    // Nobody has to send a gigabyte to learn that it is too much.
    assert_eq!(post("Content-Length: 1000000000\r\n\r\n").await, 413);
}

#[tokio::test]
async fn headers_of_more_than_64_kib_are_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let request = gateway.http.get(gateway.url("/")).header("X-Long", "x".repeat(70_000));

    assert_eq!(request.send().await.unwrap().status(), 431);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_a_504() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        while request(&mut raw).await.is_some() {}
    })
    .await;
    let gateway = Gateway::start(&(upstream.settings("readTimeoutSeconds: 0.3") + ROUTE));

    let started = Instant::now();
    let response = gateway.get("/").await;

    assert_eq!(response.status(), 504);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_deadline_ends_a_request_that_would_trickle_for_ever() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        raw.head().await;
        raw.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while raw.say("1\r\nx\r\n").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let route = "routes: [{ name: all, upstream: it, deadlineSeconds: 0.5 }]\n";
    let gateway = Gateway::start(&(upstream.settings("") + route));

    let started = Instant::now();
    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.all().await;

    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    let took = started.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

/// The deadline of a route is for all of a request, and so for what its policies wait for.
#[tokio::test]
async fn a_deadline_ends_the_wait_for_a_token_endpoint() {
    let upstream = Upstream::echo().await;
    let silent = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        raw.head().await;
        // It has nothing to say.
        raw.all().await;
    })
    .await;
    let policies = format!(
        "policies:\n  own:\n    oauth_client_credentials: {{ url: \"http://{}/token\", clientID: a, clientSecret: b }}\n",
        silent.address
    );
    let route = "routes: [{ name: all, upstream: it, policies: [own], deadlineSeconds: 0.5 }]\n";
    let gateway = Gateway::start(&(upstream.settings("") + &policies + route));

    let started = Instant::now();
    let answer = gateway.get("/").await;

    assert_eq!(answer.status(), 504);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_no_http_at_all_is_refused_and_nobody_dies_of_it() {
    let upstream = Upstream::echo().await;
    let mut gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ] {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(bytes).await;
        // Whoever says half a request has nothing more to say.
        raw.end().await;
        let answer = raw.all().await;
        let text = String::from_utf8_lossy(bytes);
        assert!(answer.is_empty() || (400..506).contains(&status(&answer)), "{text:?}: {answer}");
    }
    assert!(gateway.is_running());
    assert_eq!(gateway.get("/").await.status(), 200);
}
