//! The promises of [`CredentialRepository`].

use domain::port::CredentialRepository;
use domain::{Credential, SecretHash, SecretSelector, SecretUse, Timestamp};
use futures_util::future::join_all;

use crate::sample::{NOW, client_id, credential, full_credential, later, parsed, secret_id};

/// Tests an adapter of [`CredentialRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! credential_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            credential_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            lists_nothing_for_a_client_nobody_has_heard_of,
            lists_what_was_inserted,
            keeps_every_selector,
            lists_the_oldest_first,
            tells_clients_and_secrets_apart_by_case,
            keeps_secrets_with_ids_of_odd_characters,
            refuses_an_id_that_the_client_has,
            two_clients_may_have_secrets_of_one_id,
            of_concurrent_inserts_one_wins,
            rehashes_what_has_the_old_hash,
            refuses_to_rehash_another_hash,
            of_concurrent_rehashes_one_wins,
            expires_a_secret,
            never_expires_a_secret_later,
            expires_no_unknown_secret,
            removes_one_secret,
            removes_all_secrets_of_a_client,
            records_uses,
            never_moves_a_use_backwards,
            passes_over_unknown_secrets,
            of_concurrent_records_the_latest_stays,
            records_more_uses_than_a_statement_has_parameters,
            finds_what_ends_in_a_span_of_time,
            finds_as_many_as_asked_for_those_that_end_first,
        }
    };
}

/// No secrets, and no error.
pub async fn lists_nothing_for_a_client_nobody_has_heard_of(store: &dyn CredentialRepository) {
    assert_eq!(list(store, "nobody").await, []);
}

/// Every field comes out as it went in, moments to the millisecond. The client need not be known
/// anywhere.
pub async fn lists_what_was_inserted(store: &dyn CredentialRepository) {
    for (client, secret) in [("a", credential("s1")), ("b", full_credential("s1"))] {
        insert(store, client, &secret).await;

        assert_eq!(list(store, client).await, [secret]);
    }
}

/// From the smallest to the largest, and none.
pub async fn keeps_every_selector(store: &dyn CredentialRepository) {
    let selectors = [None, Some(0), Some(1), Some(0x7fff), Some(0x8000), Some(u16::MAX)];
    for (index, selector) in selectors.into_iter().enumerate() {
        let selector = selector.map(SecretSelector);
        let client = format!("c{index}");
        insert(store, &client, &Credential { selector, ..credential("s") }).await;

        assert_eq!(list(store, &client).await[0].selector, selector);
    }
}

/// The order is that of `created_at`, neither of insertion nor of ids.
pub async fn lists_the_oldest_first(store: &dyn CredentialRepository) {
    for (id, seconds) in [("b", 3), ("z", 1), ("a", 2), ("m", 0)] {
        insert(store, "c", &Credential { created_at: later(seconds), ..credential(id) }).await;
    }

    assert_eq!(ids(&list(store, "c").await), ["m", "z", "a", "b"]);
}

/// Ids are compared byte by byte.
pub async fn tells_clients_and_secrets_apart_by_case(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s")).await;

    assert_eq!(list(store, "C").await, []);
    assert!(!store.remove(&client_id("c"), &secret_id("S")).await.unwrap());
    assert!(!store.remove(&client_id("C"), &secret_id("s")).await.unwrap());
    assert!(store.insert(&client_id("c"), &credential("S")).await.unwrap());
    store.remove_all(&client_id("C")).await.unwrap();
    assert_eq!(list(store, "c").await.len(), 2);
}

/// Every id the domain allows is kept, found, changed and removed like any other.
pub async fn keeps_secrets_with_ids_of_odd_characters(store: &dyn CredentialRepository) {
    let long = "s".repeat(64);
    for id in ["%", "_", "'", "\"", "\\", "/", ";", "--", "..", "$ne", "a:b", "{}", "0", &long] {
        let secret = credential(id);
        insert(store, id, &secret).await;
        assert_eq!(list(store, id).await, [secret]);

        assert!(store.expire(&client_id(id), &secret_id(id), later(9)).await.unwrap(), "{id}");
        assert_eq!(list(store, id).await[0].expires_at, Some(later(9)));
        assert!(store.remove(&client_id(id), &secret_id(id)).await.unwrap(), "{id}");
        assert_eq!(list(store, id).await, []);
    }
}

