//! What [`Hasher`] does beside its contract.

use std::sync::Arc;
use std::time::Duration;

use adapter_hashing::{Hasher, HashingOptions, InvalidHashingOptions, Pepper, Scheme};
use domain::port::{SecretHasher as _, Verdict};
use domain::{FaultKind, SecretHash};
use futures_util::future::join_all;

use crate::support::{ARGON2ID, BCRYPT, hasher, options, pepper, secret};

#[tokio::test]
async fn names_its_scheme_in_what_it_stores() {
    for (scheme, prefix) in [
        (BCRYPT, "$2b$04$".to_owned()),
        (ARGON2ID, "$argon2id$v=19$m=8,t=1,p=1$".to_owned()),
        (Scheme::Keyed, format!("$keyed-sha256${}$", pepper(7).id())),
    ] {
        let hash = hasher(scheme).hash(&secret("s")).await.unwrap();

        assert!(hash.as_str().starts_with(&prefix), "{}", hash.as_str());
    }
}

#[tokio::test]
async fn a_hash_of_another_scheme_or_cost_is_outdated() {
    let others = [
        BCRYPT,
        Scheme::Bcrypt { cost: 5 },
        ARGON2ID,
        Scheme::Argon2id { memory_kib: 16, iterations: 1, parallelism: 1 },
        Scheme::Argon2id { memory_kib: 16, iterations: 2, parallelism: 1 },
        Scheme::Argon2id { memory_kib: 16, iterations: 1, parallelism: 2 },
        Scheme::Keyed,
    ];
    for made in others {
        let hash = hasher(made).hash(&secret("right")).await.unwrap();
        for configured in others {
            let hasher = hasher(configured);
            let right = hasher.verify(&secret("right"), Some(&hash)).await.unwrap();
            let wrong = hasher.verify(&secret("wrong"), Some(&hash)).await.unwrap();

            let expected = if made == configured { Verdict::Match } else { Verdict::MatchOutdated };
            assert_eq!(right, expected, "{made:?} {configured:?}");
            assert_eq!(wrong, Verdict::Mismatch, "{made:?} {configured:?}");
        }
    }
}

#[tokio::test]
async fn imported_hashes_verify() {
    let rest = "05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let hasher = hasher(Scheme::Bcrypt { cost: 5 });
    for version in ["2a", "2b", "2y"] {
        let hash = SecretHash::new(format!("${version}${rest}"));
        assert_eq!(hasher.verify(&secret("U*U"), Some(&hash)).await.unwrap(), Verdict::Match);
    }
    // The hashes of a broken implementation.
    let broken = SecretHash::new(format!("$2x${rest}"));
    assert!(hasher.verify(&secret("U*U"), Some(&broken)).await.is_err());
}

#[tokio::test]
async fn a_keyed_hash_without_its_pepper_is_corrupt_and_says_why() {
    let hash = hasher(Scheme::Keyed).hash(&secret("s")).await.unwrap();
    for (other, reason) in [(None, "no pepper"), (Some(pepper(8)), "another pepper")] {
        let hasher = Hasher::new(HashingOptions { pepper: other, ..options(BCRYPT) }).unwrap();

        let fault = hasher.verify(&secret("s"), Some(&hash)).await.unwrap_err();

        assert_eq!(fault.kind(), FaultKind::Corrupt);
        let cause = std::error::Error::source(&fault).unwrap().to_string();
        assert!(cause.contains(reason), "{cause}");
    }
}

#[tokio::test]
async fn t22_an_unknown_client_costs_one_hash_in_the_configured_scheme() {
    for scheme in [BCRYPT, ARGON2ID] {
        let hasher = hasher(scheme);
        for (count, presented) in (1..).zip(["", "wrong", &"x".repeat(1_024)]) {
            let verdict = hasher.verify(&secret(presented), None).await.unwrap();

            assert_eq!(verdict, Verdict::Mismatch);
            assert_eq!(hasher.statistics().total(), count);
        }
    }
}

#[tokio::test]
async fn t23_a_secret_over_one_kilobyte_is_refused_without_a_hash() {
    let hasher = hasher(BCRYPT);
    let hash = hasher.hash(&secret("s")).await.unwrap();
    let long = secret(&"x".repeat(1_025));
    for expected in [None, Some(&hash)] {
        let verdict = hasher.verify(&long, expected).await.unwrap();
        assert_eq!(verdict, Verdict::Mismatch);
    }
    assert_eq!(hasher.statistics().total(), 1);
    assert_eq!(hasher.hash(&long).await.unwrap_err().kind(), FaultKind::Corrupt);
}

#[tokio::test]
async fn construction_computes_nothing_slow() {
    // Cost 15 would take three seconds.
    let hasher = hasher(Scheme::Bcrypt { cost: 15 });
    assert_eq!(hasher.statistics().total(), 0);
}

