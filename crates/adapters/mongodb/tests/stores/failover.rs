//! What a replica set of three members may do to its callers, and what it may not.

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, later, token_id};
use domain::port::{
    ChangeFeed as _, ClientRepository as _, InsertClientError, ReplayGuard as _,
    TokenRepository as _,
};
use domain::{Change, Client, FaultKind};
use futures_util::future::{Either, select};
use mongodb::Client as Driver;
use mongodb::bson::doc;
use testbed::replica_set::ReplicaSet;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Duration, Instant, sleep};

use crate::feed::Heard;
use crate::load::under_load;

/// Two replica sets at a time: more of them would only measure each other.
async fn one_of_few() -> SemaphorePermit<'static> {
    static FEW: Semaphore = Semaphore::const_new(2);
    FEW.acquire().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_steps_down_loses_nothing() {
    let _permit = one_of_few().await;
    let set = ReplicaSet::start().await.unwrap();
    let before = set.primary().await;

    under_load(&set.url(), "stepped down", async || set.step_down().await).await;

    assert_ne!(set.primary().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_loses_nothing() {
    let _permit = one_of_few().await;
    let mut set = ReplicaSet::start().await.unwrap();
    let primary = set.primary().await.unwrap();

    under_load(&set.url(), "was killed", async || {
        set.members.get_mut(primary).unwrap().kill();
        Ok(())
    })
    .await;
}

/// It holds its connections, and when it wakes up it still believes that it is the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_freezes_and_wakes_up_loses_nothing() {
    let _permit = one_of_few().await;
    let set = ReplicaSet::start().await.unwrap();
    let primary = set.primary().await.unwrap();

    under_load(&set.url(), "froze", async || {
        let frozen = set.members.get(primary).unwrap();
        frozen.freeze()?;
        // Longer than anybody waits for it.
        sleep(Duration::from_secs(8)).await;
        frozen.thaw()
    })
    .await;
}

/// The primary writes, and no other member does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_majority_has_is_neither_acknowledged_nor_read() {
    let _permit = one_of_few().await;
    let set = ReplicaSet::start_with(&["--setParameter", "enableTestCommands=1"]).await.unwrap();
    let options = |timeout| MongoOptions { timeout, ..MongoOptions::new(set.url().into()) };
    let node = MongoStores::new(&options(Duration::from_secs(2))).await.unwrap();
    let patient = MongoStores::new(&options(Duration::from_secs(30))).await.unwrap();
    node.prepare().await.unwrap();
    let id = client_id("billing");
    node.insert(&client("billing")).await.unwrap();

    replicate(&set, false).await;
    // A fetch that was under way still brings something.
    let mut turn = 0;
    while node.revoke(&token_id(&format!("fetched {turn}")), later(60)).await.is_ok() {
        turn += 1;
    }
    let renewed = Client { revision: client("billing").revision.next(), ..client("billing") };
    let began = Instant::now();
    let (inserted, burned, revoked, updated) = tokio::join!(
        async { node.insert(&client("shipping")).await },
        async { node.burn(&id, &token_id("j1"), later(60), NOW).await },
        async { node.revoke(&token_id("t1"), later(60)).await },
        node.update(&renewed, client("billing").revision),
    );
    assert!(began.elapsed() < Duration::from_secs(3));
    let InsertClientError::Fault(fault) = inserted.unwrap_err() else { panic!("it is free") };
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(fault.explained().contains("may not last"), "{}", fault.explained());
    burned.unwrap_err();
    revoked.unwrap_err();
    updated.unwrap_err();

    // All of that is on the primary, and a failover could undo it.
    assert_eq!(node.find(&client_id("shipping")).await.unwrap(), None);
    assert!(!node.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(node.find(&id).await.unwrap(), Some(client("billing")));

    // Nor does a feed begin before what it does not tell can be read.
    let heard = Heard::default();
    let work = std::pin::pin!(async {
        sleep(Duration::from_secs(2)).await;
        assert_eq!(heard.all(), []);
        replicate(&set, true).await;
        heard.until(&Change::Unknown).await;
        assert!(patient.is_revoked(&token_id("t1")).await.unwrap());
        assert_eq!(patient.find(&id).await.unwrap(), Some(renewed));
    });
    if let Either::Left((fault, _)) = select(patient.follow(&heard), work).await {
        panic!("{}", fault.explained());
    }
    // It was burned, though nobody was let in.
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
}

/// Stops the members that follow from fetching what the primary writes, or lets them go on.
async fn replicate(set: &ReplicaSet, is_on: bool) {
    let primary = set.primary().await.unwrap();
    for (index, member) in set.members.iter().enumerate() {
        if index != primary {
            let admin = Driver::with_uri_str(member.url()).await.unwrap().database("admin");
            let mode = if is_on { "off" } else { "alwaysOn" };
            let command = doc! { "configureFailPoint": "stopReplProducer", "mode": mode };
            admin.run_command(command).await.unwrap();
        }
    }
}
