//! Many at once.

use std::time::Duration;

use adapter_redis::RedisOptions;
use futures_util::future::join_all;
use testbed::redis::RedisServer;
use tokio::time::Instant;

use crate::servers::{Stage, burn, node, standalone};

#[tokio::test]
async fn ten_thousand_burns_at_once_take_no_more_connections_than_allowed() {
    let stage = Stage::start(RedisServer::start);
    let host = stage.act(|server| server.host()).await;
    // This is a debug build on a busy machine.
    let patience = Duration::from_secs(30);
    let node = node(&RedisOptions { max_connections: 8, patience, ..standalone(&host) });
    let began = Instant::now();

    // Each of 5 000 assertions twice.
    let burns = join_all((0..10_000).map(|turn| {
        let node = node.clone();
        async move { burn(&node, &format!("j{}", turn / 2)).await }
    }));
    let counted = stage.act(|server| {
        let count = |server: &RedisServer| {
            let list = server.command(&["client", "list", "type", "normal"]).unwrap();
            list.lines().filter(|line| !line.contains("cmd=client")).count()
        };
        (0..10).map(|_| count(server)).max().unwrap()
    });
    let (outcomes, connections) = tokio::join!(burns, counted);

    eprintln!("10 000 burns took {:?} on {connections} connections", began.elapsed());
    let first = outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(first, 5_000);
    assert!((1..=8).contains(&connections), "{connections}");
}

#[tokio::test]
async fn callers_that_go_away_use_nothing_up() {
    let server = RedisServer::start().unwrap();
    let node = node(&RedisOptions { max_connections: 2, ..standalone(&server.host()) });

    for turn in 0..200_u64 {
        let id = format!("j{turn}");
        let limit = Duration::from_micros(turn * 5);
        let given_up = tokio::time::timeout(limit, burn(&node, &id)).await;
        let is_first = burn(&node, &id).await.unwrap();
        // It was carried out once, whoever heard of it.
        assert!(!is_first || given_up.is_err());
        assert!(!burn(&node, &id).await.unwrap());
    }
}
