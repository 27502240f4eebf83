//! A connection that is lost in the middle of a transaction, and a body that cannot be true.

use std::time::Duration;

use adapter_sql::{PgOptions, PgStores};
use contract::sample::{change_set, client, client_id, full_client, parsed};
use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, ChangeSetQuery, ChangeSetRepository, ClientRepository, ClientTransaction as _,
    ClientWrite,
};
use domain::{Client, FaultKind, Revision};
use testbed::forwarder::{Forwarder, Mood, When};
use tokio::time::{Instant, sleep};

use crate::scratch::{PgDatabase, Scratch, on_both, stores};

on_both! {
    a_change_set_that_cannot_be_true_is_corrupt,
}

fn sets(node: &impl ChangeSetRepository) -> &dyn ChangeSetRepository {
    node
}

/// A node that reaches its server through a forwarder, and one that has a way of its own.
struct Rig {
    node: PgStores,
    direct: PgStores,
    forwarder: Forwarder,
    _database: PgDatabase,
}

impl Rig {
    async fn new(statement_timeout: Duration) -> Self {
        let (direct, database) = stores::<PgDatabase>().await;
        let url = database.url();
        let (start, rest) = url.split_once('@').unwrap();
        let (upstream, name) = rest.split_once('/').unwrap();
        let forwarder = Forwarder::start(upstream.to_owned(), Mood::Open);
        let url = format!("{start}@127.0.0.1:{}/{name}", forwarder.port);
        let options = PgOptions { url: url.into(), statement_timeout, ..database.options() };
        let node = PgStores::new(&options).unwrap();
        for id in ["changed", "removed"] {
            ClientRepository::insert(&direct, &client(id)).await.unwrap();
        }
        assert!(sets(&direct).insert(&change_set("set")).await.unwrap());
        Self { node, direct, forwarder, _database: database }
    }

    async fn apply(&self) -> Result<(), ApplyError> {
        let changed = Client { revision: Revision(2), last_login: None, ..full_client("changed") };
        let writes = [
            ClientWrite::Update { client: changed, expected: Revision::FIRST },
            ClientWrite::Remove { id: client_id("removed"), expected: Revision::FIRST },
            ClientWrite::Insert(client("made")),
        ];
        let done = ChangeSet { revision: Revision(2), ..change_set("set") };
        self.node.apply(&writes, &done, Revision::FIRST).await
    }

    /// Whether everything was done; fails if a part of it was. What is done between two looks is no
    /// part: then it looks again.
    async fn is_done(&self) -> bool {
        let stored =
            async |id: &str| ClientRepository::find(&self.direct, &client_id(id)).await.unwrap();
        loop {
            let is_done = self.is_marked().await;
            let parts = [
                stored("changed").await.unwrap().revision == Revision(2),
                stored("removed").await.is_none(),
                stored("made").await.is_some(),
            ];
            if self.is_marked().await == is_done {
                assert_eq!(parts, [is_done; 3]);
                return is_done;
            }
        }
    }

    async fn is_marked(&self) -> bool {
        let set = sets(&self.direct).find(&parsed("set")).await.unwrap().unwrap();
        set.revision == Revision(2)
    }
}

/// Wherever it is cut, everything is done or nothing; whoever is told that it is, is told the truth.
#[tokio::test]
async fn a_transaction_that_is_cut_is_whole_or_nothing() {
    for (text, when, is_done) in [
        ("begin isolation", When::Before, false),
        ("begin isolation", When::After, false),
        ("update change_sets", When::After, false),
        ("insert into clients", When::Before, false),
        ("delete from clients", When::After, false),
        ("commit\0", When::Before, false),
        ("commit\0", When::After, true),
    ] {
        let rig = Rig::new(Duration::from_secs(30)).await;
        rig.forwarder.set(Mood::CutAt(text, when));

        let refused = rig.apply().await.unwrap_err();

        assert!(matches!(&refused, ApplyError::Fault(it) if it.is_passing()), "{refused:?}");
        // The server may read what was sent after the connection is gone.
        let patience = Instant::now() + Duration::from_secs(20);
        while rig.is_done().await != is_done {
            assert!(Instant::now() < patience, "{text} {when:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Nobody hears from the network any more: the server ends what the node began, so that others can
/// go on, and then it will never be done.
#[tokio::test]
async fn a_transaction_that_nobody_ends_is_ended_by_the_server() {
    let rig = Rig::new(Duration::from_millis(300)).await;
    rig.forwarder.set(Mood::StallAt("commit\0"));

    let refused = rig.apply().await.unwrap_err();
    let fenced = ChangeSet { revision: Revision(3), ..change_set("set") };
    let is_fenced = sets(&rig.direct).update(&fenced, Revision::FIRST).await.unwrap();

    assert!(matches!(refused, ApplyError::Fault(_)), "{refused:?}");
    assert!(is_fenced, "nothing of it was done");
    rig.forwarder.set(Mood::Open);
    sleep(Duration::from_millis(500)).await;
    assert!(!rig.is_done().await);
}

async fn a_change_set_that_cannot_be_true_is_corrupt<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    sets(&node).insert(&change_set("set")).await.unwrap();
    let first = ChangeSetQuery { before: None, limit: 1 };
    for (damage, is_found, is_listed) in [
        ("body = '{}'", false, true),
        ("body = '{\"id\":'", false, true),
        ("body = replace(body, '\"draft\"', '\"drift\"')", false, true),
        ("summary = '{\"id\":\"a b\"}'", true, false),
    ] {
        scratch.execute(&format!("update change_sets set {damage}")).await;

        let (found, listed) =
            (sets(&node).find(&parsed("set")).await, sets(&node).page(&first).await);

        assert_eq!(found.is_ok(), is_found, "{damage}");
        assert_eq!(listed.is_ok(), is_listed, "{damage}");
        for fault in [found.err(), listed.err()].into_iter().flatten() {
            assert_eq!(fault.kind(), FaultKind::Corrupt, "{damage}");
        }
        scratch.execute("delete from change_sets").await;
        sets(&node).insert(&change_set("set")).await.unwrap();
    }
}
