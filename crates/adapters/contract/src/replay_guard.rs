//! The promises of [`ReplayGuard`].

use domain::Timestamp;
use domain::port::ReplayGuard;
use futures_util::future::join_all;

use crate::sample::{END_OF_9999, NOW, client_id, later, token_id};

/// Tests an adapter of [`ReplayGuard`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! replay_guard {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            replay_guard, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            burns_an_assertion_once,
            remembers_until_the_very_end,
            a_shorter_second_end_changes_nothing,
            tells_clients_apart,
            does_not_confuse_the_seam_of_client_and_jti,
            tells_ids_apart_byte_by_byte,
            of_concurrent_burns_one_wins,
            forgetting_the_old_spares_the_young,
            works_on_after_an_id_has_ended,
        }
    };
}

/// The first time is the only time.
pub async fn burns_an_assertion_once(guard: &dyn ReplayGuard) {
    assert!(burn(guard, "a", "j1", later(60), NOW).await);

    assert!(!burn(guard, "a", "j1", later(60), NOW).await);
    assert!(!burn(guard, "a", "j1", later(60), later(1)).await);
    assert!(burn(guard, "a", "j2", later(60), NOW).await);
}

/// Up to the last millisecond before `until`, and with ends far away.
pub async fn remembers_until_the_very_end(guard: &dyn ReplayGuard) {
    let end = later(60);
    let last = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
    assert!(burn(guard, "a", "j1", end, NOW).await);
    assert!(burn(guard, "a", "j2", END_OF_9999, NOW).await);

    assert!(!burn(guard, "a", "j1", end, last).await);
    assert!(!burn(guard, "a", "j2", END_OF_9999, later(1_000_000)).await);
}

/// A replay cannot shorten the memory of what it replays.
pub async fn a_shorter_second_end_changes_nothing(guard: &dyn ReplayGuard) {
    assert!(burn(guard, "a", "j1", later(60), NOW).await);

    assert!(!burn(guard, "a", "j1", later(2), later(1)).await);
    assert!(!burn(guard, "a", "j1", later(60), later(30)).await);
}

/// The same `jti` of another client is another.
pub async fn tells_clients_apart(guard: &dyn ReplayGuard) {
    for client in ["a", "A", "b", "a'b\"\\%_;--"] {
        assert!(burn(guard, client, "j1", later(60), NOW).await, "{client}");
        assert!(!burn(guard, client, "j1", later(60), NOW).await, "{client}");
    }
}

/// Where a store joins client and `jti` to one key, no two pairs make one.
pub async fn does_not_confuse_the_seam_of_client_and_jti(guard: &dyn ReplayGuard) {
    for (client, id) in [
        ("a", "bc"),
        ("ab", "c"),
        ("a:b", "c"),
        ("a", "b:c"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("a|b", "c"),
        ("a", "b|c"),
        ("a_b", "c"),
        ("a", "b_c"),
    ] {
        assert!(burn(guard, client, id, later(60), NOW).await, "{client} {id}");
    }
}

/// Ids are compared byte by byte, whatever their characters.
pub async fn tells_ids_apart_byte_by_byte(guard: &dyn ReplayGuard) {
    let long = "é".repeat(128);
    for id in [
        "abc",
        "ABC",
        "caf\u{e9}",
        "cafe\u{301}",
        "cafe",
        "\u{1f600}",
        "x",
        "x ",
        " x",
        "%",
        "_",
        "'",
        "\\",
        "j j",
        &long,
        &"é".repeat(127),
    ] {
        assert!(burn(guard, "a", id, later(60), NOW).await, "{id}");
        assert!(!burn(guard, "a", id, later(60), NOW).await, "{id}");
    }
}

/// Of concurrent calls with one client and one `jti` exactly one is the first.
pub async fn of_concurrent_burns_one_wins(guard: &dyn ReplayGuard) {
    for id in ["j1", "j2", "j3"] {
        let burns = (0..32).map(|_| burn(guard, "a", id, later(60), NOW));

        let first = join_all(burns).await.into_iter().filter(|is_first| *is_first).count();

        assert_eq!(first, 1, "{id}");
    }
}

/// What has not ended is remembered, however much has.
pub async fn forgetting_the_old_spares_the_young(guard: &dyn ReplayGuard) {
    assert!(burn(guard, "a", "young", later(100_000), NOW).await);
    for second in 0..200 {
        let id = format!("old-{second}");
        assert!(burn(guard, "a", &id, later(second + 1), later(second)).await, "{id}");
    }

    assert!(!burn(guard, "a", "young", later(100_000), later(99_999)).await);
}

/// Once an id has ended it may be forgotten or not; if it is, it is burned anew.
pub async fn works_on_after_an_id_has_ended(guard: &dyn ReplayGuard) {
    assert!(burn(guard, "a", "j1", later(60), NOW).await);

    if burn(guard, "a", "j1", later(7_200), later(3_600)).await {
        assert!(!burn(guard, "a", "j1", later(7_200), later(3_601)).await);
    }
    assert!(burn(guard, "a", "j2", later(7_200), later(3_600)).await);
}

async fn burn(
    guard: &dyn ReplayGuard,
    client: &str,
    id: &str,
    until: Timestamp,
    now: Timestamp,
) -> bool {
    guard.burn(&client_id(client), &token_id(id), until, now).await.unwrap()
}
