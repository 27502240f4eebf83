//! Published keys, remembered: how often an address is asked, and what is given when it is out.

#![expect(clippy::unwrap_used, reason = "test helpers speak by panicking")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{ManualClock, PublishedKeys};
use adapter_memory::{CachedRemoteKeys, RemoteKeysOptions};
use domain::port::{RemoteKeySet, RemoteKeys as _};
use domain::{FaultKind, JwksUri, PublicJwk};
use futures_util::future::join_all;

const EVERY: Duration = Duration::from_secs(10);
const STALE: Duration = Duration::from_mins(10);

struct World {
    published: Arc<PublishedKeys>,
    clock: Arc<ManualClock>,
    cached: CachedRemoteKeys,
    uri: JwksUri,
}

impl World {
    fn with_capacity(capacity: u64) -> Self {
        let (published, clock) =
            (Arc::new(PublishedKeys::default()), Arc::new(ManualClock::default()));
        let options = RemoteKeysOptions { capacity, ask_at_most_every: EVERY, stale_for: STALE };
        let cached = CachedRemoteKeys::new(published.clone(), options, clock.clone());
        Self { published, clock, cached, uri: uri("a") }
    }

    fn new() -> Self {
        let world = Self::with_capacity(100);
        world.published.publish(&world.uri, contract::sample::public_keys());
        world
    }

    fn publish_for(&self, max_age: Option<Duration>) {
        let set = RemoteKeySet { keys: one_key(), max_age };
        self.published.publish_set(&self.uri, set);
    }

    async fn keys(&self) -> Result<usize, FaultKind> {
        self.cached.look_up(&self.uri).await.map(|it| it.value.keys.len()).map_err(|it| it.kind())
    }

    async fn again(&self) -> Result<usize, FaultKind> {
        self.cached.look_again(&self.uri).await.map(|it| it.keys.len()).map_err(|it| it.kind())
    }
}

fn uri(name: &str) -> JwksUri {
    format!("https://{name}.example/jwks").parse().unwrap()
}

fn one_key() -> Vec<PublicJwk> {
    contract::sample::public_keys().into_iter().take(1).collect()
}

#[tokio::test]
async fn fresh_keys_are_fetched_once_by_however_many_want_them() {
    let world = World::new();

    let all = join_all((0..50).map(|_| world.keys())).await;

    assert!(all.iter().all(|it| *it == Ok(4)));
    assert_eq!(world.published.fetches(), 1);
    assert!(world.cached.look_up(&world.uri).await.unwrap().is_remembered);
}

#[tokio::test]
async fn keys_are_fresh_for_as_long_as_their_publisher_says_within_bounds() {
    for (said, fresh) in [
        (None, 300),
        (Some(0), 10),
        (Some(3), 10),
        (Some(60), 60),
        (Some(3_600), 3_600),
        (Some(31_536_000), 3_600),
        (Some(u64::MAX), 3_600),
    ] {
        let world = World::new();
        world.publish_for(said.map(Duration::from_secs));
        world.keys().await.unwrap();

        world.clock.advance(Duration::from_secs(fresh - 1));
        world.keys().await.unwrap();
        assert_eq!(world.published.fetches(), 1, "{said:?}");
        world.clock.advance(Duration::from_secs(1));
        world.keys().await.unwrap();

        assert_eq!(world.published.fetches(), 2, "{said:?}");
    }
}

#[tokio::test]
async fn t06_a_flood_of_unknown_keys_is_one_fetch_an_interval() {
    let world = World::new();
    world.keys().await.unwrap();
    world.clock.advance(EVERY);

    for _ in 0..3 {
        let before = world.published.fetches();
        let all = join_all((0..200).map(|_| world.again())).await;
        assert!(all.iter().all(|it| *it == Ok(4)));
        for _ in 0..200 {
            world.again().await.unwrap();
        }
        assert_eq!(world.published.fetches() - before, 1);
        world.clock.advance(EVERY);
    }
}

#[tokio::test]
async fn a_key_that_was_published_a_moment_ago_is_found() {
    let world = World::new();
    world.publish_for(None);
    assert_eq!(world.keys().await, Ok(1));
    world.published.publish(&world.uri, contract::sample::public_keys());

    assert_eq!(world.again().await, Ok(1), "asked a moment ago");
    world.clock.advance(EVERY);

    assert_eq!(world.again().await, Ok(4));
    assert_eq!(world.keys().await, Ok(4));
}

#[tokio::test]
async fn an_address_that_is_out_is_served_from_memory_for_a_stated_time() {
    let world = World::new();
    world.keys().await.unwrap();
    world.published.go_out(&world.uri);
    world.clock.advance(Duration::from_mins(5));

    assert_eq!(world.keys().await, Ok(4));
    for _ in 0..50 {
        assert_eq!(world.keys().await, Ok(4));
        assert_eq!(world.again().await, Ok(4));
    }
    assert_eq!(world.published.fetches(), 2, "one that is out is not asked again at once");
    world.clock.advance(STALE.saturating_sub(Duration::from_secs(1)));
    assert_eq!(world.keys().await, Ok(4));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.keys().await, Err(FaultKind::Unavailable));

    world.publish_for(None);
    world.clock.advance(EVERY);
    assert_eq!(world.keys().await, Ok(1));
}

#[tokio::test]
async fn an_address_that_never_answered_is_asked_once_an_interval() {
    let world = World::with_capacity(100);

    for _ in 0..3 {
        let before = world.published.fetches();
        let all = join_all((0..100).map(|_| world.keys())).await;
        assert!(all.iter().all(|it| *it == Err(FaultKind::Unavailable)));
        assert_eq!(world.again().await, Err(FaultKind::Unavailable));
        assert_eq!(world.published.fetches() - before, 1);
        world.clock.advance(EVERY);
    }
}

#[tokio::test]
async fn t45_a_clock_that_jumps_back_keeps_nothing_fresh() {
    let world = World::new();
    world.keys().await.unwrap();
    world.publish_for(None);

    world.clock.set_back(Duration::from_hours(1));

    assert_eq!(world.keys().await, Ok(1));
}

#[tokio::test]
async fn only_so_many_addresses_are_remembered() {
    let world = World::with_capacity(16);
    let uris: Vec<_> = (0..200).map(|it| uri(&format!("host-{it}"))).collect();
    for it in &uris {
        world.published.publish(it, one_key());
        world.cached.look_up(it).await.unwrap();
    }

    let mut remembered = 0;
    for it in uris.iter().rev() {
        remembered += usize::from(world.cached.look_up(it).await.unwrap().is_remembered);
    }

    assert!(remembered <= 16, "{remembered}");
}
