//! How long Redis remembers.

use std::time::Duration;

use adapter_redis::RedisStores;
use contract::sample::{client_id, token_id};
use domain::port::{ReplayGuard as _, TokenRepository as _};
use domain::{FaultKind, Timestamp};
use redis::AsyncCommands as _;

use crate::servers::{self, STANDALONE, now, standalone};

const GRACE: Duration = Duration::from_mins(15);
const TEN_MINUTES: Duration = Duration::from_mins(10);

struct Rig {
    node: RedisStores,
    prefix: String,
    redis: redis::aio::MultiplexedConnection,
}

impl Rig {
    async fn new() -> Self {
        let options = standalone(&STANDALONE);
        let client = redis::Client::open(format!("redis://{}", *STANDALONE)).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        Self { node: servers::node(&options), prefix: options.key_prefix, redis }
    }

    /// When the only key of this test ends, in milliseconds since the epoch.
    async fn end(&mut self) -> u64 {
        let keys: Vec<String> = self.redis.keys(format!("{}*", self.prefix)).await.unwrap();
        assert_eq!(keys.len(), 1, "{keys:?}");
        self.redis.pexpire_time(&keys[0]).await.unwrap()
    }

    async fn ends_about(&mut self, expected: Timestamp) {
        let (end, expected) = (self.end().await, expected.as_unix_millis());
        assert!(end.abs_diff(expected) < 2_000, "{end} is not about {expected}");
    }

    async fn burn(&self, until: Timestamp, now: Timestamp) -> bool {
        self.node.burn(&client_id("billing"), &token_id("j1"), until, now).await.unwrap()
    }
}

#[tokio::test]
async fn a_used_assertion_is_kept_for_a_quarter_of_an_hour_beyond_its_end() {
    let mut rig = Rig::new().await;
    let until = now().after(TEN_MINUTES);

    assert!(rig.burn(until, now()).await);

    rig.ends_about(until.after(GRACE)).await;
}

#[tokio::test]
async fn t45_a_clock_of_redis_that_is_ahead_lets_no_replay_in() {
    let mut rig = Rig::new().await;
    // For a node in the year before, Redis is a year ahead.
    let then = now().before(Duration::from_hours(24 * 365));
    let until = then.after(TEN_MINUTES);

    assert!(rig.burn(until, then).await);

    assert!(!rig.burn(until, then).await);
    rig.ends_about(now().after(TEN_MINUTES).after(GRACE)).await;
}

#[tokio::test]
async fn an_assertion_that_ended_is_remembered_all_the_same() {
    let mut rig = Rig::new().await;
    let until = now().before(Duration::from_hours(1));

    assert!(rig.burn(until, now()).await);

    assert!(!rig.burn(until, now()).await);
    rig.ends_about(now().after(GRACE)).await;
}

#[tokio::test]
async fn an_end_that_never_comes_is_no_error() {
    let rig = Rig::new().await;
    let end_of_time = Timestamp::from_unix_millis(u64::MAX);

    assert!(rig.burn(end_of_time, now()).await);

    assert!(!rig.burn(end_of_time, now()).await);
    rig.node.revoke(&token_id("t1"), end_of_time).await.unwrap();
    assert!(rig.node.is_revoked(&token_id("t1")).await.unwrap());
    rig.node.revoke_client(&client_id("billing"), end_of_time, end_of_time).await.unwrap();
    assert!(rig.node.client_revoked_until(&client_id("billing")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_revocation_is_kept_until_the_later_of_its_ends() {
    let mut rig = Rig::new().await;
    let id = token_id("t1");
    let (soon, late) = (now().after(TEN_MINUTES), now().after(Duration::from_hours(1)));

    for (until, expected) in [(soon, soon), (late, late), (soon, late)] {
        rig.node.revoke(&id, until).await.unwrap();
        rig.ends_about(expected.after(GRACE)).await;
    }
}

#[tokio::test]
async fn a_revocation_of_a_client_is_kept_until_the_later_of_its_ends() {
    let mut rig = Rig::new().await;
    let id = client_id("billing");
    let (soon, late) = (now().after(TEN_MINUTES), now().after(Duration::from_hours(1)));

    // The later moment comes with the earlier end.
    for (moment, until) in [(now(), late), (now().after(Duration::from_secs(5)), soon)] {
        rig.node.revoke_client(&id, moment, until).await.unwrap();
        assert_eq!(rig.node.client_revoked_until(&id).await.unwrap(), Some(moment));
        rig.ends_about(late.after(GRACE)).await;
    }
}

#[tokio::test]
async fn a_revocation_that_ended_for_redis_is_kept_a_while_all_the_same() {
    let mut rig = Rig::new().await;
    let id = token_id("t1");

    rig.node.revoke(&id, now().before(Duration::from_hours(24))).await.unwrap();

    assert!(rig.node.is_revoked(&id).await.unwrap());
    rig.ends_about(now().after(GRACE)).await;
}

#[tokio::test]
async fn what_cannot_be_true_is_corrupt() {
    let mut rig = Rig::new().await;
    let id = client_id("billing");
    rig.node.revoke_client(&id, now(), now().after(TEN_MINUTES)).await.unwrap();
    let keys: Vec<String> = rig.redis.keys(format!("{}*", rig.prefix)).await.unwrap();

    let _: () = rig.redis.set(&keys[0], "yesterday").await.unwrap();
    let read = rig.node.client_revoked_until(&id).await.unwrap_err();
    assert_eq!(read.kind(), FaultKind::Corrupt);
    let written = rig.node.revoke_client(&id, now(), now().after(TEN_MINUTES)).await.unwrap_err();
    assert_eq!(written.kind(), FaultKind::Corrupt, "{}", written.explained());

    let _: () = rig.redis.del(&keys[0]).await.unwrap();
    let _: () = rig.redis.lpush(&keys[0], "1").await.unwrap();
    let read = rig.node.client_revoked_until(&id).await.unwrap_err();
    assert_eq!(read.kind(), FaultKind::Corrupt);
    let written = rig.node.revoke_client(&id, now(), now().after(TEN_MINUTES)).await.unwrap_err();
    assert_eq!(written.kind(), FaultKind::Corrupt, "{}", written.explained());
}
