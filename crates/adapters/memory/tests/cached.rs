//! What the caches do beyond the promises of the ports: spare the store work, outlive an outage,
//! and never put back what was changed.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Counting, Faulty, ManualClock};
use adapter_memory::{
    CacheOptions, CachedClients, CachedCredentials, MemoryClients, MemoryCredentials,
};
use contract::sample::{client, client_id, credential, parsed};
use domain::port::{ClientRepository, CredentialRepository};
use domain::{Client, Fault, FaultKind, Revision};
use futures_util::future::join_all;

/// A cache over a store that counts its reads over one that can go out.
struct House {
    cache: CachedClients,
    counter: Arc<Counting<Faulty<MemoryClients>>>,
    switch: Arc<Faulty<MemoryClients>>,
    store: Arc<MemoryClients>,
    clock: Arc<ManualClock>,
}

const FRESH: Duration = Duration::from_secs(5);
const STALE: Duration = Duration::from_mins(1);
const RETRY: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(1);

fn options() -> CacheOptions {
    CacheOptions { capacity: 100, fresh_for: FRESH, stale_for: STALE, retry_after: RETRY }
}

impl House {
    async fn with_client() -> Self {
        let store = Arc::new(MemoryClients::default());
        store.insert(&client("c")).await.unwrap();
        let switch = Arc::new(Faulty::new(Arc::clone(&store)));
        let counter = Arc::new(Counting::new(Arc::clone(&switch)));
        let clock = Arc::new(ManualClock::default());
        let cache =
            CachedClients::new(Arc::clone(&counter) as _, options(), Arc::clone(&clock) as _);
        Self { cache, counter, switch, store, clock }
    }

    async fn find(&self) -> Result<Option<Client>, Fault> {
        self.cache.find(&client_id("c")).await
    }

    async fn find_kind(&self) -> FaultKind {
        self.find().await.unwrap_err().kind()
    }
}

fn renamed(revision: u64) -> Client {
    let revision = Revision(revision);
    Client { name: parsed("renamed"), revision, ..client("c") }
}

#[tokio::test]
async fn a_thousand_who_come_first_read_once() {
    let house = House::with_client().await;

    let found = join_all((0..1_000).map(|_| house.find())).await;

    assert!(found.into_iter().all(|it| it.unwrap() == Some(client("c"))));
    assert_eq!(house.counter.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_on_several_threads_read_once() {
    let house = Arc::new(House::with_client().await);
    let mut tasks = tokio::task::JoinSet::new();

    for _ in 0..1_000 {
        let house = Arc::clone(&house);
        tasks.spawn(async move { house.find().await.unwrap() });
    }

    assert!(tasks.join_all().await.into_iter().all(|it| it.is_some()));
    assert_eq!(house.counter.reads(), 1);
}

#[tokio::test]
async fn a_thousand_who_ask_for_nobody_read_once_and_leave_nothing() {
    let house = House::with_client().await;
    let nobody = client_id("nobody");

    let found = join_all((0..1_000).map(|_| house.cache.find(&nobody))).await;

    assert!(found.into_iter().all(|it| it.unwrap().is_none()));
    assert_eq!(house.counter.reads(), 1);
    house.store.insert(&client("nobody")).await.unwrap();
    assert!(house.cache.find(&nobody).await.unwrap().is_some(), "absence is not remembered");
}

#[tokio::test]
async fn a_thousand_who_meet_a_fault_met_one() {
    let house = House::with_client().await;
    house.switch.go_out();

    let found = join_all((0..1_000).map(|_| house.find_kind())).await;

    assert!(found.into_iter().all(|it| it == FaultKind::Unavailable));
    assert_eq!(house.counter.reads(), 1);
}

#[tokio::test]
async fn a_fresh_client_costs_no_read_and_an_old_one_costs_one() {
    let house = House::with_client().await;
    house.find().await.unwrap();

    house.clock.advance(FRESH);
    house.clock.set_back(TICK);
    house.find().await.unwrap();
    assert_eq!(house.counter.reads(), 1);
    house.clock.advance(TICK);
    house.find().await.unwrap();
    assert_eq!(house.counter.reads(), 2);

    let statistics = house.cache.statistics();
    assert_eq!((statistics.hits(), statistics.misses(), statistics.stale()), (1, 2, 0));
}

#[tokio::test]
async fn a_change_made_elsewhere_shows_when_the_client_is_no_longer_fresh() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.store.update(&renamed(2), Revision::FIRST).await.unwrap();

    assert_eq!(house.find().await.unwrap(), Some(client("c")));
    house.clock.advance(FRESH);
    assert_eq!(house.find().await.unwrap(), Some(renamed(2)));

    house.store.remove(&client_id("c")).await.unwrap();
    house.cache.invalidate(&client_id("c"));
    assert_eq!(house.find().await.unwrap(), None);
}

#[tokio::test]
async fn an_old_client_serves_while_the_store_is_out_but_not_for_ever() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.switch.go_out();

    house.clock.advance(STALE);
    house.clock.set_back(TICK);
    assert_eq!(house.find().await.unwrap(), Some(client("c")));
    assert_eq!(house.cache.statistics().stale(), 1);
    house.clock.advance(RETRY);
    assert_eq!(house.find_kind().await, FaultKind::Unavailable);

    house.switch.come_back();
    assert_eq!(house.find().await.unwrap(), Some(client("c")));
}

