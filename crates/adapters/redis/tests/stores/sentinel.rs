//! A group that sentinels watch, and what is asked of them.

use std::sync::LazyLock;
use std::time::Duration;

use adapter_redis::{RedisOptions, ReplicasToWaitFor, Topology};
use domain::FaultKind;
use domain::port::HealthProbe as _;
use testbed::forwarder::{Forwarder, Mood};
use testbed::redis::{RedisServer, SentinelGroup};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout};

use crate::servers::{BOUND, DATA, Stage, WATCH, burn, node, recovered, sentinel, start_group};
use crate::standalone::{every_call, every_call_is_unavailable};
use crate::tls::works;

/// A group that one test after the other breaks and heals.
static BROKEN: LazyLock<Mutex<Stage<SentinelGroup>>> =
    LazyLock::new(|| Mutex::new(Stage::start(start_group)));

/// How long it may take until a server that failed is a replica again.
pub(crate) const HEALING: Duration = Duration::from_secs(40);

pub(crate) async fn group() -> (MutexGuard<'static, Stage<SentinelGroup>>, RedisOptions) {
    let stage = BROKEN.lock().await;
    let hosts = stage
        .act(|group| {
            // A test that failed may have left them frozen, or dead.
            for server in group.servers.iter_mut().chain(&mut group.sentinels) {
                server.thaw().ok();
                if server.command(&["ping"]).is_err() {
                    server.restart().unwrap();
                }
            }
            // One that was master is told by the sentinels after ten seconds; we need not wait.
            if let Some(master) = group.master() {
                let port = group.servers[master].port.to_string();
                let role = |server: &RedisServer| server.command(&["role"]).unwrap_or_default();
                let others = group.servers.iter().enumerate().filter(|(index, _)| *index != master);
                for (_, server) in others.filter(|(_, it)| role(it).starts_with("master")) {
                    server.command(&["replicaof", "127.0.0.1", &port]).unwrap();
                }
            }
            group.hosts()
        })
        .await;
    let options = sentinel(&hosts);
    // Both replicas are there, whatever the last test did.
    let both = ReplicasToWaitFor::Number(2);
    let strict = RedisOptions { replicas_to_wait_for: both, ..options.clone() };
    recovered(&node(&strict), HEALING).await;
    (stage, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_freezes_is_unavailable_in_time_until_another_one_takes_over() {
    let (stage, options) = group().await;
    let node = node(&options);
    assert!(burn(&node, "j1").await.unwrap());
    let frozen = stage.act(|group| {
        let master = group.master().unwrap();
        group.servers[master].freeze().unwrap();
        master
    });
    let frozen = frozen.await;

    let asked_at = Instant::now();
    let faults = every_call(&node).await;
    assert!(faults.iter().all(|fault| fault.kind() == FaultKind::Unavailable), "{faults:?}");
    assert!(!faults.is_empty());
    let told = asked_at.elapsed();
    let took = recovered(&node, Duration::from_secs(15)).await;

    eprintln!("a frozen master is told of within {told:?}, and replaced {took:?} later");
    assert!(!burn(&node, "j1").await.unwrap());
    stage.act(move |group| group.servers[frozen].thaw().unwrap()).await;
    // It believes to be the master until a sentinel says otherwise.
    for turn in 0..50 {
        assert!(!burn(&node, "j1").await.unwrap(), "{turn}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_works_needs_no_sentinels() {
    let (stage, _) = group().await;
    let hosts = stage.act(|group| group.hosts()).await;
    // Sentinels that are frozen themselves would not watch for half a minute afterwards.
    let start = |host| Forwarder::start(host, Mood::Open);
    let forwarders: Vec<_> = hosts.into_iter().map(start).collect();
    let hosts: Vec<_> = forwarders.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
    let options = RedisOptions { max_connections: 1, ..sentinel(&hosts) };
    let node = node(&options);
    // The forwarders take a moment until they listen.
    recovered(&node, Duration::from_secs(2)).await;
    assert!(burn(&node, "j1").await.unwrap());

    for mood in [Mood::Stalled, Mood::Out] {
        for forwarder in &forwarders {
            forwarder.set(mood.clone());
        }
        let asked_at = Instant::now();
        for turn in 0..30 {
            assert!(!burn(&node, "j1").await.unwrap(), "{turn}");
            sleep(Duration::from_millis(100)).await;
        }
        // A second look at the sentinels costs little, and not every time.
        assert!(asked_at.elapsed() < Duration::from_secs(6), "{:?}", asked_at.elapsed());
        every_call_is_unavailable(&self::node(&options)).await;
    }

    for forwarder in &forwarders {
        forwarder.set(Mood::Open);
    }
    recovered(&self::node(&options), Duration::from_secs(5)).await;
}

#[tokio::test]
async fn users_with_no_more_rights_than_are_documented_are_enough() {
    let (stage, mut options) = group().await;
    stage
        .act(|group| {
            let data = "+set +get +del +exists +eval +time +pttl +wait +hello +role +publish \
                        +subscribe";
            let watch = "+sentinel|get-master-addr-by-name +sentinel|master +sentinel|replicas";
            let prefix = ["~test:*", "&test:*"];
            for (servers, rights, where_to) in
                [(&group.servers, data, &prefix[..]), (&group.sentinels, watch, &[])]
            {
                for server in servers {
                    let user = ["acl", "setuser", "modest", "on", ">hunter2-modest", "-@all"];
                    let rights: Vec<_> = rights.split(' ').collect();
                    let words = [&user[..], &rights, where_to].concat();
                    assert_eq!(server.command(&words).unwrap(), "OK");
                }
            }
        })
        .await;
    let modest = || (Some("modest".to_owned()), Some("hunter2-modest".into()));
    (options.username, options.password) = modest();
    if let Topology::Sentinel { username, password, .. } = &mut options.topology {
        (*username, *password) = modest();
    }

    works(&options).await;
}

#[tokio::test]
async fn one_sentinel_of_those_named_is_enough() {
    let (stage, _) = group().await;
    let hosts = stage.act(|group| group.hosts()).await;
    let named = ["127.0.0.1:1".to_owned(), hosts[1].clone()];

    node(&sentinel(&named)).check().await.unwrap();
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told() {
    let (stage, mut options) = group().await;
    if let Topology::Sentinel { master_name, .. } = &mut options.topology {
        "another".clone_into(master_name);
    }

    let fault = timeout(BOUND, burn(&node(&options), "j1")).await.unwrap().unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(fault.explained().contains("no master of that name"), "{}", fault.explained());
    drop(stage);
}

#[tokio::test]
async fn the_passwords_of_sentinels_and_servers_are_apart() {
    let (_stage, right) = group().await;
    let mut wrong_watch = right.clone();
    if let Topology::Sentinel { password, .. } = &mut wrong_watch.topology {
        *password = Some("hunter2-wrong".into());
    }
    let mut no_watch = right.clone();
    if let Topology::Sentinel { username, password, .. } = &mut no_watch.topology {
        (*username, *password) = (None, None);
    }
    let wrong_data = RedisOptions { password: Some("hunter2-wrong".into()), ..right.clone() };
    let no_data = RedisOptions { username: None, password: None, ..right };

    for options in [wrong_watch, no_watch, wrong_data, no_data] {
        let fault = timeout(BOUND, burn(&node(&options), "j1")).await.unwrap().unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Unavailable);
        let said = format!("{} {fault:?}", fault.explained());
        assert!(said.contains("uthentic"), "{said}");
        for secret in ["hunter2-wrong", DATA.1, WATCH.1] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