/// A taken id is told, and nothing is changed by it.
pub async fn refuses_an_id_that_the_client_has(store: &dyn CredentialRepository) {
    let first = full_credential("s1");
    insert(store, "c", &first).await;

    assert!(!store.insert(&client_id("c"), &credential("s1")).await.unwrap());
    assert_eq!(list(store, "c").await, [first]);
}

/// Ids of secrets are the client's own.
pub async fn two_clients_may_have_secrets_of_one_id(store: &dyn CredentialRepository) {
    let (of_a, of_b) = (credential("s"), full_credential("s"));
    insert(store, "a", &of_a).await;
    insert(store, "b", &of_b).await;

    assert!(store.remove(&client_id("a"), &secret_id("s")).await.unwrap());

    assert_eq!(list(store, "a").await, []);
    assert_eq!(list(store, "b").await, [of_b]);
}

/// Of concurrent inserts of one id exactly one succeeds.
pub async fn of_concurrent_inserts_one_wins(store: &dyn CredentialRepository) {
    let client = client_id("c");
    let rivals: Vec<Credential> = (0..16)
        .map(|rival| Credential { name: Some(parsed(&format!("{rival}"))), ..credential("s") })
        .collect();

    let outcomes = join_all(rivals.iter().map(|rival| store.insert(&client, rival))).await;

    let winners: Vec<Credential> = rivals
        .into_iter()
        .zip(outcomes)
        .filter_map(|(rival, outcome)| outcome.unwrap().then_some(rival))
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(list(store, "c").await, winners);
}

/// Only the hash changes, and only that of the secret named.
pub async fn rehashes_what_has_the_old_hash(store: &dyn CredentialRepository) {
    let old = full_credential("s1");
    let other = Credential { created_at: later(1), ..full_credential("s2") };
    insert(store, "c", &old).await;
    insert(store, "c", &other).await;
    let hash = SecretHash::new("$new$");

    assert!(
        store.rehash(&client_id("c"), &old.id, &old.hash, &hash).await.unwrap(),
        "the hash was the old one"
    );

    assert_eq!(list(store, "c").await, [Credential { hash, ..old }, other]);
}

/// Whoever verified against another hash, or a secret that is gone, changes nothing.
pub async fn refuses_to_rehash_another_hash(store: &dyn CredentialRepository) {
    let kept = credential("s1");
    insert(store, "c", &kept).await;
    let new = SecretHash::new("$new$");
    let cased = SecretHash::new(kept.hash.as_str().to_uppercase());

    for (client, secret, old) in [
        ("c", "s1", &new),
        ("c", "s1", &cased),
        ("c", "gone", &kept.hash),
        ("gone", "s1", &kept.hash),
    ] {
        let is_done = store.rehash(&client_id(client), &secret_id(secret), old, &new).await;
        assert!(!is_done.unwrap(), "{client} {secret} {old:?}");
    }

    assert_eq!(list(store, "c").await, [kept]);
    assert_eq!(list(store, "gone").await, []);
}

/// Of concurrent rehashes of one hash exactly one succeeds.
pub async fn of_concurrent_rehashes_one_wins(store: &dyn CredentialRepository) {
    let kept = credential("s1");
    insert(store, "c", &kept).await;
    let client = client_id("c");
    let hashes: Vec<_> = (0..16).map(|rival| SecretHash::new(format!("$new${rival}"))).collect();

    let rehashes = hashes.iter().map(|new| store.rehash(&client, &kept.id, &kept.hash, new));
    let outcomes = join_all(rehashes).await;

    let winners: Vec<Credential> = hashes
        .into_iter()
        .zip(outcomes)
        .filter_map(|(hash, outcome)| outcome.unwrap().then_some(hash))
        .map(|hash| Credential { hash, ..kept.clone() })
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(list(store, "c").await, winners);
}

