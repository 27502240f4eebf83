//! How often a token endpoint is asked, and what is given in the meantime.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adapter_memory::MemoryTokenCache;
use adapter_memory::testing::Faulty;
use app::gateway::{Obtained, TokenSource, Wanted};
use domain::gateway::{
    CacheUse, ClientAuthentication, FetchCredentials, FetchFailure, KeepingRules, TokenFetch,
};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::support::{House, Say, SlowStore, source, store, token};

fn wanted(house: &House, id: &str, secret: &str) -> Wanted {
    Wanted {
        endpoint: Arc::clone(&house.server) as _,
        fetch: TokenFetch {
            url: "https://as.example/token".parse().unwrap(),
            credentials: FetchCredentials::new(id.to_owned(), secret.to_owned()).unwrap(),
            authentication: ClientAuthentication::Params,
            assertion_audience: None,
            audience: None,
            scopes: Vec::new(),
            arguments: Vec::new(),
            headers: Vec::new(),
            salt: "".into(),
        },
        keeping: Some(KeepingRules::default()),
    }
}

async fn obtained(house: &House) -> Obtained {
    obtained_of(house, &house.tokens).await
}

async fn obtained_of(house: &House, source: &TokenSource) -> Obtained {
    source.obtain(wanted(house, "id", "secret")).await.unwrap()
}

/// What a thousand get who all came before the endpoint answered.
async fn a_thousand(house: &House) -> Vec<Result<Obtained, Arc<FetchFailure>>> {
    house.server.close();
    let all = (0..1_000).map(|_| house.tokens.obtain(wanted(house, "id", "secret")));
    let mut all = Box::pin(join_all(all));
    assert!((&mut all).now_or_never().is_none());
    house.server.open();
    all.await
}

