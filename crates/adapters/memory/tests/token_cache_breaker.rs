//! When a store of tokens is left alone, and for how long.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Faulty, ManualClock};
use adapter_memory::{MemoryTokenCache, TokenCacheBreaker};
use domain::port::TokenCache as _;
use domain::{CacheKey, FaultKind};

const KEY: CacheKey = CacheKey([1; 32]);
const PAUSE: Duration = Duration::from_secs(5);

struct House {
    breaker: TokenCacheBreaker,
    switch: Arc<Faulty<MemoryTokenCache>>,
    clock: Arc<ManualClock>,
}

fn house() -> House {
    let clock = Arc::new(ManualClock::default());
    let switch = Arc::new(Faulty::new(Arc::new(MemoryTokenCache::new(10))));
    let breaker = TokenCacheBreaker::new(Arc::clone(&switch) as _, Arc::clone(&clock) as _, PAUSE);
    House { breaker, switch, clock }
}

impl House {
    /// How many of `calls` reach the store, which is out.
    async fn reaching(&self, calls: usize) -> usize {
        let before = self.switch.refusals();
        for _ in 0..calls {
            let found = self.breaker.find(&KEY).await.map_err(|fault| fault.kind());
            assert_eq!(found, Err(FaultKind::Unavailable));
        }
        self.switch.refusals() - before
    }
}

#[tokio::test]
async fn t48_a_store_that_is_out_is_tried_once_in_a_pause() {
    let house = house();
    house.switch.go_out();

    assert_eq!(house.reaching(100).await, 1);
    house.clock.advance(PAUSE);
    assert_eq!(house.reaching(100).await, 1);
    house.clock.advance(PAUSE / 2);
    assert_eq!(house.reaching(100).await, 0);
}

#[tokio::test]
async fn a_store_that_came_back_serves_everybody_after_one_try() {
    let house = house();
    house.switch.go_out();
    assert_eq!(house.reaching(1).await, 1);

    house.switch.come_back();
    assert!(house.breaker.find(&KEY).await.is_err());
    house.clock.advance(PAUSE);

    for _ in 0..3 {
        assert_eq!(house.breaker.find(&KEY).await.unwrap(), None);
    }
}

#[tokio::test]
async fn t45_a_clock_that_was_set_back_closes_for_no_longer_than_a_pause() {
    let house = house();
    house.switch.go_out();
    assert_eq!(house.reaching(1).await, 1);

    house.clock.set_back(Duration::from_hours(1));

    assert_eq!(house.reaching(10).await, 1);
}

#[tokio::test]
async fn a_store_that_answers_nonsense_is_not_out() {
    let house = house();
    house.switch.go_bad();

    for _ in 0..3 {
        assert_eq!(house.breaker.forget(&KEY).await.unwrap_err().kind(), FaultKind::Corrupt);
    }
    assert_eq!(house.switch.refusals(), 3);
}
