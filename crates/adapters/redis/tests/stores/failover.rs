//! A group whose master is replaced, or loses a replica, under load.

use std::time::Duration;

use adapter_redis::{RedisStores, ReplicasToWaitFor};
use domain::Change;
use domain::port::ChangeFeed as _;
use testbed::redis::{RedisServer, SentinelGroup};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep, timeout};

use crate::assault::Assault;
use crate::sentinel::{HEALING, group};
use crate::servers::{DATA, burn, node, recovered};
use crate::standalone::Ear;

/// The connections of nodes to a server; those of sentinels and of replicas do not count.
fn connections(server: &RedisServer) -> usize {
    let Ok(list) = server.command(&["client", "list"]) else { return 0 };
    let is_ours = |line: &&str| {
        line.contains(&format!("user={}", DATA.0))
            && line.contains("flags=N")
            && !line.contains("name=sentinel")
            && !line.contains("cmd=client")
    };
    list.lines().filter(is_ours).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_no_assertion_is_accepted_twice_across_a_failover_after_a_crash() {
    let (stage, options) = group().await;
    assert_eq!(options.replicas_to_wait_for, ReplicasToWaitFor::Automatic);
    let assault = Assault::begin(&options);
    sleep(Duration::from_secs(2)).await;

    let node = node(&options);
    let killed = stage
        .act(|group| {
            let master = group.master().unwrap();
            group.servers[master].kill();
            master
        })
        .await;
    // It stays dead, and is not waited for.
    let took = lasting(&node, Duration::from_secs(15)).await;
    // It comes back without what it had, and believes to be the master.
    stage.act(move |group| group.servers[killed].restart().unwrap()).await;
    sleep(Duration::from_secs(3)).await;
    let record = assault.end().await;

    eprintln!("burns succeed {took:?} after the master was killed, though it is dead");
    record.judge("a master is killed");
}

/// Burns until it works and goes on to work for a second, and returns how long the former took: a
/// sentinel that hears late of a failover counts a dead server once more.
async fn lasting(node: &RedisStores, limit: Duration) -> Duration {
    let began = Instant::now();
    loop {
        recovered(node, limit).await;
        let works_since = Instant::now();
        let mut works = true;
        while works && works_since.elapsed() < Duration::from_secs(1) {
            let id = format!("lasting-{:?}", began.elapsed());
            works = burn(node, &id).await.is_ok();
        }
        if works {
            return works_since - began;
        }
        assert!(began.elapsed() < limit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_no_assertion_is_accepted_twice_across_a_failover_of_a_master_that_lives_on() {
    let (stage, options) = group().await;
    let assault = Assault::begin(&options);
    for is_helped in [true, false] {
        let follower = node(&options);
        let (sender, mut heard) = unbounded_channel();
        let ear = Ear(sender);
        let follow = async { (follower.follow(&ear).await, Instant::now()) };
        let demote = async {
            assert_eq!(heard.recv().await, Some(Change::Unknown));
            sleep(Duration::from_secs(1)).await;
            let began = Instant::now();
            let before = stage
                .act(|group| {
                    let before = group.master().unwrap();
                    group.demote_master().unwrap();
                    before
                })
                .await;
            let elected_at = Instant::now();
            eprintln!("a replica took over after {:?}", elected_at - began);
            (before, elected_at)
        };

        let ((fault, ended_at), (before, elected_at)) =
            timeout(Duration::from_secs(30), async { tokio::join!(follow, demote) }).await.unwrap();
        if is_helped {
            // Sentinels take ten seconds to tell the old master.
            sleep(Duration::from_secs(2)).await;
            let follow = move |group: &mut SentinelGroup| {
                let port = group.servers[group.master().unwrap()].port.to_string();
                group.servers[before].command(&["replicaof", "127.0.0.1", &port]).unwrap()
            };
            stage.act(follow).await;
        }
        let (left, demoted) = stage.act(move |group| watch(&group.servers[before])).await;
        let took = recovered(&node(&options), Duration::from_secs(15)).await;

        let since = |at: Option<Instant>| at.unwrap().saturating_duration_since(elected_at);
        let (left, demoted) = (since(left), since(demoted));
        let unheard = ended_at.saturating_duration_since(elected_at);
        if !is_helped {
            eprintln!(
                "the old master was left within {left:?}, its feed within {unheard:?}, and it became a \
             replica after {demoted:?}; burns succeeded {took:?} later"
            );
        }
        assert!(fault.explained().contains("no master"), "{}", fault.explained());
        assert!(unheard < Duration::from_secs(3), "{unheard:?}");
        assert!(is_helped || left < demoted + Duration::from_secs(2), "{left:?} {demoted:?}");
        assert!(left < Duration::from_secs(5), "{left:?}");
    }
    sleep(Duration::from_secs(2)).await;
    let record = assault.end().await;

    record.judge("a master is demoted");
}

/// When a server was left by all nodes, and when it became a replica.
fn watch(server: &RedisServer) -> (Option<Instant>, Option<Instant>) {
    let (mut left, mut demoted) = (None, None);
    let began = Instant::now();
    while began.elapsed() < HEALING && (left.is_none() || demoted.is_none()) {
        if left.is_none() && connections(server) == 0 {
            left = Some(Instant::now());
        }
        let is_replica = server.command(&["role"]).is_ok_and(|role| role.starts_with("slave"));
        if demoted.is_none() && is_replica {
            demoted = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    (left, demoted)
}

/// The index of a replica.
fn replica(group: &SentinelGroup) -> usize {
    let master = group.master().unwrap();
    (0..group.servers.len()).find(|index| *index != master).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_waited_for_until_the_sentinels_give_it_up_and_once_it_is_back() {
    let (stage, options) = group().await;
    let node = node(&options);
    assert!(burn(&node, "j1").await.unwrap());

    let killed = stage
        .act(|group| {
            let replica = replica(group);
            group.servers[replica].kill();
            replica
        })
        .await;
    let killed_at = Instant::now();
    let fault = burn(&node, "j2").await.unwrap_err();
    assert!(fault.explained().contains("1 of 2 replicas"), "{}", fault.explained());
    recovered(&node, Duration::from_secs(5)).await;
    eprintln!("burns succeed {:?} after a replica was killed", killed_at.elapsed());
    // With the master and one replica, for as long as it takes.
    for turn in 0..100 {
        assert!(burn(&node, &format!("meanwhile-{turn}")).await.unwrap(), "{turn}");
        sleep(Duration::from_millis(20)).await;
    }

    stage.act(move |group| group.servers[killed].restart().unwrap()).await;
    let restarted_at = Instant::now();
    let is_linked = move |group: &mut SentinelGroup| {
        let role = group.servers[killed].command(&["role"]).unwrap();
        role.contains("connected")
    };
    while !stage.act(is_linked).await {
        assert!(restarted_at.elapsed() < HEALING);
    }
    stage.act(move |group| group.servers[killed].freeze().unwrap()).await;
    let frozen_at = Instant::now();
    let mut turn = 0;
    // Not one is acknowledged without it: it could be promoted as soon as it thaws.
    while frozen_at.elapsed() < Duration::from_secs(3) {
        let outcome = burn(&node, &format!("frozen-{turn}")).await;
        assert!(outcome.is_err(), "{turn} {:?}", frozen_at.elapsed());
        turn += 1;
    }
    stage.act(move |group| group.servers[killed].thaw().unwrap()).await;
    let took = recovered(&node, Duration::from_secs(5)).await;
    eprintln!("burns succeed {took:?} after a replica thawed");
}
