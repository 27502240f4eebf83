//! The promises of [`LoginLedger`].

use domain::port::{ClientRepository, LoginLedger};
use domain::{Client, Login, Revision, Timestamp};
use futures_util::future::join_all;

use crate::sample::{client, client_id, full_client, later};

/// Tests an adapter of [`LoginLedger`] with a fixture that makes an empty store, which is a
/// [`ClientRepository`] too.
#[macro_export]
macro_rules! login_ledger {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            login_ledger, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            records_the_logins_of_many_clients,
            changes_nothing_but_the_last_login,
            never_moves_a_login_backwards,
            keeps_the_latest_of_several_logins_of_one_client,
            passes_over_unknown_clients,
            records_nothing_without_logins,
            of_concurrent_records_the_latest_stays,
            records_more_logins_than_a_statement_has_parameters,
        }
    };
}

/// Each client gets its own moment, to the millisecond.
pub async fn records_the_logins_of_many_clients(store: &(impl ClientRepository + LoginLedger)) {
    for id in ["a", "A", "%", "c"] {
        store.insert(&client(id)).await.unwrap();
    }

    store.record(&[login("a", 1), login("A", 2), login("%", 3)]).await.unwrap();

    assert_eq!(last_login(store, "a").await, Some(later(1)));
    assert_eq!(last_login(store, "A").await, Some(later(2)));
    assert_eq!(last_login(store, "%").await, Some(later(3)));
    assert_eq!(last_login(store, "c").await, None);
}

/// A login is no change: neither the revision nor anything else moves.
pub async fn changes_nothing_but_the_last_login(store: &(impl ClientRepository + LoginLedger)) {
    let before = full_client("billing");
    store.insert(&before).await.unwrap();

    store.record(&[login("billing", 60)]).await.unwrap();

    let after = Client { last_login: Some(later(60)), ..before };
    assert_eq!(store.find(&after.id).await.unwrap().as_ref(), Some(&after));
    let renewed = Client { revision: Revision::FIRST.next(), ..after };
    store.update(&renewed, Revision::FIRST).await.unwrap();
}

/// A late note of an early login changes nothing.
pub async fn never_moves_a_login_backwards(store: &(impl ClientRepository + LoginLedger)) {
    store.insert(&client("billing")).await.unwrap();

    store.record(&[login("billing", 60)]).await.unwrap();
    store.record(&[login("billing", 59)]).await.unwrap();

    assert_eq!(last_login(store, "billing").await, Some(later(60)));
}

/// One call may name a client several times, in any order.
pub async fn keeps_the_latest_of_several_logins_of_one_client(
    store: &(impl ClientRepository + LoginLedger),
) {
    store.insert(&client("billing")).await.unwrap();

    let logins = [login("billing", 2), login("billing", 3), login("billing", 1)];
    store.record(&logins).await.unwrap();

    assert_eq!(last_login(store, "billing").await, Some(later(3)));
}

/// A client that was removed meanwhile is no error, and does not come back.
pub async fn passes_over_unknown_clients(store: &(impl ClientRepository + LoginLedger)) {
    store.insert(&client("billing")).await.unwrap();

    store.record(&[login("nobody", 1), login("billing", 1), login("gone", 1)]).await.unwrap();

    assert_eq!(last_login(store, "billing").await, Some(later(1)));
    assert_eq!(store.find(&client_id("nobody")).await.unwrap(), None);
}

/// Nothing to write is nothing to fail.
pub async fn records_nothing_without_logins(store: &(impl ClientRepository + LoginLedger)) {
    store.record(&[]).await.unwrap();
}

/// Whoever writes last, the latest moment is the one that is kept.
pub async fn of_concurrent_records_the_latest_stays(store: &(impl ClientRepository + LoginLedger)) {
    store.insert(&client("a")).await.unwrap();
    store.insert(&client("b")).await.unwrap();
    // In turns in the one order and in the other: a store must not deadlock.
    let batches: Vec<[Login; 2]> = (0..16)
        .map(|second| match second % 2 {
            0 => [login("a", second), login("b", second)],
            _ => [login("b", second), login("a", second)],
        })
        .collect();

    for outcome in join_all(batches.iter().map(|batch| store.record(batch))).await {
        outcome.unwrap();
    }

    assert_eq!(last_login(store, "a").await, Some(later(15)));
    assert_eq!(last_login(store, "b").await, Some(later(15)));
}

/// A flush after an outage may be long.
pub async fn records_more_logins_than_a_statement_has_parameters(
    store: &(impl ClientRepository + LoginLedger),
) {
    store.insert(&client("billing")).await.unwrap();
    let mut logins: Vec<Login> = (0..40_000).map(|n| login(&format!("gone-{n}"), n)).collect();
    logins.push(login("billing", 7));

    store.record(&logins).await.unwrap();

    assert_eq!(last_login(store, "billing").await, Some(later(7)));
}

fn login(client: &str, seconds: u64) -> Login {
    Login { client: client_id(client), at: later(seconds) }
}

async fn last_login(store: &impl ClientRepository, id: &str) -> Option<Timestamp> {
    store.find(&client_id(id)).await.unwrap().unwrap().last_login
}
