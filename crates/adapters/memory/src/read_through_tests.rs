//! What a cache does when stores and callers misbehave.

use futures_util::FutureExt as _;

use super::*;
use crate::SystemClock;

fn cache(capacity: u64) -> ReadThrough<u64, u64> {
    let hour = Duration::from_hours(1);
    let options = CacheOptions { capacity, fresh_for: hour, stale_for: hour, retry_after: hour };
    ReadThrough::new(options, Arc::new(SystemClock), |_| Keep::Fresh)
}

#[tokio::test]
async fn holds_no_more_than_it_may() {
    let cache = cache(10);

    for key in 0..1_000 {
        assert_eq!(cache.get(&key, async { Ok(key) }).await.unwrap(), key);
    }

    assert!(cache.len() <= 10);
    assert!(cache.loads.is_idle());
}

#[tokio::test]
async fn callers_who_give_up_leave_nothing_behind() {
    let cache = cache(10);
    {
        let (one, other) = (cache.get(&1, pending()), cache.get(&1, pending()));
        tokio::pin!(one, other);
        assert!(futures_util::poll!(one.as_mut()).is_pending());
        assert!(futures_util::poll!(other.as_mut()).is_pending());
        assert!(!cache.loads.is_idle());
    }

    assert!(cache.loads.is_idle());
}

#[tokio::test]
async fn a_superseded_load_is_not_kept() {
    let cache = cache(10);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let slow = cache.get(&1, async { Ok(receiver.await.unwrap()) });
    tokio::pin!(slow);
    assert!(futures_util::poll!(slow.as_mut()).is_pending());

    cache.forget(&1);
    let second = cache.get(&1, async { Ok(2) }).now_or_never();
    sender.send(1).unwrap();

    assert_eq!(second.unwrap().unwrap(), 2, "it did not wait for the first load");
    assert_eq!(slow.await.unwrap(), 1);
    assert_eq!(cache.get(&1, pending()).now_or_never().unwrap().unwrap(), 2);
}

#[tokio::test]
async fn what_is_doubted_is_asked_for_again_and_serves_while_the_store_is_out() {
    let cache = cache(10);
    let out = || async { Err(Fault::unavailable("out")) };
    for key in [1, 2] {
        cache.get(&key, async { Ok(10) }).await.unwrap();
    }

    cache.doubt_all();

    assert_eq!(cache.get(&1, async { Ok(11) }).await.unwrap(), 11);
    assert_eq!(cache.get(&1, pending()).now_or_never().unwrap().unwrap(), 11);
    assert_eq!(cache.get(&2, out()).await.unwrap(), 10);
}

/// Whoever floods the store with questions of its own must not keep old answers alive.
#[tokio::test]
async fn t34_a_crowded_store_is_not_out() {
    use crate::testing::ManualClock;
    let clock: Arc<ManualClock> = Arc::default();
    let hour = Duration::from_hours(1);
    let options = CacheOptions {
        capacity: 10,
        fresh_for: Duration::from_secs(10),
        stale_for: hour,
        retry_after: hour,
    };
    let cache = ReadThrough::<u64, u64>::new(options, clock.clone(), |_| Keep::Fresh);
    let crowded = || async { Err(Fault::overloaded("too many questions")) };
    cache.get(&1, async { Ok(10) }).await.unwrap();
    clock.advance(Duration::from_secs(11));

    cache.get(&2, crowded()).await.unwrap_err();
    // Somebody else's bad luck says nothing of this one.
    assert_eq!(cache.get(&1, async { Ok(11) }).await.unwrap(), 11);

    clock.advance(Duration::from_secs(11));
    assert_eq!(cache.get(&1, crowded()).await.unwrap(), 11, "young enough");
    clock.advance(hour);
    cache.get(&1, crowded()).await.unwrap_err();
}

/// One answer says that the store is back.
#[tokio::test]
async fn a_store_that_answers_anybody_is_not_out() {
    use crate::testing::ManualClock;
    let clock: Arc<ManualClock> = Arc::default();
    let hour = Duration::from_hours(1);
    let options = CacheOptions {
        capacity: 10,
        fresh_for: Duration::from_secs(10),
        stale_for: hour,
        retry_after: hour,
    };
    let cache = ReadThrough::<u64, u64>::new(options, clock.clone(), |_| Keep::Fresh);
    cache.get(&1, async { Ok(10) }).await.unwrap();
    clock.advance(Duration::from_secs(11));
    cache.get(&2, async { Err(Fault::unavailable("out")) }).await.unwrap_err();
    assert_eq!(cache.get(&1, async { Ok(11) }).await.unwrap(), 10, "it is held for out");

    cache.get(&3, async { Ok(30) }).await.unwrap();

    assert_eq!(cache.get(&1, async { Ok(11) }).await.unwrap(), 11);
}

/// Who comes after a change does not join a question that was asked before it.
#[tokio::test]
async fn a_second_look_that_began_before_a_change_is_not_shared() {
    let cache = cache(10);
    for change in [false, true] {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let slow = cache.look_again(&1, async { Ok(receiver.await.unwrap()) });
        tokio::pin!(slow);
        assert!(futures_util::poll!(slow.as_mut()).is_pending());

        if change {
            cache.doubt_all();
        } else {
            cache.forget(&1);
        }

        let second = cache.look_again(&1, async { Ok(2) }).now_or_never();
        assert_eq!(second.unwrap().unwrap(), 2);
        sender.send(1).unwrap();
        assert_eq!(slow.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_load_that_began_before_a_doubt_is_not_kept() {
    let cache = cache(10);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let slow = cache.get(&1, async { Ok(receiver.await.unwrap()) });
    tokio::pin!(slow);
    assert!(futures_util::poll!(slow.as_mut()).is_pending());

    cache.doubt_all();
    sender.send(1).unwrap();

    assert_eq!(slow.await.unwrap(), 1);
    assert_eq!(cache.get(&1, async { Ok(2) }).await.unwrap(), 2);
}

async fn pending() -> Result<u64, Fault> {
    std::future::pending().await
}