#[tokio::test]
async fn t48_bcrypt_flood() {
    let options = HashingOptions { workers: 2, queue: 3, ..options(Scheme::Bcrypt { cost: 9 }) };
    let hasher = Arc::new(Hasher::new(options).unwrap());
    let statistics = hasher.statistics();
    let presented = secret("x");

    let flood: Vec<_> = join_all((0..100).map(|_| hasher.verify(&presented, None))).await;

    let accepted = flood.iter().filter(|it| it.is_ok()).count();
    assert_eq!(accepted, 5);
    for refused in flood.into_iter().filter_map(Result::err) {
        assert_eq!(refused.kind(), FaultKind::Overloaded);
    }
    assert_eq!(statistics.rejected(), 95);
    assert_eq!(statistics.total(), 5);
    assert_eq!((statistics.queued(), statistics.running()), (0, 0));
    // The next one is served.
    assert_eq!(hasher.verify(&presented, None).await.unwrap(), Verdict::Mismatch);
}

#[tokio::test]
async fn t48_a_full_pool_answers_at_once_while_its_jobs_go_on() {
    let options = HashingOptions { workers: 1, queue: 1, ..options(Scheme::Bcrypt { cost: 10 }) };
    let hasher = Arc::new(Hasher::new(options).unwrap());
    let spawn = || {
        let hasher = Arc::clone(&hasher);
        tokio::task::spawn_local(async move { hasher.verify(&secret("x"), None).await })
    };
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let jobs = [spawn(), spawn()];
            while hasher.statistics().running() + hasher.statistics().queued() < 2 {
                tokio::task::yield_now().await;
            }

            let refused = hasher.verify(&secret("x"), None).await.unwrap_err();

            assert_eq!(refused.kind(), FaultKind::Overloaded);
            assert!(jobs.iter().all(|job| !job.is_finished()), "it waited for a job");
            for job in jobs {
                assert_eq!(job.await.unwrap().unwrap(), Verdict::Mismatch);
            }
        })
        .await;
}

#[tokio::test]
async fn t48_who_goes_away_while_waiting_leaves_nothing_to_do() {
    let options = HashingOptions { workers: 1, queue: 10, ..options(Scheme::Bcrypt { cost: 9 }) };
    let hasher = Hasher::new(options).unwrap();
    let statistics = hasher.statistics();
    let presented = secret("x");
    let impatient = join_all((0..11).map(|_| hasher.verify(&presented, None)));

    let outcome = tokio::time::timeout(Duration::from_millis(1), impatient).await;

    assert!(outcome.is_err());
    assert_eq!(statistics.queued(), 0);
    hasher.verify(&presented, None).await.unwrap();
    assert!(statistics.total() <= 2, "{}", statistics.total());
}

#[tokio::test]
async fn a_keyed_hash_waits_for_nobody() {
    let options = HashingOptions { workers: 1, queue: 0, ..options(Scheme::Keyed) };
    let hasher = Hasher::new(options).unwrap();
    let hash = hasher.hash(&secret("s")).await.unwrap();
    let presented = secret("s");

    let verdicts = join_all((0..1_000).map(|_| hasher.verify(&presented, Some(&hash)))).await;

    assert!(verdicts.into_iter().all(|it| it.unwrap() == Verdict::Match));
    assert_eq!(hasher.statistics().total(), 0);
}

#[test]
fn options_that_are_unsafe_are_refused() {
    let refusal = |options| Hasher::new(options).unwrap_err();
    for cost in [0, 3, 16, 31] {
        let refused = refusal(options(Scheme::Bcrypt { cost }));
        assert_eq!(refused, InvalidHashingOptions::BcryptCost);
    }
    for (memory_kib, iterations, parallelism) in
        [(7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (1_048_577, 1, 1), (8, 65, 1)]
    {
        let scheme = Scheme::Argon2id { memory_kib, iterations, parallelism };
        assert_eq!(refusal(options(scheme)), InvalidHashingOptions::Argon2, "{scheme:?}");
    }
    let no_pepper = HashingOptions { pepper: None, ..options(Scheme::Keyed) };
    assert_eq!(refusal(no_pepper), InvalidHashingOptions::NoPepper);
    let no_workers = HashingOptions { workers: 0, ..options(BCRYPT) };
    assert_eq!(refusal(no_workers), InvalidHashingOptions::NoWorkers);
    assert_eq!(Pepper::new(&[7; 31]).unwrap_err(), InvalidHashingOptions::ShortPepper);
}

#[test]
fn t37_debug_output_holds_no_pepper() {
    let pepper = Pepper::new(b"pepper pepper pepper pepper pepper").unwrap();
    let options = HashingOptions { pepper: Some(pepper.clone()), ..options(Scheme::Keyed) };

    for debug in [
        format!("{pepper:?}"),
        format!("{options:?}"),
        format!("{:?}", Hasher::new(options.clone()).unwrap()),
    ] {
        assert!(!debug.contains("pepper pepper"), "{debug}");
        assert!(!debug.contains("112, 101, 112"), "{debug}");
    }
}
