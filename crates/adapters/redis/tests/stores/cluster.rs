//! A cluster that loses one of its masters.

use std::sync::LazyLock;
use std::time::Duration;

use adapter_redis::{RedisOptions, ReplicasToWaitFor};
use domain::Change;
use domain::FaultKind;
use domain::port::{ChangeAnnouncer as _, ChangeFeed as _, HealthProbe as _};
use testbed::redis::RedisCluster;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout};

use crate::assault::Assault;
use crate::servers::{BOUND, Stage, burn, cluster, node};
use crate::standalone::{Ear, every_call_is_unavailable};
use crate::tls::works;

/// A cluster that one test after the other breaks and heals.
static BROKEN: LazyLock<Mutex<Stage<RedisCluster>>> =
    LazyLock::new(|| Mutex::new(Stage::start(RedisCluster::start)));

async fn group() -> (MutexGuard<'static, Stage<RedisCluster>>, RedisOptions) {
    let stage = BROKEN.lock().await;
    let hosts = stage.act(|cluster| cluster.hosts()).await;
    let options = cluster(&hosts);
    // Each master has its replica, whatever the last test did.
    whole(&each_with_a_replica(&options), Duration::from_secs(40)).await;
    (stage, options)
}

/// Options with which a master that has no replica cannot be written to.
fn each_with_a_replica(options: &RedisOptions) -> RedisOptions {
    RedisOptions { replicas_to_wait_for: ReplicasToWaitFor::Number(1), ..options.clone() }
}

