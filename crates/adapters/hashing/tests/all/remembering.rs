//! What [`RememberingHasher`] saves, and what it must not.

use std::sync::Arc;
use std::time::Duration;

use adapter_hashing::{Hasher, HashingOptions, RememberingHasher, RememberingOptions, Scheme};
use domain::port::{SecretHasher as _, Verdict};
use domain::{FaultKind, SecretHash};
use futures_util::future::join_all;

use crate::support::{ARGON2ID, BCRYPT, Counting, hasher, options, secret};

const OPTIONS: RememberingOptions =
    RememberingOptions { capacity: 1_000, time_to_idle: Duration::from_mins(5) };

fn over(inner: Hasher) -> (RememberingHasher, Arc<Counting>) {
    let counting = Arc::new(Counting::new(inner));
    (RememberingHasher::new(Arc::clone(&counting) as _, OPTIONS).unwrap(), counting)
}

#[tokio::test]
async fn a_thousand_simultaneous_first_requests_cost_one_hash() {
    let hash = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let (remembering, inner) = over(hasher(BCRYPT));
    let presented = secret("right");

    let verdicts = join_all((0..1_000).map(|_| remembering.verify(&presented, Some(&hash)))).await;

    assert!(verdicts.into_iter().all(|it| it.unwrap() == Verdict::Match));
    assert_eq!(inner.count(), 1);
    let statistics = remembering.statistics();
    assert_eq!(statistics.misses(), 1);
    assert_eq!(statistics.hits() + statistics.shared(), 999);
    remembering.verify(&presented, Some(&hash)).await.unwrap();
    assert_eq!(inner.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_on_many_threads() {
    let hash = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let (remembering, inner) = over(hasher(BCRYPT));
    #[expect(clippy::disallowed_methods, reason = "the test waits for all of them")]
    let tasks = (0..1_000).map(|_| {
        let (remembering, hash) = (remembering.clone(), hash.clone());
        tokio::spawn(async move { remembering.verify(&secret("right"), Some(&hash)).await })
    });

    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), Verdict::Match);
    }
    assert_eq!(inner.count(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_shared_and_not_remembered() {
    let hash = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let (remembering, inner) = over(hasher(BCRYPT));
    let presented = secret("wrong");

    let verdicts = join_all((0..100).map(|_| remembering.verify(&presented, Some(&hash)))).await;
    assert!(verdicts.into_iter().all(|it| it.unwrap() == Verdict::Mismatch));
    assert_eq!(inner.count(), 1);

    for count in 2..5 {
        let verdict = remembering.verify(&presented, Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Mismatch);
        assert_eq!(inner.count(), count);
    }
}

#[tokio::test]
async fn a_right_secret_helps_no_wrong_one() {
    let (remembering, inner) = over(hasher(BCRYPT));
    let hash = remembering.hash(&secret("right")).await.unwrap();
    let other = remembering.hash(&secret("other")).await.unwrap();
    for (presented, hash, expected) in [
        ("right", &hash, Verdict::Match),
        ("wrong", &hash, Verdict::Mismatch),
        ("other", &hash, Verdict::Mismatch),
        ("right", &other, Verdict::Mismatch),
        ("other", &other, Verdict::Match),
    ] {
        let verdict = remembering.verify(&secret(presented), Some(hash)).await.unwrap();
        assert_eq!(verdict, expected);
    }
    // What was hashed here is remembered from the start.
    assert_eq!(inner.count(), 3);
}

#[tokio::test]
async fn a_fault_is_shared_and_not_remembered() {
    let (remembering, inner) = over(hasher(BCRYPT));
    let broken = SecretHash::new("$2b$10$short");
    let presented = secret("x");
    let direct = inner.inner.verify(&presented, Some(&broken)).await.unwrap_err();
    for _ in 0..2 {
        let faults = join_all((0..10).map(|_| remembering.verify(&presented, Some(&broken)))).await;
        for fault in faults.into_iter().map(Result::unwrap_err) {
            assert_eq!(fault.kind(), FaultKind::Corrupt);
            let cause = |it: &domain::Fault| std::error::Error::source(it).unwrap().to_string();
            assert_eq!(cause(&fault), cause(&direct));
        }
    }
    assert_eq!(inner.count(), 2);
}

#[tokio::test]
async fn who_goes_away_does_not_take_the_others_along() {
    let hash = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let slow = Hasher::new(HashingOptions { workers: 1, ..options(BCRYPT) }).unwrap();
    let (remembering, _) = over(slow);
    let presented = secret("right");
    {
        let mut leader = std::pin::pin!(remembering.verify(&presented, Some(&hash)));
        // It begins, and is dropped before it ends.
        assert!(futures_util::poll!(leader.as_mut()).is_pending());
        let mut waiter = std::pin::pin!(remembering.verify(&presented, Some(&hash)));
        assert!(futures_util::poll!(waiter.as_mut()).is_pending());
    }
    let verdict = remembering.verify(&presented, Some(&hash)).await.unwrap();
    assert_eq!(verdict, Verdict::Match);
}

#[tokio::test]
async fn an_outdated_hash_is_hashed_again_once() {
    let old = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let (remembering, inner) = over(hasher(ARGON2ID));
    let presented = secret("right");

    let verdicts = join_all((0..100).map(|_| remembering.verify(&presented, Some(&old)))).await;

    let verdicts: Vec<_> = verdicts.into_iter().map(Result::unwrap).collect();
    let outdated = verdicts.iter().filter(|it| **it == Verdict::MatchOutdated).count();
    assert_eq!(outdated, 1);
    assert!(!verdicts.contains(&Verdict::Mismatch));
    assert_eq!(remembering.verify(&presented, Some(&old)).await.unwrap(), Verdict::Match);
    let new = remembering.hash(&presented).await.unwrap();
    assert_eq!(remembering.verify(&presented, Some(&new)).await.unwrap(), Verdict::Match);
    assert_eq!(inner.count(), 1);
}

#[tokio::test]
async fn t22_an_unknown_client_is_hashed_for_every_time() {
    let (remembering, inner) = over(hasher(BCRYPT));
    let presented = secret("x");

    let verdicts = join_all((0..50).map(|_| remembering.verify(&presented, None))).await;

    assert!(verdicts.into_iter().all(|it| it.unwrap() == Verdict::Mismatch));
    assert_eq!(inner.count(), 50);
    assert_eq!(inner.inner.statistics().total(), 50);
}

#[tokio::test]
async fn what_nobody_presents_is_forgotten() {
    let inner = Arc::new(Counting::new(hasher(BCRYPT)));
    let short = RememberingOptions { time_to_idle: Duration::from_millis(20), ..OPTIONS };
    let remembering = RememberingHasher::new(Arc::clone(&inner) as _, short).unwrap();
    let hash = remembering.hash(&secret("s")).await.unwrap();

    tokio::time::sleep(Duration::from_millis(100)).await;
    remembering.verify(&secret("s"), Some(&hash)).await.unwrap();

    assert_eq!(inner.count(), 1);
}

#[tokio::test]
async fn keyed_hashes_are_cheaper_than_memory() {
    let (remembering, inner) = over(hasher(Scheme::Keyed));
    let hash = remembering.hash(&secret("s")).await.unwrap();
    for _ in 0..3 {
        let verdict = remembering.verify(&secret("s"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Match);
    }
    assert_eq!(inner.count(), 3);
}

#[tokio::test]
async fn t37_debug_output_holds_no_secret() {
    let (remembering, _) = over(hasher(BCRYPT));
    let hash = remembering.hash(&secret("hunter2")).await.unwrap();
    let debug = format!("{remembering:?} {:?}", remembering.statistics());
    assert!(!debug.contains("hunter2"));
    assert!(!debug.contains(hash.as_str()));
    let fault = remembering.verify(&secret("hunter2"), Some(&SecretHash::new("hunter3"))).await;
    assert!(!format!("{fault:?}").contains("hunter"));
}

#[tokio::test]
async fn recalls_what_verified_and_computes_nothing_for_it() {
    let hash = hasher(BCRYPT).hash(&secret("right")).await.unwrap();
    let (remembering, inner) = over(hasher(BCRYPT));

    assert!(!remembering.recalls(&secret("right"), &hash).await, "nothing verified yet");
    remembering.verify(&secret("right"), Some(&hash)).await.unwrap();
    remembering.verify(&secret("wrong"), Some(&hash)).await.unwrap();
    let before = inner.count();

    assert!(remembering.recalls(&secret("right"), &hash).await);
    assert!(!remembering.recalls(&secret("wrong"), &hash).await);
    assert_eq!(inner.count(), before);
}

#[tokio::test]
async fn recalls_keyed_hashes_by_themselves_unless_they_are_outdated() {
    let keyed = options(Scheme::Keyed);
    let hash = Hasher::new(keyed.clone()).unwrap().hash(&secret("right")).await.unwrap();
    let other = Hasher::new(HashingOptions { scheme: BCRYPT, ..keyed.clone() }).unwrap();
    let own = Hasher::new(keyed).unwrap();

    assert!(own.recalls(&secret("right"), &hash).await);
    assert!(!own.recalls(&secret("wrong"), &hash).await);
    assert!(!other.recalls(&secret("right"), &hash).await, "it must be hashed anew");
    assert!(!own.recalls(&secret("right"), &SecretHash::new("$nonsense$")).await);
}