/// A secret that never ended ends; nothing else changes.
pub async fn expires_a_secret(store: &dyn CredentialRepository) {
    let (first, second) =
        (credential("s1"), Credential { created_at: later(1), ..credential("s2") });
    insert(store, "c", &first).await;
    insert(store, "c", &second).await;

    assert!(store.expire(&client_id("c"), &first.id, later(60)).await.unwrap());

    let ended = Credential { expires_at: Some(later(60)), ..first };
    assert_eq!(list(store, "c").await, [ended, second]);
}

/// An end only ever moves nearer; a call that moves nothing has found its secret all the same.
pub async fn never_expires_a_secret_later(store: &dyn CredentialRepository) {
    let client = client_id("c");
    let secret = Credential { expires_at: Some(later(60)), ..credential("s1") };
    insert(store, "c", &secret).await;

    for (at, expected) in [(later(61), later(60)), (later(30), later(30)), (later(60), later(30))] {
        assert!(store.expire(&client, &secret.id, at).await.unwrap());

        assert_eq!(list(store, "c").await[0].expires_at, Some(expected));
    }
}

/// There is nothing to end where there is no secret, and none is made.
pub async fn expires_no_unknown_secret(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s1")).await;

    assert!(!store.expire(&client_id("c"), &secret_id("gone"), NOW).await.unwrap());
    assert!(!store.expire(&client_id("gone"), &secret_id("s1"), NOW).await.unwrap());
    assert_eq!(list(store, "c").await, [credential("s1")]);
    assert_eq!(list(store, "gone").await, []);
}

/// One secret goes, once; the others stay, and its id is free again.
pub async fn removes_one_secret(store: &dyn CredentialRepository) {
    let (first, second) = (full_credential("s1"), credential("s2"));
    insert(store, "c", &first).await;
    insert(store, "c", &second).await;

    assert!(store.remove(&client_id("c"), &first.id).await.unwrap());
    assert_eq!(list(store, "c").await, [second]);
    assert!(!store.remove(&client_id("c"), &first.id).await.unwrap());
    assert!(store.insert(&client_id("c"), &credential("s1")).await.unwrap());
}

/// Every secret of the client goes, and none of anybody else; without any it is no error.
pub async fn removes_all_secrets_of_a_client(store: &dyn CredentialRepository) {
    for (client, secret) in [("c", "s1"), ("c", "s2"), ("d", "s1")] {
        insert(store, client, &credential(secret)).await;
    }

    store.remove_all(&client_id("c")).await.unwrap();
    store.remove_all(&client_id("c")).await.unwrap();

    assert_eq!(list(store, "c").await, []);
    assert_eq!(list(store, "d").await, [credential("s1")]);
}

/// Each secret gets its own moment, and nothing else of it changes.
pub async fn records_uses(store: &dyn CredentialRepository) {
    for (client, secret) in [("c", "s1"), ("d", "s1")] {
        insert(store, client, &full_credential(secret)).await;
    }
    insert(store, "c", &Credential { created_at: later(1), ..credential("s2") }).await;

    store.record_uses(&[used("c", "s1", 5), used("d", "s1", 6)]).await.unwrap();

    let first = Credential { last_used: Some(later(5)), ..full_credential("s1") };
    let second = Credential { created_at: later(1), ..credential("s2") };
    assert_eq!(list(store, "c").await, [first, second]);
    assert_eq!(last_used(store, "d").await, Some(later(6)));
}

/// Late notes of early uses change nothing, in one call or in several.
pub async fn never_moves_a_use_backwards(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s")).await;

    store.record_uses(&[used("c", "s", 4), used("c", "s", 5), used("c", "s", 3)]).await.unwrap();
    assert_eq!(last_used(store, "c").await, Some(later(5)));
    store.record_uses(&[used("c", "s", 2)]).await.unwrap();
    assert_eq!(last_used(store, "c").await, Some(later(5)));
}

/// A secret that was removed meanwhile is no error; nor is there anything to fail without uses.
pub async fn passes_over_unknown_secrets(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s")).await;

    let uses = [used("c", "gone", 1), used("gone", "s", 1), used("c", "s", 1)];
    store.record_uses(&uses).await.unwrap();
    store.record_uses(&[]).await.unwrap();

    assert_eq!(last_used(store, "c").await, Some(later(1)));
    assert_eq!(list(store, "gone").await, []);
    assert_eq!(list(store, "c").await.len(), 1);
}