#[tokio::test]
async fn t48_a_thousand_at_once_ask_once() {
    let house = House::new();

    let all = a_thousand(&house).await;

    assert_eq!(house.server.calls(), 1);
    assert!(all.iter().all(|it| it.as_ref().unwrap().token().as_str() == "t"));
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_to_nobody_else() {
    let house = House::new();
    house.server.says(&[Say::Fail(503), token("t", 600)]);

    let all = a_thousand(&house).await;

    assert_eq!(house.server.calls(), 1);
    let is_failure = |it: &Result<Obtained, Arc<FetchFailure>>| {
        matches!(&**it.as_ref().unwrap_err(), FetchFailure::Failing { .. })
    };
    assert!(all.iter().all(is_failure));
    assert_eq!(obtained(&house).await.token().as_str(), "t");
    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn a_token_is_given_until_shortly_before_its_end() {
    let house = House::new();
    house.server.says(&[token("one", 60), token("two", 60)]);

    assert_eq!(obtained(&house).await.cache, CacheUse::Miss);
    house.clock.advance(Duration::from_secs(40));
    let hit = obtained(&house).await;
    assert_eq!((hit.token().as_str(), hit.cache), ("one", CacheUse::Hit));
    house.clock.advance(Duration::from_secs(16));
    let miss = obtained(&house).await;
    assert_eq!((miss.token().as_str(), miss.cache), ("two", CacheUse::Miss));
}

#[tokio::test]
async fn a_token_without_a_known_end_is_kept_by_nobody() {
    for body in [r#"{"access_token":"t"}"#, r#"{"access_token":"t","expires_in":0}"#] {
        let house = House::with_store(Some(store()), 100);
        house.server.says(&[Say::Body(body.to_owned())]);

        for calls in 1..=3 {
            assert_eq!(obtained(&house).await.cache, CacheUse::Miss);
            assert_eq!(house.server.calls(), calls, "{body}");
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_never_finds_what_a_right_one_fetched() {
    let house = House::with_store(Some(store()), 100);
    obtained(&house).await;
    house.server.says(&[Say::Refuse(401, "invalid_client")]);

    let refused = house.tokens.obtain(wanted(&house, "id", "wrong")).await;

    assert!(matches!(*refused.unwrap_err(), FetchFailure::Refused(_)));
    assert_eq!(obtained(&house).await.cache, CacheUse::Hit);
}

#[tokio::test]
async fn without_a_cache_every_request_asks() {
    let house = House::new();
    let uncached = || Wanted { keeping: None, ..wanted(&house, "id", "secret") };

    let all = join_all((0..10).map(|_| house.tokens.obtain(uncached()))).await;

    assert!(all.iter().all(Result::is_ok));
    assert_eq!(house.server.calls(), 10);
}

#[tokio::test]
async fn t48_a_herd_before_the_end_has_one_renewal_and_waits_for_nothing() {
    let house = House::new();
    house.server.says(&[token("old", 600), token("new", 600)]);
    obtained(&house).await;
    house.clock.advance(Duration::from_secs(535));
    house.server.close();

    let herd: Vec<_> = (0..1_000).map(|_| obtained(&house).now_or_never().unwrap()).collect();
    house.settle().await;

    assert!(herd.iter().all(|it| it.token().as_str() == "old" && it.cache == CacheUse::Hit));
    assert_eq!(house.server.calls(), 2);
    house.server.open();
    house.settle().await;
    assert_eq!(obtained(&house).await.token().as_str(), "new");
    assert_eq!(house.tokens.statistics().renewals.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_after_a_while() {
    let house = House::new();
    house.server.says(&[token("old", 600), Say::Fail(503), token("new", 600)]);
    obtained(&house).await;
    house.clock.advance(Duration::from_secs(520));

    for (seconds, expected_calls, expected) in [(0, 2, "old"), (5, 2, "old"), (6, 3, "new")] {
        house.clock.advance(Duration::from_secs(seconds));
        obtained(&house).await;
        house.settle().await;

        assert_eq!(house.server.calls(), expected_calls);
        assert_eq!(obtained(&house).await.token().as_str(), expected);
    }
}

#[tokio::test]
async fn credentials_that_are_refused_at_renewal_have_no_token_any_more() {
    let shared = store();
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    house.server.says(&[token("old", 600), Say::Refuse(401, "invalid_client")]);
    obtained(&house).await;
    house.clock.advance(Duration::from_secs(535));

    obtained(&house).await;
    house.settle().await;

    let refused = house.tokens.obtain(wanted(&house, "id", "secret")).await;
    assert!(matches!(*refused.unwrap_err(), FetchFailure::Refused(_)));
    let other = source(&house.clock, Some(shared), 100);
    assert!(other.obtain(wanted(&house, "id", "secret")).await.is_err());
}

#[tokio::test]
async fn gateways_share_what_one_of_them_fetched() {
    let shared = store();
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    let other = source(&house.clock, Some(shared), 100);
    obtained(&house).await;

    let found = obtained_of(&house, &other).await;

    assert_eq!((found.token().as_str(), found.cache), ("t", CacheUse::Hit));
    assert_eq!(house.server.calls(), 1);
    assert_eq!(other.statistics().store_hits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_token_that_another_gateway_renewed_is_not_renewed_again() {
    let shared = store();
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    let other = source(&house.clock, Some(shared), 100);
    house.server.says(&[token("old", 600), token("new", 600)]);
    obtained(&house).await;
    obtained_of(&house, &other).await;
    house.clock.advance(Duration::from_secs(535));

    for source in [&house.tokens, &other] {
        obtained_of(&house, source).await;
        house.settle().await;
        assert_eq!(obtained_of(&house, source).await.token().as_str(), "new");
    }

    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn t48_a_store_that_is_out_is_a_store_without_tokens() {
    let switch = Arc::new(Faulty::new(Arc::new(MemoryTokenCache::new(10))));
    let house = House::with_store(Some(Arc::clone(&switch) as _), 100);
    switch.go_out();

    assert_eq!(obtained(&house).await.cache, CacheUse::Miss);
    assert_eq!(obtained(&house).await.cache, CacheUse::Hit);
    let wrong = wanted(&house, "other", "secret");
    house.server.says(&[Say::Refuse(401, "")]);
    assert!(house.tokens.obtain(wrong).await.is_err());

    assert_eq!(house.server.calls(), 2);
    assert!(0 < house.tokens.statistics().store_faults.load(Ordering::Relaxed));
}

#[tokio::test]
async fn what_upstream_refused_is_forgotten_everywhere() {
    let shared = store();
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    house.server.says(&[token("one", 600), token("two", 600)]);
    let used = obtained(&house).await.used_by(0);

    assert!(house.tokens.purge(&used).await);

    assert_eq!(obtained(&house).await.token().as_str(), "two");
    let other = source(&house.clock, Some(shared), 100);
    assert_eq!(obtained_of(&house, &other).await.token().as_str(), "two");
}

#[tokio::test]
async fn only_the_token_that_was_used_is_forgotten() {
    let house = House::new();
    house.server.says(&[token("one", 60), token("two", 600)]);
    let used = obtained(&house).await.used_by(0);
    house.clock.advance(Duration::from_mins(1));
    obtained(&house).await;

    assert!(!house.tokens.purge(&used).await);

    assert_eq!(obtained(&house).await.token().as_str(), "two");
    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn t48_an_upstream_that_refuses_everything_has_one_token_fetched_in_five_seconds() {
    let house = House::new();
    for round in 1..=3 {
        for _ in 0..10 {
            let used = obtained(&house).await.used_by(0);
            house.tokens.purge(&used).await;
        }
        // The first one, and one more for each time that it was forgotten.
        assert_eq!(house.server.calls(), round + 1);
        house.clock.advance(Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_older_question_does_not_write_over_what_was_forgotten() {
    let shared = store();
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    house.server.says(&[token("old", 600), token("late", 600), token("new", 600)]);
    let used = obtained(&house).await.used_by(0);
    house.clock.advance(Duration::from_secs(535));
    house.server.close();
    // A renewal is under way.
    obtained(&house).await;
    house.settle().await;
    assert_eq!(house.server.calls(), 2);

    assert!(house.tokens.purge(&used).await);
    house.server.open();
    house.settle().await;

    assert_eq!(obtained(&house).await.token().as_str(), "new");
    let other = source(&house.clock, Some(shared), 100);
    assert_eq!(obtained_of(&house, &other).await.token().as_str(), "new");
}

#[tokio::test]
async fn what_is_forgotten_while_it_is_written_is_not_there_afterwards() {
    let shared = SlowStore::allowing(0, 100);
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    house.server.says(&[token("one", 600), token("two", 600)]);
    let mut first = Box::pin(obtained(&house));
    for _ in 0..5 {
        assert!((&mut first).now_or_never().is_none());
    }
    // It is in memory already, and on its way into the store.
    let used = obtained(&house).await.used_by(0);
    assert!(house.tokens.purge(&used).await);

    shared.writes.add_permits(100);
    first.await;

    let other = source(&house.clock, Some(shared), 100);
    assert_eq!(obtained_of(&house, &other).await.token().as_str(), "two");
}

#[tokio::test]
async fn nobody_finds_a_token_in_the_store_that_is_being_forgotten() {
    let shared = SlowStore::allowing(100, 0);
    let house = House::with_store(Some(Arc::clone(&shared) as _), 100);
    house.server.says(&[token("one", 600), token("two", 600)]);
    let used = obtained(&house).await.used_by(0);
    let mut purge = Box::pin(house.tokens.purge(&used));
    assert!((&mut purge).now_or_never().is_none());

    // Who comes meanwhile is in nobody's way.
    let _ = obtained(&house).now_or_never();
    shared.removals.add_permits(100);
    assert!(purge.await);

    assert_eq!(obtained(&house).await.token().as_str(), "two");
}

#[tokio::test]
async fn a_question_ends_with_the_last_who_waits_and_not_before() {
    let house = House::new();
    house.server.close();
    let mut first = Box::pin(obtained(&house));
    let mut second = Box::pin(obtained(&house));
    for _ in 0..5 {
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
    }
    drop(first);
    house.server.open();
    assert_eq!(second.await.token().as_str(), "t");
    assert_eq!(house.server.calls(), 1);

    let house = House::new();
    house.server.close();
    let mut only = Box::pin(obtained(&house));
    assert!((&mut only).now_or_never().is_none());
    drop(only);
    house.server.open();
    house.settle().await;
    assert_eq!(obtained(&house).await.cache, CacheUse::Miss);
    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn t48_so_many_tokens_are_in_memory_and_no_more() {
    let house = House::with_store(None, 50);
    for number in 0..1_000 {
        house.tokens.obtain(wanted(&house, &number.to_string(), "secret")).await.unwrap();
    }
    let mut hits = 0;
    for number in 0..1_000 {
        let again = house.tokens.obtain(wanted(&house, &number.to_string(), "secret")).await;
        hits += usize::from(again.unwrap().cache == CacheUse::Hit);
    }

    assert!(hits <= 50, "{hits}");
}

#[tokio::test]
async fn t45_after_a_clock_was_set_back_nothing_in_memory_is_believed() {
    let house = House::new();
    obtained(&house).await;

    house.clock.set_back(Duration::from_hours(1));

    assert_eq!(obtained(&house).await.cache, CacheUse::Miss);
}

#[tokio::test]
async fn t37_nothing_that_is_obtained_betrays_itself_in_a_debug_log() {
    let house = House::new();
    house.server.says(&[token("hunter2", 600)]);
    let obtained = obtained(&house).await;

    let shown = format!("{obtained:?} {:?} {:?}", obtained.used_by(0), house.tokens);

    assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
}
