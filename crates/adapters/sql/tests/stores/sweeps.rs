//! What is forgotten, when, and who waits for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::sample::{NOW, client_id, later, object, token_id};
use domain::port::{ReferenceTokenRepository, ReplayGuard as _, TokenRepository as _};
use domain::{ReferenceToken, Timestamp, TokenDigest};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::scratch::{Scratch, on_both, stores};

on_both! {
    sweeps_what_has_ended,
    sweeps_more_than_fits_into_a_batch,
    sweepers_and_writers_do_not_meet,
    what_was_swept_may_be_burned_again,
    inserts_go_on_while_many_reference_tokens_are_swept,
    a_reference_token_that_has_ended_is_found_until_it_is_swept,
}

/// What ended at the very moment is gone, what ends later stays.
async fn sweeps_what_has_ended<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;
    let id = client_id("a");
    for (jti, until) in [("old", later(60)), ("young", later(61))] {
        node.revoke(&token_id(jti), until).await.unwrap();
        node.revoke_client(&client_id(jti), NOW, until).await.unwrap();
        assert!(node.burn(&id, &token_id(jti), until, NOW).await.unwrap());
    }

    assert_eq!(node.sweep(later(59)).await.unwrap(), 0);
    assert_eq!(node.sweep(later(60)).await.unwrap(), 3);
    assert_eq!(node.sweep(later(60)).await.unwrap(), 0);

    assert!(!node.is_revoked(&token_id("old")).await.unwrap());
    assert!(node.is_revoked(&token_id("young")).await.unwrap());
    assert_eq!(node.client_revoked_until(&client_id("old")).await.unwrap(), None);
    assert_eq!(node.client_revoked_until(&client_id("young")).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("young"), later(61), NOW).await.unwrap());
}

/// After a night without a sweep.
async fn sweeps_more_than_fits_into_a_batch<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1234)
        insert into used_assertions (client, id, until) select 'a', 'j' || n, 5 from n";
    scratch.execute(many).await;

    assert_eq!(node.sweep(NOW).await.unwrap(), 1234);
}

/// Several nodes sweep while others burn; nobody waits for nobody.
async fn sweepers_and_writers_do_not_meet<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let other = scratch.node().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 3000)
        insert into used_assertions (client, id, until) select 'a', 'j' || n, 5 from n";
    scratch.execute(many).await;

    let sweeps = join_all([&node, &other, &node, &other].map(|node| node.sweep(NOW)));
    let burns = join_all((1..=200).map(async |n| {
        let id = token_id(&format!("j{}", n * 15));
        node.burn(&client_id("a"), &id, later(60), NOW).await.unwrap()
    }));
    let (sweeps, burns) = tokio::join!(sweeps, burns);

    // An id that was burned anew is burned: no sweep took it away.
    assert!(burns.into_iter().all(|is_first| is_first));
    for n in 1..=200 {
        let id = token_id(&format!("j{}", n * 15));
        assert!(!node.burn(&client_id("a"), &id, later(60), NOW).await.unwrap());
    }
    let swept: u64 = sweeps.into_iter().map(Result::unwrap).sum();
    assert!((2800..=3000).contains(&swept), "{swept}");
}

/// Ended is ended, swept or not.
async fn what_was_swept_may_be_burned_again<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;
    let (client, id) = (client_id("a"), token_id("j1"));
    assert!(node.burn(&client, &id, later(60), NOW).await.unwrap());

    assert!(!node.burn(&client, &id, later(120), later(59)).await.unwrap());
    assert!(node.burn(&client, &id, later(120), later(60)).await.unwrap());
    node.sweep(later(60)).await.unwrap();
    assert!(!node.burn(&client, &id, later(120), later(60)).await.unwrap());
    node.sweep(later(120)).await.unwrap();
    assert!(node.burn(&client, &id, later(180), later(120)).await.unwrap());
}

/// Whoever asks compares the time.
async fn a_reference_token_that_has_ended_is_found_until_it_is_swept<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let tokens: &dyn ReferenceTokenRepository = &node;
    let (old, young) = (TokenDigest([1; 32]), TokenDigest([2; 32]));
    tokens.insert(&old, &token(later(60))).await.unwrap();
    tokens.insert(&young, &token(later(61))).await.unwrap();

    assert_eq!(node.sweep(later(59)).await.unwrap(), 0);
    let other = scratch.node().await;
    let found = ReferenceTokenRepository::find(&other, &old).await.unwrap();
    assert_eq!(found, Some(token(later(60))));
    assert!(!tokens.insert(&old, &token(later(99))).await.unwrap(), "it is still there");
    assert_eq!(node.sweep(later(60)).await.unwrap(), 1);

    assert_eq!(tokens.find(&old).await.unwrap(), None);
    assert_eq!(tokens.find(&young).await.unwrap(), Some(token(later(61))));
    assert!(tokens.insert(&old, &token(later(99))).await.unwrap(), "its place is free");
}

/// After a night without a sweep: whoever issues tokens meanwhile waits for a batch at most.
#[expect(clippy::print_stderr, reason = "how long it takes is worth knowing")]
async fn inserts_go_on_while_many_reference_tokens_are_swept<S: Scratch>() {
    const MANY: u64 = 100_000;
    let (node, scratch) = stores::<S>().await;
    let sweeper = scratch.node().await;
    scratch.execute(&S::expired_tokens(MANY)).await;
    let has_ended = AtomicBool::new(false);

    let sweep = async {
        let begun = Instant::now();
        let swept = sweeper.sweep(NOW).await.unwrap();
        has_ended.store(true, Ordering::Relaxed);
        (swept, begun.elapsed())
    };
    let issue = async {
        let (mut issued, mut longest) = (Vec::new(), Duration::ZERO);
        while !has_ended.load(Ordering::Relaxed) {
            let digest = digest(issued.len());
            let begun = Instant::now();
            assert!(insert(&node, &digest).await);
            longest = longest.max(begun.elapsed());
            issued.push(digest);
        }
        (issued, longest)
    };
    let ((swept, took), (issued, longest)) = tokio::join!(sweep, issue);

    eprintln!(
        "{}: {swept} swept in {took:?}, {} issued meanwhile, the slowest in {longest:?}",
        std::any::type_name::<S>(),
        issued.len(),
    );
    assert_eq!(swept, MANY);
    assert!(20 < issued.len(), "{} inserts in {took:?}", issued.len());
    assert!(longest < Duration::from_secs(2), "an insert took {longest:?}");
    for digest in issued.iter().take(50) {
        assert!(ReferenceTokenRepository::find(&node, digest).await.unwrap().is_some());
    }
}

async fn insert(tokens: &dyn ReferenceTokenRepository, digest: &TokenDigest) -> bool {
    tokens.insert(digest, &token(later(60))).await.unwrap()
}

fn digest(number: usize) -> TokenDigest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    TokenDigest(bytes)
}

fn token(expires_at: Timestamp) -> ReferenceToken {
    let claims = object(&json!({"sub": "a", "scope": "read"}));
    ReferenceToken { client: client_id("a"), expires_at, claims: claims.into() }
}
