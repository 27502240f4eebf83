//! One server, which comes and goes.

use std::net::TcpListener;
use std::time::Duration;

use adapter_redis::{RedisOptions, RedisStores, ReplicasToWaitFor};
use contract::sample::{client_id, token_id};
use domain::port::TokenRepository as _;
use domain::port::{ChangeAnnouncer as _, ChangeFeed as _, ChangeListener, HealthProbe as _};
use domain::{Change, Fault, FaultKind};
use testbed::redis::RedisServer;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use crate::servers::{BOUND, Stage, burn, node, now, recovered, standalone};

/// Who follows a feed, and tells what it heard.
pub(crate) struct Ear(pub(crate) UnboundedSender<Change>);

impl ChangeListener for Ear {
    fn heard(&self, change: &Change) {
        // The test may have heard enough.
        drop(self.0.send(change.clone()));
    }
}

/// What each call comes to, all at once; fails if one takes too long.
pub(crate) async fn every_call(node: &RedisStores) -> Vec<Fault> {
    let (client, token) = (client_id("billing"), token_id("t1"));
    let until = now().after(Duration::from_mins(1));
    let (sender, _heard) = unbounded_channel();
    let outcomes: [Result<(), Fault>; 8] = timeout(BOUND, async {
        tokio::join!(
            node.check(),
            async { burn(node, "j1").await.map(drop) },
            node.revoke(&token, until),
            async { node.is_revoked(&token).await.map(drop) },
            node.revoke_client(&client, now(), until),
            async { node.client_revoked_until(&client).await.map(drop) },
            node.announce(&Change::Keys),
            async { Err(node.follow(&Ear(sender)).await) },
        )
        .into()
    })
    .await
    .expect("a caller was kept waiting");
    outcomes.into_iter().filter_map(Result::err).collect()
}

