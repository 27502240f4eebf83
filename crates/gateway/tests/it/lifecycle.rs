//! It starts, and it stops, and nobody is cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use testbed::process::free_port;
use tokio::time::Instant;

use crate::support::gateway::command;
use crate::support::raw::{Raw, status};
use crate::support::upstream::{ROUTE, request, spawn};
use crate::support::{Gateway, Upstream, within};

async fn slow(millis: u64) -> Upstream {
    Upstream::serve(move |stream| async move {
        let mut raw = Raw::on(stream);
        while request(&mut raw).await.is_some() {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            raw.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await
}

#[tokio::test]
async fn it_is_alive_and_ready_once_it_listens() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    assert_eq!(gateway.admin("/livez").await, (200, "alive\n".to_owned()));
    let (ready, _) = within(Duration::from_secs(5), "readiness", async || {
        Some(gateway.admin("/readyz").await).filter(|it| it.0 == 200)
    })
    .await;
    assert_eq!(ready.1, "ready\n");
    assert_eq!(gateway.admin("/orders").await.0, 404);
    // What operators see is not shown to callers.
    let public = gateway.get("/metrics").await.text().await.unwrap();
    assert!(public.contains("\"server\":\"echo\""), "{public}");
}

#[test]
fn a_container_without_a_shell_can_ask_whether_it_is_ready() {
    let (public, admin) = (free_port().unwrap(), free_port().unwrap());
    let mut gateway = Gateway::of(&format!(
        "listeners:\n- {{ name: public, address: \"127.0.0.1:{public}\" }}\n\
         - {{ name: admin, address: \"0.0.0.0:{admin}\", serves: admin }}\n\
         shutdown: {{ delaySeconds: 5 }}\n"
    ));
    let file = gateway.file();
    let is_ready = || command().arg("--config").arg(&file).arg("healthcheck").status().unwrap();

    assert!(is_ready().success());
    gateway.signal(Signal::SIGTERM);
    gateway.await_message("stopping", 1);
    assert!(!is_ready().success());
    gateway.signal(Signal::SIGTERM);
    assert!(gateway.ended().success());
    assert!(!is_ready().success());
}

#[tokio::test]
async fn on_sigterm_requests_that_are_under_way_are_finished() {
    let upstream = slow(700).await;
    let mut gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut under_way = Raw::to(&gateway.address("public")).await;
    under_way.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = Raw::to(&gateway.address("public")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.signal(Signal::SIGTERM);

    assert!(idle.is_closed(Duration::from_secs(5)).await);
    let (head, body) = under_way.message().await;
    assert_eq!((status(&head), body.as_slice()), (200, &b"done"[..]));
    assert!(gateway.ended().success());
}

#[tokio::test]
async fn before_it_stops_it_says_so_and_still_serves() {
    let upstream = Upstream::echo().await;
    let more = "shutdown: { delaySeconds: 1.5 }";
    let mut gateway = Gateway::with(more, &(upstream.settings("") + ROUTE));
    within(Duration::from_secs(5), "readiness", async || {
        (gateway.admin("/readyz").await.0 == 200).then_some(())
    })
    .await;

    gateway.signal(Signal::SIGTERM);
    gateway.await_message("stopping", 1);

    assert_eq!(gateway.admin("/readyz").await.0, 503);
    assert_eq!(gateway.admin("/livez").await.0, 200);
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 200);
    // Whoever keeps its connection is asked to come back on another one, to whoever is there then.
    assert_eq!(response.headers()["connection"], "close");
    assert!(gateway.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_requests_none_is_dropped_while_it_stops() {
    let upstream = slow(3).await;
    let more = "shutdown: { delaySeconds: 1 }";
    let mut gateway = Gateway::with(more, &(upstream.settings("") + ROUTE));
    let good = Arc::new(AtomicUsize::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..8 {
        let (good, is_over) = (Arc::clone(&good), Arc::clone(&is_over));
        let (http, url) = (gateway.http.clone(), gateway.url("/"));
        callers.push(spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                let response = http.get(&url).send().await.unwrap();
                assert_eq!(response.status(), 200);
                assert_eq!(response.text().await.unwrap(), "done");
                good.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    within(Duration::from_secs(20), "500 requests", async || {
        (500 < good.load(Ordering::SeqCst)).then_some(())
    })
    .await;

    gateway.signal(Signal::SIGTERM);
    // Whoever balances the load asks now and then, and goes elsewhere.
    within(Duration::from_secs(5), "the end of readiness", async || {
        (gateway.admin("/readyz").await.0 == 503).then_some(())
    })
    .await;
    is_over.store(true, Ordering::SeqCst);

    for caller in callers {
        caller.await.unwrap();
    }
    assert!(gateway.ended().success());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_it_alive() {
    let upstream = slow(60_000).await;
    let more = "shutdown: { delaySeconds: 0.01, deadlineSeconds: 0.5 }";
    let mut gateway = Gateway::with(more, &(upstream.settings("") + ROUTE));
    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;

    let started = Instant::now();
    gateway.signal(Signal::SIGTERM);

    assert!(gateway.ended().success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
