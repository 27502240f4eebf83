//! When a cache believes that a token was, or was not, taken back.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Counting, Faulty, ManualClock};
use adapter_memory::{CachedTokens, MemoryTokens};
use contract::sample::{client_id, later, token_id};
use domain::FaultKind;
use domain::port::TokenRepository;

struct House {
    cache: CachedTokens,
    counter: Arc<Counting<Faulty<MemoryTokens>>>,
    switch: Arc<Faulty<MemoryTokens>>,
    store: Arc<MemoryTokens>,
    clock: Arc<ManualClock>,
}

const FRESH: Duration = Duration::from_secs(5);

fn house() -> House {
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(MemoryTokens::new(Arc::clone(&clock) as _));
    let switch = Arc::new(Faulty::new(Arc::clone(&store)));
    let counter = Arc::new(Counting::new(Arc::clone(&switch)));
    let cache = CachedTokens::new(Arc::clone(&counter) as _, 100, FRESH, Arc::clone(&clock) as _);
    House { cache, counter, switch, store, clock }
}

#[tokio::test]
async fn t34_a_revocation_made_elsewhere_bites_within_the_stated_bound() {
    let house = house();
    assert!(!house.cache.is_revoked(&token_id("t")).await.unwrap());
    assert_eq!(house.cache.client_revoked_until(&client_id("c")).await.unwrap(), None);

    house.store.revoke(&token_id("t"), later(60)).await.unwrap();
    house.store.revoke_client(&client_id("c"), later(1), later(60)).await.unwrap();
    assert!(!house.cache.is_revoked(&token_id("t")).await.unwrap());
    assert_eq!(house.counter.reads(), 2);
    house.clock.advance(FRESH);

    assert!(house.cache.is_revoked(&token_id("t")).await.unwrap());
    let moment = house.cache.client_revoked_until(&client_id("c")).await.unwrap();
    assert_eq!(moment, Some(later(1)));
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_though_the_store_is_out() {
    let house = house();
    house.store.revoke(&token_id("elsewhere"), later(60)).await.unwrap();
    assert!(house.cache.is_revoked(&token_id("elsewhere")).await.unwrap());
    house.cache.revoke(&token_id("here"), later(60)).await.unwrap();
    house.switch.go_out();

    for span in [Duration::ZERO, FRESH, Duration::from_hours(24)] {
        house.clock.advance(span);
        assert!(house.cache.is_revoked(&token_id("here")).await.unwrap());
        assert!(house.cache.is_revoked(&token_id("elsewhere")).await.unwrap());
    }
    assert_eq!(house.counter.reads(), 1);
}

#[tokio::test]
async fn an_old_no_is_no_answer_while_the_store_is_out() {
    let house = house();
    house.cache.is_revoked(&token_id("t")).await.unwrap();
    house.cache.client_revoked_until(&client_id("c")).await.unwrap();
    house.switch.go_out();

    assert!(!house.cache.is_revoked(&token_id("t")).await.unwrap());
    house.clock.advance(FRESH);

    let fault = house.cache.is_revoked(&token_id("t")).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    house.cache.client_revoked_until(&client_id("c")).await.unwrap_err();
}

#[tokio::test]
async fn a_revocation_that_failed_is_not_believed() {
    let house = house();
    house.switch.go_out();
    house.cache.revoke(&token_id("t"), later(60)).await.unwrap_err();
    house.switch.come_back();

    assert!(!house.cache.is_revoked(&token_id("t")).await.unwrap());
}

#[tokio::test]
async fn a_load_that_began_before_a_revocation_does_not_undo_it() {
    let house = house();
    let t = token_id("t");
    let asked = house.cache.is_revoked(&t);
    tokio::pin!(asked);
    assert!(futures_util::poll!(asked.as_mut()).is_pending());

    house.cache.revoke(&t, later(60)).await.unwrap();
    asked.await.unwrap();

    assert!(house.cache.is_revoked(&t).await.unwrap());
    assert_eq!(house.counter.reads(), 1);
}
