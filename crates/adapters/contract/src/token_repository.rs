//! The promises of [`TokenRepository`].

use domain::port::TokenRepository;
use futures_util::future::join_all;

use crate::sample::{END_OF_9999, NOW, client_id, later, token_id};

/// Tests an adapter of [`TokenRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! token_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            token_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            knows_of_no_revocation_when_empty,
            a_revoked_token_is_revoked,
            revoking_twice_is_revoking_once,
            tells_tokens_apart_byte_by_byte,
            a_revocation_bites_though_it_was_asked_about_before,
            revokes_the_tokens_of_a_client,
            never_moves_a_client_revocation_backwards,
            tells_clients_apart_by_case,
            of_concurrent_client_revocations_the_latest_stays,
        }
    };
}

/// Nothing was ever taken back.
pub async fn knows_of_no_revocation_when_empty(store: &dyn TokenRepository) {
    assert!(!store.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(store.client_revoked_until(&client_id("billing")).await.unwrap(), None);
}

/// A token is taken back alone.
pub async fn a_revoked_token_is_revoked(store: &dyn TokenRepository) {
    store.revoke(&token_id("t1"), later(60)).await.unwrap();

    assert!(store.is_revoked(&token_id("t1")).await.unwrap());
    assert!(!store.is_revoked(&token_id("t2")).await.unwrap());
}

/// A second revocation is no error, at whatever end, and at once with the first.
pub async fn revoking_twice_is_revoking_once(store: &dyn TokenRepository) {
    let id = token_id("t1");
    store.revoke(&id, later(60)).await.unwrap();

    let repeated = [later(60), later(30), END_OF_9999, later(60)];
    for outcome in join_all(repeated.map(|until| store.revoke(&id, until))).await {
        outcome.unwrap();
    }

    assert!(store.is_revoked(&id).await.unwrap());
}

/// Ids are compared byte by byte, whatever their characters.
pub async fn tells_tokens_apart_byte_by_byte(store: &dyn TokenRepository) {
    let long = "é".repeat(128);
    let revoked = ["abc", "a'b\"\\%_;--", "caf\u{e9}", "\u{1f600}", "x ", &long];
    for id in revoked {
        store.revoke(&token_id(id), later(60)).await.unwrap();
    }

    for id in revoked {
        assert!(store.is_revoked(&token_id(id)).await.unwrap(), "{id}");
    }
    for id in ["ABC", "ab", "cafe\u{301}", "cafe", "x", " x", "%", &"é".repeat(127)] {
        assert!(!store.is_revoked(&token_id(id)).await.unwrap(), "{id}");
    }
}

/// An answer given before is not given again.
pub async fn a_revocation_bites_though_it_was_asked_about_before(store: &dyn TokenRepository) {
    assert!(!store.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(store.client_revoked_until(&client_id("billing")).await.unwrap(), None);

    store.revoke(&token_id("t1"), later(60)).await.unwrap();
    store.revoke_client(&client_id("billing"), NOW, later(60)).await.unwrap();

    assert!(store.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(store.client_revoked_until(&client_id("billing")).await.unwrap(), Some(NOW));
}

/// The moment comes out to the millisecond, and for that client alone.
pub async fn revokes_the_tokens_of_a_client(store: &dyn TokenRepository) {
    store.revoke_client(&client_id("billing"), later(5), later(60)).await.unwrap();

    let moment = store.client_revoked_until(&client_id("billing")).await.unwrap();
    assert_eq!(moment, Some(later(5)));
    assert_eq!(store.client_revoked_until(&client_id("shipping")).await.unwrap(), None);
}

/// A later call makes the moment later; an earlier one changes nothing.
pub async fn never_moves_a_client_revocation_backwards(store: &dyn TokenRepository) {
    let id = client_id("billing");
    for (issued_until, until, expected) in [
        (later(5), later(60), later(5)),
        (later(4), END_OF_9999, later(5)),
        (later(6), later(60), later(6)),
        (later(6), later(50), later(6)),
    ] {
        store.revoke_client(&id, issued_until, until).await.unwrap();

        assert_eq!(store.client_revoked_until(&id).await.unwrap(), Some(expected));
    }
}

/// Ids are compared byte by byte.
pub async fn tells_clients_apart_by_case(store: &dyn TokenRepository) {
    for id in ["billing", "a'b\"\\%_;--"] {
        store.revoke_client(&client_id(id), NOW, later(60)).await.unwrap();
        assert_eq!(store.client_revoked_until(&client_id(id)).await.unwrap(), Some(NOW));
    }

    for id in ["Billing", "%"] {
        assert_eq!(store.client_revoked_until(&client_id(id)).await.unwrap(), None);
    }
}

/// Whoever writes last, the latest moment is the one that is kept.
pub async fn of_concurrent_client_revocations_the_latest_stays(store: &dyn TokenRepository) {
    let id = client_id("billing");
    let moments = (0..16).map(|turn| later(turn * 7 % 16));

    let revocations = moments.map(|moment| store.revoke_client(&id, moment, later(60)));
    for outcome in join_all(revocations).await {
        outcome.unwrap();
    }

    assert_eq!(store.client_revoked_until(&id).await.unwrap(), Some(later(15)));
}