#[tokio::test]
async fn a_store_that_is_out_is_asked_once_in_a_while() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.switch.go_out();
    house.clock.advance(FRESH);

    for _ in 0..10 {
        for found in join_all((0..100).map(|_| house.find())).await {
            assert_eq!(found.unwrap(), Some(client("c")));
        }
        house.clock.advance(RETRY / 5);
    }

    assert_eq!(house.switch.refusals(), 2);
    house.switch.come_back();
    house.store.update(&renamed(2), Revision::FIRST).await.unwrap();
    house.clock.advance(RETRY);
    assert_eq!(house.find().await.unwrap(), Some(renamed(2)));
}

#[tokio::test]
async fn what_cannot_be_true_is_never_hidden() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.switch.go_bad();

    house.clock.advance(FRESH);

    assert_eq!(house.find_kind().await, FaultKind::Corrupt);
}

#[tokio::test]
async fn a_load_that_began_before_a_write_does_not_put_the_old_client_back() {
    let house = House::with_client().await;
    let find = house.find();
    tokio::pin!(find);
    // The load has begun, and will read the new client only because the store is a map: what
    // counts is that nobody keeps what it brings.
    assert!(futures_util::poll!(find.as_mut()).is_pending());

    house.cache.update(&renamed(2), Revision::FIRST).await.unwrap();
    find.await.unwrap();
    let reads = house.counter.reads();

    assert_eq!(house.find().await.unwrap(), Some(renamed(2)));
    assert_eq!(house.counter.reads(), reads + 1, "the superseded load was kept");
}

#[tokio::test]
async fn a_write_that_failed_is_not_trusted_to_have_changed_nothing() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.switch.go_out();

    house.cache.remove(&client_id("c")).await.unwrap_err();

    assert_eq!(house.find_kind().await, FaultKind::Unavailable);
}

#[tokio::test]
async fn who_waits_takes_over_from_who_gives_up() {
    let house = House::with_client().await;
    let mut first = Box::pin(house.find());
    let second = house.find();
    tokio::pin!(second);
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());

    drop(first);

    assert_eq!(second.await.unwrap(), Some(client("c")));
}

#[tokio::test]
async fn t45_a_clock_that_jumps_back_makes_nothing_fresh_for_longer() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.store.update(&renamed(2), Revision::FIRST).await.unwrap();

    house.clock.set_back(Duration::from_hours(1));

    assert_eq!(house.find().await.unwrap(), Some(renamed(2)));
}

#[tokio::test]
async fn secrets_are_read_once_served_while_the_store_is_out_and_changed_at_once() {
    let switch = Arc::new(Faulty::new(Arc::new(MemoryCredentials::default())));
    let counter = Arc::new(Counting::new(Arc::clone(&switch)));
    let clock = Arc::new(ManualClock::default());
    let cache =
        CachedCredentials::new(Arc::clone(&counter) as _, options(), Arc::clone(&clock) as _);
    let c = client_id("c");
    cache.insert(&c, &credential("s1")).await.unwrap();

    let listed = join_all((0..1_000).map(|_| cache.list(&c))).await;
    assert!(listed.into_iter().all(|it| it.unwrap().len() == 1));
    assert_eq!(counter.reads(), 1);

    cache.insert(&c, &credential("s2")).await.unwrap();
    assert_eq!(cache.list(&c).await.unwrap().len(), 2);
    switch.go_out();
    clock.advance(FRESH);
    assert_eq!(cache.list(&c).await.unwrap().len(), 2);
    clock.advance(STALE);
    assert_eq!(cache.list(&c).await.unwrap_err().kind(), FaultKind::Unavailable);

    switch.come_back();
    cache.remove_all(&c).await.unwrap();
    assert_eq!(cache.list(&c).await.unwrap(), []);
}

#[tokio::test]
async fn says_what_is_remembered_and_what_the_store_said() {
    let house = House::with_client().await;

    assert!(!house.cache.look_up(&client_id("c")).await.unwrap().is_remembered);
    assert!(house.cache.look_up(&client_id("c")).await.unwrap().is_remembered);
    let nobody = client_id("nobody");
    for _ in 0..2 {
        assert!(!house.cache.look_up(&nobody).await.unwrap().is_remembered);
    }
    house.switch.go_out();
    house.clock.advance(FRESH);
    let old = house.cache.look_up(&client_id("c")).await.unwrap();
    assert_eq!((old.value, old.is_remembered), (Some(client("c")), true));
}

#[tokio::test]
async fn looks_again_past_what_is_remembered_and_shares_the_look() {
    let house = House::with_client().await;
    house.find().await.unwrap();
    house.store.update(&renamed(2), client("c").revision).await.unwrap();
    let before = house.counter.reads();
    let id = client_id("c");

    let looks = join_all((0..100).map(|_| house.cache.look_again(&id))).await;

    assert!(looks.into_iter().all(|it| it.unwrap() == Some(renamed(2))));
    assert_eq!(house.counter.reads() - before, 1);
    assert_eq!(house.find().await.unwrap(), Some(client("c")), "what is kept is kept");
    house.switch.go_out();
    assert_eq!(house.cache.look_again(&id).await.unwrap_err().kind(), FaultKind::Unavailable);
}