pub(crate) async fn every_call_is_unavailable(node: &RedisStores) {
    let faults = every_call(node).await;
    assert_eq!(faults.len(), 8, "{faults:?}");
    for fault in faults {
        assert_eq!(fault.kind(), FaultKind::Unavailable, "{}", fault.explained());
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_in_time() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    every_call_is_unavailable(&node(&standalone(&format!("127.0.0.1:{port}")))).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_in_time() {
    // Connections are accepted by the kernel, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();

    every_call_is_unavailable(&node(&standalone(&format!("127.0.0.1:{port}")))).await;
}

#[tokio::test]
async fn stores_that_were_closed_are_unavailable() {
    let server = RedisServer::start().unwrap();
    let node = node(&standalone(&server.host()));
    assert!(burn(&node, "j1").await.unwrap());

    node.close();

    every_call_is_unavailable(&node).await;
}

#[tokio::test]
async fn a_server_that_comes_and_goes_is_used_whenever_it_is_there() {
    let mut server = RedisServer::start().unwrap();
    let node = node(&standalone(&server.host()));
    server.kill();
    every_call_is_unavailable(&node).await;
    // This thread starts it, and lives as long as the test.
    server.restart().unwrap();
    assert!(burn(&node, "j1").await.unwrap(), "nothing is remembered of the outage");

    server.kill();
    let asked_at = Instant::now();
    every_call_is_unavailable(&node).await;
    eprintln!("a server that is out is told of within {:?}", asked_at.elapsed());
    server.restart().unwrap();

    let took = recovered(&node, Duration::from_secs(2)).await;
    eprintln!("a server that restarted is used after {took:?}");
    node.check().await.unwrap();
}

#[tokio::test]
async fn a_server_that_freezes_is_unavailable_in_time_and_used_once_it_thaws() {
    let server = RedisServer::start().unwrap();
    let node = node(&standalone(&server.host()));
    assert!(burn(&node, "j1").await.unwrap());
    server.freeze().unwrap();

    for _ in 0..2 {
        let asked_at = Instant::now();
        every_call_is_unavailable(&node).await;
        eprintln!("a frozen server is told of within {:?}", asked_at.elapsed());
    }
    // Many at once wait no longer.
    let many = (0..200).map(|turn| {
        let node = &node;
        async move { timeout(BOUND, burn(node, &format!("m{turn}"))).await.unwrap() }
    });
    for outcome in futures_util::future::join_all(many).await {
        assert_eq!(outcome.unwrap_err().kind(), FaultKind::Unavailable);
    }
    server.thaw().unwrap();

    let took = recovered(&node, Duration::from_secs(3)).await;
    eprintln!("a server that thawed is used after {took:?}");
    assert!(!burn(&node, "j1").await.unwrap());
}

#[tokio::test]
async fn a_server_that_keeps_its_log_remembers_after_a_restart() {
    let mut server =
        RedisServer::start_with(|_| "appendonly yes\nappendfsync always\n".to_owned()).unwrap();
    let node = node(&standalone(&server.host()));
    let until = now().after(Duration::from_mins(1));
    assert!(burn(&node, "j1").await.unwrap());
    node.revoke(&token_id("t1"), until).await.unwrap();
    node.revoke_client(&client_id("billing"), now(), until).await.unwrap();

    server.kill();
    server.restart().unwrap();

    recovered(&node, Duration::from_secs(3)).await;
    assert!(!burn(&node, "j1").await.unwrap());
    assert!(node.is_revoked(&token_id("t1")).await.unwrap());
    assert!(node.client_revoked_until(&client_id("billing")).await.unwrap().is_some());
}

/// The limit that the documentation of this crate names.
#[tokio::test]
async fn a_server_that_keeps_nothing_forgets_when_it_restarts() {
    let mut server = RedisServer::start().unwrap();
    let node = node(&standalone(&server.host()));
    assert!(burn(&node, "j1").await.unwrap());

    server.kill();
    server.restart().unwrap();

    recovered(&node, Duration::from_secs(3)).await;
    assert!(burn(&node, "j1").await.unwrap());
}

#[tokio::test]
async fn replicas_that_are_missing_are_told() {
    let server = RedisServer::start().unwrap();
    let strict = node(&RedisOptions {
        replicas_to_wait_for: ReplicasToWaitFor::Number(1),
        ..standalone(&server.host())
    });

    for fault in [burn(&strict, "j1").await.unwrap_err(), strict.check().await.unwrap_err()] {
        assert_eq!(fault.kind(), FaultKind::Unavailable);
        assert!(fault.explained().contains("0 of 1 replicas"), "{}", fault.explained());
    }
    // It was carried out: a second use is a replay, which lets nobody in.
    assert!(!burn(&strict, "j1").await.unwrap());
}

/// Without a sentinel, which would cut the connections: nobody tells us but the server itself.
#[tokio::test]
async fn a_server_that_was_demoted_is_left_within_two_seconds() {
    let [server, other] = [RedisServer::start().unwrap(), RedisServer::start().unwrap()];
    let node = node(&standalone(&server.host()));
    let reads = |node: RedisStores| async move { node.is_revoked(&token_id("t1")).await };
    // All connections are there.
    for outcome in futures_util::future::join_all((0..64).map(|_| reads(node.clone()))).await {
        assert!(!outcome.unwrap());
    }
    let (sender, _heard) = unbounded_channel();
    let ear = Ear(sender);
    let followed = node.follow(&ear);
    let left = async {
        sleep(Duration::from_millis(300)).await;
        server.command(&["replicaof", "127.0.0.1", &other.port.to_string()]).unwrap();
        let demoted_at = Instant::now();
        // A replica refuses no reads.
        let mut last_read = Duration::ZERO;
        while demoted_at.elapsed() < Duration::from_secs(3) {
            if reads(node.clone()).await.is_ok() {
                last_read = demoted_at.elapsed();
            }
            sleep(Duration::from_millis(5)).await;
        }
        last_read
    };

    let (fault, left) = timeout(BOUND, async { tokio::join!(followed, left) }).await.unwrap();

    eprintln!("a demoted server was used for {left:?}");
    assert!(left < Duration::from_secs(2), "{left:?}");
    assert!(fault.explained().contains("no master"), "{}", fault.explained());
    server.command(&["replicaof", "no", "one"]).unwrap();
    recovered(&node, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_write_to_a_server_that_became_a_replica_is_refused_at_once() {
    let [server, other] = [RedisServer::start().unwrap(), RedisServer::start().unwrap()];
    let node = node(&standalone(&server.host()));
    assert!(burn(&node, "j1").await.unwrap());

    server.command(&["replicaof", "127.0.0.1", &other.port.to_string()]).unwrap();

    let refused = burn(&node, "j2").await.unwrap_err();
    assert_eq!(refused.kind(), FaultKind::Unavailable);
    assert!(refused.explained().contains("no master"), "{}", refused.explained());
}

#[tokio::test]
async fn a_feed_ends_when_its_server_does() {
    let stage = Stage::start(RedisServer::start);
    let host = stage.act(|server| server.host()).await;
    let node = node(&standalone(&host));

    for is_frozen in [true, false] {
        let (sender, mut heard) = unbounded_channel();
        let ear = Ear(sender);
        let broken = async {
            assert_eq!(heard.recv().await, Some(Change::Unknown));
            stage
                .act(move |server| if is_frozen { server.freeze().unwrap() } else { server.kill() })
                .await;
            Instant::now()
        };
        let told = async { (node.follow(&ear).await, Instant::now()) };
        let ((fault, told_at), broken_at) =
            timeout(BOUND * 2, async { tokio::join!(told, broken) }).await.unwrap();

        assert_eq!(fault.kind(), FaultKind::Unavailable);
        let took = told_at - broken_at;
        eprintln!("a feed whose server is out (frozen: {is_frozen}) ends after {took:?}");
        assert!(took < BOUND, "{took:?}");
        stage.act(|server| server.thaw().ok()).await;
    }
}
