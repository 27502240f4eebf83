//! Bodies that go on while they come, in both directions.

use std::time::Duration;

use crate::support::raw::{Raw, status};
use crate::support::upstream::ROUTE;
use crate::support::{Gateway, Upstream};

#[tokio::test]
async fn a_body_goes_on_before_it_is_whole_in_both_directions() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        raw.head().await;
        raw.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        // Each piece of the body is answered before the next one comes.
        for piece in ["one", "two", "three"] {
            raw.until(piece).await;
            raw.say(format!("{:x}\r\n{piece}!\r\n", piece.len() + 1)).await;
        }
        raw.until("0\r\n\r\n").await;
        raw.say("0\r\nX-Trailer: end\r\n\r\n").await;
    })
    .await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    raw.say("3\r\none\r\n").await;
    raw.head().await;
    raw.until("one!").await;
    raw.say("3\r\ntwo\r\n").await;
    raw.until("two!").await;
    raw.say("5\r\nthree\r\n").await;
    raw.until("three!").await;
    raw.say("0\r\n\r\n").await;
    raw.until("0\r\n").await;
}

#[tokio::test]
async fn a_long_body_passes_and_nobody_keeps_it() {
    const BYTES: usize = 24 << 20;
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        let head = raw.head().await;
        let length = crate::support::raw::content_length(&head);
        for left in (0..length).step_by(1 << 16) {
            raw.exactly((1 << 16).min(length - left)).await;
        }
        raw.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
        for left in (0..length).step_by(1 << 16) {
            raw.say(vec![b'x'; (1 << 16).min(length - left)]).await;
        }
    })
    .await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    assert_eq!(gateway.http.post(gateway.url("/")).body("x").send().await.unwrap().status(), 200);
    let before = gateway.peak_memory();
    let body = vec![b'x'; BYTES];
    let response = gateway.http.post(gateway.url("/")).body(body).send().await.unwrap();

    assert_eq!(response.bytes().await.unwrap().len(), BYTES);
    let grown = gateway.peak_memory() - before;
    assert!(grown < BYTES / 2, "{grown} bytes for a body of {BYTES}");
}

#[tokio::test]
async fn a_websocket_is_a_pipe_after_its_handshake() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        let head = raw.head().await.to_lowercase();
        assert!(
            head.contains("upgrade: websocket") && head.contains("connection: upgrade"),
            "{head}"
        );
        raw.say(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: x\r\n\r\n",
        )
        .await;
        raw.until("ping").await;
        raw.say("pong").await;
        raw.until("bye").await;
    })
    .await;
    // Neither a deadline nor a limit is for what comes after the handshake.
    let route = "routes: [{ name: all, upstream: it, bodyLimitBytes: 0, deadlineSeconds: 0.2 }]\n";
    let settings = upstream.settings("readTimeoutSeconds: 0.2");
    let mut gateway = Gateway::start(&(settings + route));

    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say(
        "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    .await;
    let head = raw.head().await;
    assert_eq!(status(&head), 101);
    assert!(head.to_lowercase().contains("upgrade: websocket"), "{head}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.say("ping").await;
    raw.until("pong").await;
    raw.say("bye").await;
    assert!(raw.is_closed(Duration::from_secs(10)).await);
    assert!(gateway.is_running());
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        raw.head().await;
        raw.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    })
    .await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = raw.all().await;

    assert!(answer.contains("hello") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}