/// Waits until every master can be written to, and returns how long that took.
async fn whole(options: &RedisOptions, limit: Duration) -> Duration {
    let node = node(options);
    let began = Instant::now();
    while let Err(fault) = node.check().await {
        assert!(began.elapsed() < limit, "{}", fault.explained());
        sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_no_assertion_is_accepted_twice_across_the_loss_of_a_master() {
    let (stage, options) = group().await;
    let assault = Assault::begin(&options);
    sleep(Duration::from_secs(2)).await;

    let killed = stage
        .act(|cluster| {
            let master = cluster.masters()[0];
            cluster.nodes[master].kill();
            master
        })
        .await;
    let taken_over = whole(&options, Duration::from_secs(15)).await;
    // The master that took over has no replica: none can follow it, so none is waited for.
    let strict = each_with_a_replica(&options);
    let fault = node(&strict).check().await.unwrap_err();
    assert!(fault.explained().contains("0 of 1 replicas"), "{}", fault.explained());
    stage.act(move |cluster| cluster.nodes[killed].restart().unwrap()).await;
    let safe = whole(&strict, Duration::from_secs(15)).await;
    sleep(Duration::from_secs(2)).await;
    let record = assault.end().await;

    eprintln!(
        "the slots of a killed master are served after {taken_over:?}, though it is dead, and have \
         a replica {safe:?} after it came back"
    );
    record.judge("a master of a cluster is killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t18_no_assertion_is_accepted_twice_when_a_replica_takes_over() {
    let (stage, options) = group().await;
    let assault = Assault::begin(&options);
    sleep(Duration::from_secs(1)).await;

    stage
        .act(|cluster| {
            let masters = cluster.masters();
            let is_replica = |index: &usize| !masters.contains(index);
            let replica = (0..cluster.nodes.len()).find(is_replica).unwrap();
            cluster.nodes[replica].command(&["cluster", "failover"]).unwrap();
            while !cluster.masters().contains(&replica) {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
        .await;
    let took = whole(&options, Duration::from_secs(10)).await;
    sleep(Duration::from_secs(2)).await;
    let record = assault.end().await;

    eprintln!("a replica took over, and every slot was served {took:?} later");
    record.judge("a replica of a cluster takes over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_found_while_its_slot_moves_and_afterwards() {
    let (stage, options) = group().await;
    let node = node(&options);
    // All keys of this test are in one slot.
    let options = RedisOptions { key_prefix: "test:{foo}:".to_owned(), ..options };
    let moving = self::node(&options);
    assert!(burn(&moving, "before").await.unwrap());
    assert!(burn(&node, "elsewhere").await.unwrap());

    let slot = "12182";
    let ids = move |cluster: &RedisCluster| {
        let id = |index: usize| cluster.nodes[index].command(&["cluster", "myid"]).unwrap();
        let masters = cluster.masters();
        let has = |index: &usize| {
            let said = cluster.nodes[*index].command(&["get", "test:{foo}:x"]);
            !said.unwrap().contains("MOVED")
        };
        let from = *masters.iter().find(|index| has(index)).unwrap();
        let to = *masters.iter().find(|index| **index != from).unwrap();
        (from, id(from), to, id(to))
    };
    stage
        .act(move |cluster| {
            let (from, from_id, to, to_id) = ids(cluster);
            let set = |index: usize, words: &[&str]| {
                let words = [&["cluster", "setslot", slot], words].concat();
                assert_eq!(cluster.nodes[index].command(&words).unwrap(), "OK");
            };
            set(to, &["importing", &from_id]);
            set(from, &["migrating", &to_id]);
        })
        .await;

    // What is new goes where the slot goes; what is old is where it was.
    assert!(burn(&moving, "meanwhile").await.unwrap());
    assert!(!burn(&moving, "meanwhile").await.unwrap());
    assert!(!burn(&moving, "before").await.unwrap());
    stage
        .act(move |cluster| {
            let (from, _, to, to_id) = ids(cluster);
            let port = cluster.nodes[to].port.to_string();
            let source = &cluster.nodes[from];
            let keys = source.command(&["cluster", "getkeysinslot", slot, "100"]).unwrap();
            for key in keys.lines() {
                let words = ["migrate", "127.0.0.1", &port, key, "0", "1000"];
                assert_eq!(source.command(&words).unwrap(), "OK");
            }
            for index in [to, from] {
                let words = ["cluster", "setslot", slot, "node", &to_id];
                assert_eq!(cluster.nodes[index].command(&words).unwrap(), "OK");
            }
        })
        .await;

    for id in ["before", "meanwhile"] {
        assert!(!burn(&moving, id).await.unwrap(), "{id}");
    }
    assert!(burn(&moving, "afterwards").await.unwrap());
}

#[tokio::test]
async fn a_user_with_no_more_rights_than_are_documented_is_enough() {
    let (stage, options) = group().await;
    stage
        .act(|cluster| {
            let rights = "~test:* &test:* -@all +set +get +del +exists +eval +time +pttl +wait +hello \
                          +role +publish +subscribe +cluster|slots +cluster|info +asking";
            for node in &cluster.nodes {
                let user = ["acl", "setuser", "modest", "on", ">hunter2-modest"];
                let words = [&user[..], &rights.split(' ').collect::<Vec<_>>()].concat();
                assert_eq!(node.command(&words).unwrap(), "OK");
            }
        })
        .await;

    works(&RedisOptions {
        username: Some("modest".to_owned()),
        password: Some("hunter2-modest".into()),
        ..options
    })
    .await;
}

#[tokio::test]
async fn a_cluster_of_which_no_node_answers_is_unavailable_in_time() {
    let hosts = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];

    every_call_is_unavailable(&node(&cluster(&hosts))).await;
}

#[tokio::test]
async fn a_server_that_is_no_cluster_is_unavailable_and_told() {
    let server = testbed::redis::RedisServer::start().unwrap();

    let fault = burn(&node(&cluster(&[server.host()])), "j1").await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(fault.explained().contains("cluster support disabled"), "{}", fault.explained());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_freezes_is_replaced_and_the_others_go_on() {
    let (stage, options) = group().await;
    let node = node(&options);
    node.check().await.unwrap();
    let frozen = stage
        .act(|cluster| {
            let master = cluster.masters()[1];
            cluster.nodes[master].freeze().unwrap();
            master
        })
        .await;

    let mut worked = 0;
    for turn in 0..12 {
        let outcome = timeout(BOUND, burn(&node, &format!("j{turn}"))).await.unwrap();
        worked += u32::from(outcome.is_ok());
        // Announcements find a master that works.
        timeout(BOUND, node.announce(&Change::Keys)).await.unwrap().unwrap();
    }
    assert!(2 < worked, "{worked}");
    let took = whole(&options, Duration::from_secs(15)).await;
    eprintln!("the slots of a frozen master are served {took:?} later");

    stage.act(move |cluster| cluster.nodes[frozen].thaw().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_leaves_a_node_that_is_alone() {
    let (stage, options) = group().await;
    // Those that are named first are asked first: only one is.
    let host = stage.act(|cluster| cluster.nodes[0].host()).await;
    let node = node(&cluster(&[host]));
    let (sender, mut heard) = unbounded_channel();
    let ear = Ear(sender);
    let followed = node.follow(&ear);
    let isolated = async {
        assert_eq!(heard.recv().await, Some(Change::Unknown));
        stage
            .act(|cluster| cluster.nodes[1..].iter().for_each(|node| node.freeze().unwrap()))
            .await;
        Instant::now()
    };

    let (fault, isolated_at) =
        timeout(Duration::from_secs(20), async { tokio::join!(followed, isolated) }).await.unwrap();

    eprintln!("a feed leaves a node that is alone after {:?}", isolated_at.elapsed());
    assert!(fault.explained().contains("not whole"), "{}", fault.explained());
    stage.act(|cluster| cluster.nodes[1..].iter().for_each(|node| node.thaw().unwrap())).await;
    drop(options);
}