/// Whoever writes last, the latest moment is the one that is kept.
pub async fn of_concurrent_records_the_latest_stays(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s")).await;
    insert(store, "d", &credential("s")).await;
    // In turns in the one order and in the other: a store must not deadlock.
    let batches: Vec<[SecretUse; 2]> = (0..16)
        .map(|second| match second % 2 {
            0 => [used("c", "s", second), used("d", "s", second)],
            _ => [used("d", "s", second), used("c", "s", second)],
        })
        .collect();

    for outcome in join_all(batches.iter().map(|batch| store.record_uses(batch))).await {
        outcome.unwrap();
    }

    assert_eq!(last_used(store, "c").await, Some(later(15)));
    assert_eq!(last_used(store, "d").await, Some(later(15)));
}

/// A flush after an outage may be long.
pub async fn records_more_uses_than_a_statement_has_parameters(store: &dyn CredentialRepository) {
    insert(store, "c", &credential("s")).await;
    let mut uses: Vec<_> = (0..40_000).map(|n| used(&format!("gone-{n}"), "s", n)).collect();
    uses.push(used("c", "s", 7));

    store.record_uses(&uses).await.unwrap();

    assert_eq!(last_used(store, "c").await, Some(later(7)));
}

/// From the first moment on, up to the last one but without it; whose they are is told where the
/// store knows it.
pub async fn finds_what_ends_in_a_span_of_time(store: &dyn CredentialRepository) {
    let ends = |id, seconds| Credential { expires_at: Some(later(seconds)), ..full_credential(id) };
    for (client, secret) in [
        ("a", ends("s1", 9)),
        ("a", ends("s2", 20)),
        ("b", ends("s1", 10)),
        ("b", credential("s2")),
        ("c", ends("s1", 19)),
    ] {
        insert(store, client, &secret).await;
    }

    let found = store.ending(later(10), later(20), 100).await.unwrap();

    let secrets: Vec<_> = found.iter().map(|it| it.secret.clone()).collect();
    assert_eq!(secrets, [ends("s1", 10), ends("s1", 19)]);
    for (ending, client) in found.iter().zip(["b", "c"]) {
        assert!(ending.client.as_ref().is_none_or(|it| *it == client_id(client)), "{ending:?}");
    }
    assert_eq!(store.ending(later(20), later(20), 100).await.unwrap(), []);
    // One that ends sooner than it did is found where it ends now.
    assert!(store.expire(&client_id("b"), &secret_id("s2"), later(15)).await.unwrap());
    assert_eq!(store.ending(later(15), later(16), 100).await.unwrap().len(), 1);
}

/// Whoever asks for few gets the most urgent ones.
pub async fn finds_as_many_as_asked_for_those_that_end_first(store: &dyn CredentialRepository) {
    for seconds in [3, 1, 2, 4] {
        let end = Some(later(seconds));
        insert(store, "c", &Credential { expires_at: end, ..credential(&format!("s{seconds}")) })
            .await;
    }

    let found = async |limit| {
        let found = store.ending(NOW, later(9), limit).await.unwrap();
        found.iter().map(|it| it.secret.id.as_str().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(found(2).await, ["s1", "s2"]);
    assert_eq!(found(9).await, ["s1", "s2", "s3", "s4"]);
    assert!(found(0).await.is_empty());
}

async fn insert(store: &dyn CredentialRepository, client: &str, secret: &Credential) {
    assert!(store.insert(&client_id(client), secret).await.unwrap(), "{client} {secret:?}");
}

async fn list(store: &dyn CredentialRepository, client: &str) -> Vec<Credential> {
    store.list(&client_id(client)).await.unwrap()
}

async fn last_used(store: &dyn CredentialRepository, client: &str) -> Option<Timestamp> {
    list(store, client).await[0].last_used
}

fn ids(secrets: &[Credential]) -> Vec<&str> {
    secrets.iter().map(|secret| secret.id.as_str()).collect()
}

fn used(client: &str, secret: &str, seconds: u64) -> SecretUse {
    SecretUse { client: client_id(client), secret: secret_id(secret), at: later(seconds) }
}
