//! Transactions: where there are none, and connections that are lost in the middle of one.

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{change_set, client, client_id, full_client, parsed};
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, ChangeSetRepository, ClientRepository, ClientTransaction as _, ClientWrite,
};
use domain::{Client, Revision};
use testbed::forwarder::{Forwarder, Mood, When};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

/// A text that is sent with one of the writes.
const MARK: &str = "cut-here";

fn writes() -> [ClientWrite; 3] {
    let changed = Client { revision: Revision(2), last_login: None, ..full_client("changed") };
    [
        ClientWrite::Update { client: changed, expected: Revision::FIRST },
        ClientWrite::Remove { id: client_id("removed"), expected: Revision::FIRST },
        ClientWrite::Insert(client(MARK)),
    ]
}

fn done() -> ChangeSet {
    ChangeSet { revision: Revision(2), ..change_set("set") }
}

async fn prepare(node: &MongoStores) {
    for id in ["changed", "removed"] {
        ClientRepository::insert(node, &client(id)).await.unwrap();
    }
    assert!(ChangeSetRepository::insert(node, &change_set("set")).await.unwrap());
}

async fn stored(node: &MongoStores, id: &str) -> Option<Client> {
    ClientRepository::find(node, &client_id(id)).await.unwrap()
}

/// It says so before anything is tried, and what to do about it.
#[tokio::test]
async fn a_server_that_stands_alone_says_that_it_cannot() {
    let (node, _scratch) = stores(Deployment::Standalone).await;
    prepare(&node).await;

    let obstacle = node.obstacle().await.unwrap().unwrap();
    let refused = node.apply(&writes(), &done(), Revision::FIRST).await.unwrap_err();

    assert!(obstacle.contains("replica set"), "{obstacle}");
    assert!(matches!(refused, ApplyError::Impossible(it) if it == obstacle));
    assert!(stored(&node, MARK).await.is_none() && stored(&node, "removed").await.is_some());
}

/// The servers know a transaction again, and a commit: it is asked again, and done once.
#[tokio::test]
async fn a_transaction_that_is_cut_is_done_all_the_same() {
    for (text, when) in [
        (MARK, When::Before),
        (MARK, When::After),
        ("commitTransaction", When::Before),
        ("commitTransaction", When::After),
    ] {
        let scratch = Scratch::on(Deployment::ReplicaSet);
        let upstream = Deployment::ReplicaSet.url().split(['/', '?']).nth(2).unwrap().to_owned();
        let forwarder = Forwarder::start(upstream, Mood::Open);
        let url = format!("mongodb://127.0.0.1:{}/?directConnection=true", forwarder.port);
        let options = MongoOptions { url: url.into(), ..scratch.options() };
        let node = MongoStores::new(&options).await.unwrap();
        prepare(&node).await;
        forwarder.set(Mood::CutAt(text, when));

        let outcome = node.apply(&writes(), &done(), Revision::FIRST).await;

        outcome.unwrap_or_else(|error| panic!("{text} {when:?}: {error:?}"));
        assert_eq!(stored(&node, "changed").await.unwrap().revision, Revision(2));
        assert_eq!(stored(&node, "removed").await, None);
        assert_eq!(stored(&node, MARK).await, Some(client(MARK)));
        let set = ChangeSetRepository::find(&node, &parsed("set")).await.unwrap();
        assert_eq!(set, Some(done()));
    }
}
