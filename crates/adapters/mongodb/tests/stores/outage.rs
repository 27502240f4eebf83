//! What happens while the server is out, and after.

use std::net::TcpListener;

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, later, token_id};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository as _, HealthProbe as _,
    KeyRepository as _, LoginLedger as _, ReplayGuard as _, TokenRepository as _,
};
use domain::{Fault, FaultKind, Login};
use futures_util::future::{BoxFuture, join_all};
use testbed::mongodb::MongoServer;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::both::write_one_of_each;
use crate::scratch::Scratch;
use crate::servers::Deployment;

/// More than a call takes: 5 seconds, and what a busy machine adds.
const BOUND: Duration = Duration::from_secs(7);

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_in_time() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    is_unavailable_in_time(&at(port).await).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_in_time() {
    // Connections are accepted by the kernel, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();

    is_unavailable_in_time(&at(silent.local_addr().unwrap().port()).await).await;
}

#[tokio::test]
async fn names_that_cannot_be_looked_up_are_unavailable_in_time() {
    let url = "mongodb+srv://u:hunter2@nowhere.invalid/";
    let node = timeout(BOUND, MongoStores::new(&MongoOptions::new(url.into()))).await.unwrap();

    let fault = timeout(BOUND, node.unwrap().check()).await.unwrap().unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(!fault.explained().contains("hunter2"));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut() {
    let mut server = MongoServer::start().unwrap();
    let node = MongoStores::new(&MongoOptions::new(server.url().into())).await.unwrap();
    node.prepare().await.unwrap();

    write_one_of_each(&node).await;
    server.kill();
    is_unavailable_in_time(&node).await;
    server.restart().unwrap();
    until_it_works(&node).await;

    let id = client_id("billing");
    assert_eq!(node.find(&id).await.unwrap(), Some(client("billing")));
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [credential("s1")]);
    assert!(node.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(node.client_revoked_until(&id).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    assert_eq!(node.load().await.unwrap().revision, 1);
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_in_time_and_comes_back() {
    let server = MongoServer::start().unwrap();
    let node = MongoStores::new(&MongoOptions::new(server.url().into())).await.unwrap();
    node.insert(&client("billing")).await.unwrap();
    // Some connections that are open and lie idle.
    join_all((0..8).map(|_| node.check())).await;

    server.freeze().unwrap();
    is_unavailable_in_time(&node).await;
    // What was given up does not use the pool up.
    is_unavailable_in_time(&node).await;
    server.thaw().unwrap();
    until_it_works(&node).await;

    assert!(node.find(&client_id("billing")).await.unwrap().is_some());
}

/// Nor does it stand in the way of what comes next, though both may be of one session.
#[tokio::test]
async fn what_was_given_up_does_not_use_the_pool_up() {
    for deployment in [Deployment::Standalone, Deployment::ReplicaSet] {
        let scratch = Scratch::on(deployment);
        let options = MongoOptions { max_connections: 2, ..scratch.options() };
        let node = MongoStores::new(&options).await.unwrap();

        for n in 0..50 {
            let id = format!("c{n}");
            let given_up = timeout(Duration::from_micros(n * 100), node.insert(&client(&id))).await;
            let found = node.find(&client_id(&id)).await.unwrap();
            assert!(given_up.is_err() || found.is_some());
            assert!(found.is_none_or(|found| found == client(&id)));
            assert!(node.burn(&client_id("a"), &token_id(&id), later(60), NOW).await.unwrap());
        }
    }
}

async fn until_it_works(node: &MongoStores) {
    let works = async {
        while node.check().await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(15), works).await.unwrap();
}

#[expect(clippy::print_stderr, reason = "how long it takes is worth knowing")]
async fn is_unavailable_in_time(node: &MongoStores) {
    let (id, token) = (client_id("billing"), token_id("t1"));
    let login = [Login { client: id.clone(), at: NOW }];
    let query = ClientQuery { after: None, limit: 1, search: None };
    let calls: Vec<BoxFuture<'_, Result<(), Fault>>> = vec![
        Box::pin(node.check()),
        Box::pin(node.prepare()),
        Box::pin(async { node.find(&id).await.map(drop) }),
        Box::pin(async { node.page(&query).await.map(drop) }),
        Box::pin(async { port::CredentialRepository::list(node, &id).await.map(drop) }),
        Box::pin(async { node.is_revoked(&token).await.map(drop) }),
        Box::pin(node.revoke(&token, later(60))),
        Box::pin(async { node.burn(&id, &token, later(60), NOW).await.map(drop) }),
        Box::pin(async { node.load().await.map(drop) }),
        Box::pin(node.record(&login)),
        Box::pin(async { port::BootstrapRepository::find(node).await.map(drop) }),
    ];
    let begun = Instant::now();
    for refused in timeout(BOUND, join_all(calls)).await.unwrap() {
        assert_eq!(refused.unwrap_err().kind(), FaultKind::Unavailable);
    }
    eprintln!("eleven calls failed after {:?}", begun.elapsed());
}

async fn at(port: u16) -> MongoStores {
    let url = format!("mongodb://tokenwright:hunter2@127.0.0.1:{port}/");
    MongoStores::new(&MongoOptions::new(url.into())).await.unwrap()
}
