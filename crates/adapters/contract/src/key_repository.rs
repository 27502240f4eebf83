//! The promises of [`KeyRepository`].

use domain::port::{KeyRepository, StoreKeysError};
use domain::{KeyState, PrivateKeyPem, SigningAlgorithm, SigningKey};
use futures_util::future::join_all;

use crate::sample::{NOW, later, parsed};

/// The private key of RFC 8410 section 10.3.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

/// Tests an adapter of [`KeyRepository`] that can be written to, with a fixture that makes an
/// empty store.
#[macro_export]
macro_rules! key_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            key_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            loads_revision_0_when_empty,
            loads_what_was_stored,
            counts_revisions,
            replaces_all_keys,
            stores_no_keys_too,
            a_conflict_changes_nothing,
            of_concurrent_stores_one_wins,
        }
    };
}

/// Nothing was ever stored.
pub async fn loads_revision_0_when_empty(store: &dyn KeyRepository) {
    let keys = store.load().await.unwrap();

    assert_eq!(keys.revision, 0);
    assert!(keys.keys.is_empty());
}

/// Keys of every algorithm and state come out as they went in, in their order.
pub async fn loads_what_was_stored(store: &dyn KeyRepository) {
    let mut keys = Vec::new();
    for algorithm in SigningAlgorithm::ALL {
        for state in [KeyState::Retired, KeyState::Active, KeyState::Next] {
            let name = format!("{} '{}' \"%_", algorithm.name(), state.name());
            keys.push(key(&name, algorithm, state));
        }
    }
    // Neither by name nor by age: the order is the caller's.
    keys.reverse();

    store.store(0, &keys).await.unwrap();

    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.revision, 1);
    assert_same(&loaded.keys, &keys);
}

/// Each change makes the revision one more.
pub async fn counts_revisions(store: &dyn KeyRepository) {
    for revision in 0..5 {
        assert_eq!(store.load().await.unwrap().revision, revision);
        store.store(revision, &[named("k")]).await.unwrap();
    }
    assert_eq!(store.load().await.unwrap().revision, 5);
}

/// What is not among the new keys is gone.
pub async fn replaces_all_keys(store: &dyn KeyRepository) {
    store.store(0, &[named("a"), named("b")]).await.unwrap();
    let renewed = [key("b", SigningAlgorithm::Es256, KeyState::Retired), named("c")];

    store.store(1, &renewed).await.unwrap();

    assert_same(&store.load().await.unwrap().keys, &renewed);
}

/// No keys are a set of keys, and its revision counts.
pub async fn stores_no_keys_too(store: &dyn KeyRepository) {
    store.store(0, &[named("a")]).await.unwrap();

    store.store(1, &[]).await.unwrap();

    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.revision, 2);
    assert!(loaded.keys.is_empty());
}

/// Whoever saw another revision, older or newer, is told, and nothing is changed.
pub async fn a_conflict_changes_nothing(store: &dyn KeyRepository) {
    assert_conflict(&store.store(1, &[named("early")]).await);
    assert_eq!(store.load().await.unwrap().revision, 0);
    store.store(0, &[named("a")]).await.unwrap();

    for expected in [0, 2] {
        assert_conflict(&store.store(expected, &[named("late")]).await);

        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.revision, 1);
        assert_same(&loaded.keys, &[named("a")]);
    }
}

/// Several nodes that start at once agree on one key.
pub async fn of_concurrent_stores_one_wins(store: &dyn KeyRepository) {
    let rivals: Vec<[SigningKey; 1]> = (0..16).map(|node| [named(&format!("k{node}"))]).collect();

    let outcomes = join_all(rivals.iter().map(|keys| store.store(0, keys))).await;

    let mut winners = Vec::new();
    for (keys, outcome) in rivals.iter().zip(outcomes) {
        match outcome {
            Ok(()) => winners.push(keys),
            Err(error) => assert!(matches!(error, StoreKeysError::Conflict), "{error:?}"),
        }
    }
    let [winner] = <[&[SigningKey; 1]; 1]>::try_from(winners).unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.revision, 1);
    assert_same(&loaded.keys, winner);
}

fn named(id: &str) -> SigningKey {
    key(id, SigningAlgorithm::EdDsa, KeyState::Active)
}

fn key(id: &str, algorithm: SigningAlgorithm, state: KeyState) -> SigningKey {
    SigningKey {
        id: parsed(id),
        algorithm,
        state,
        private_key: PrivateKeyPem::new(PEM.to_owned()),
        created_at: NOW,
        retired_at: (state == KeyState::Retired).then(|| later(1)),
    }
}

fn assert_conflict(outcome: &Result<(), StoreKeysError>) {
    assert!(matches!(outcome, Err(StoreKeysError::Conflict)), "{outcome:?}");
}

fn assert_same(loaded: &[SigningKey], expected: &[SigningKey]) {
    assert_eq!(loaded.len(), expected.len());
    for (loaded, expected) in loaded.iter().zip(expected) {
        assert_eq!(loaded.id, expected.id);
        assert_eq!(loaded.algorithm, expected.algorithm);
        assert_eq!(loaded.state, expected.state);
        assert_eq!(loaded.created_at, expected.created_at);
        assert_eq!(loaded.retired_at, expected.retired_at);
        let is_same_key = loaded.private_key.expose() == expected.private_key.expose();
        assert!(is_same_key, "the private key of {:?} is another", loaded.id);
    }
}
