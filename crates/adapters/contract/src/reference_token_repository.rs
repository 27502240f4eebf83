//! The promises of [`ReferenceTokenRepository`].

use domain::port::ReferenceTokenRepository;
use domain::{ReferenceToken, TokenDigest};
use futures_util::future::join_all;
use serde_json::json;

use crate::sample::{END_OF_9999, client_id, later, metadata, object};

/// Tests an adapter of [`ReferenceTokenRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! reference_token_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            reference_token_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            finds_nothing_when_empty,
            finds_what_was_inserted,
            keeps_every_claim_as_it_was,
            keeps_the_farthest_end,
            tells_digests_apart_to_the_last_bit,
            refuses_a_digest_that_is_taken,
            of_concurrent_inserts_one_wins,
            removes_a_token_once,
        }
    };
}

/// An unknown digest is `None`, not an error.
pub async fn finds_nothing_when_empty(store: &dyn ReferenceTokenRepository) {
    assert_eq!(store.find(&digest(0)).await.unwrap(), None);
}

/// What comes out is what went in.
pub async fn finds_what_was_inserted(store: &dyn ReferenceTokenRepository) {
    assert!(store.insert(&digest(1), &token("a")).await.unwrap());

    assert_eq!(store.find(&digest(1)).await.unwrap(), Some(token("a")));
    assert_eq!(store.find(&digest(2)).await.unwrap(), None);
}

/// Claims come out as they went in, whatever JSON can hold.
pub async fn keeps_every_claim_as_it_was(store: &dyn ReferenceTokenRepository) {
    let full = ReferenceToken { claims: metadata().into(), ..token("a'b\"\\%_;--") };

    assert!(store.insert(&digest(1), &full).await.unwrap());

    assert_eq!(store.find(&digest(1)).await.unwrap(), Some(full));
}

/// To the millisecond, and as far as a calendar goes.
pub async fn keeps_the_farthest_end(store: &dyn ReferenceTokenRepository) {
    let lasting = ReferenceToken { expires_at: END_OF_9999, ..token("a") };

    assert!(store.insert(&digest(1), &lasting).await.unwrap());

    assert_eq!(store.find(&digest(1)).await.unwrap(), Some(lasting));
}

/// Digests are compared whole.
pub async fn tells_digests_apart_to_the_last_bit(store: &dyn ReferenceTokenRepository) {
    let (mut one, mut other) = ([0; 32], [0; 32]);
    one[31] = 1;
    other[0] = 0x80;
    for (bytes, client) in [([0; 32], "zero"), (one, "one"), (other, "other"), ([0xff; 32], "all")]
    {
        assert!(store.insert(&TokenDigest(bytes), &token(client)).await.unwrap(), "{client}");
    }

    for (bytes, client) in [([0; 32], "zero"), (one, "one"), (other, "other"), ([0xff; 32], "all")]
    {
        assert_eq!(store.find(&TokenDigest(bytes)).await.unwrap(), Some(token(client)));
    }
}

/// A taken digest is told, and nothing is changed by it.
pub async fn refuses_a_digest_that_is_taken(store: &dyn ReferenceTokenRepository) {
    assert!(store.insert(&digest(1), &token("a")).await.unwrap());

    assert!(!store.insert(&digest(1), &token("b")).await.unwrap());

    assert_eq!(store.find(&digest(1)).await.unwrap(), Some(token("a")));
}

/// Of concurrent inserts of one digest exactly one succeeds, and its token is the one that is kept.
pub async fn of_concurrent_inserts_one_wins(store: &dyn ReferenceTokenRepository) {
    let rivals: Vec<_> = (0..16).map(|rival| token(&format!("rival-{rival}"))).collect();
    let digest = digest(1);

    let inserts = rivals.iter().map(|rival| store.insert(&digest, rival));
    let outcomes = join_all(inserts).await;

    let won: Vec<_> = rivals
        .into_iter()
        .zip(outcomes)
        .filter_map(|(rival, outcome)| outcome.unwrap().then_some(rival))
        .collect();
    let [winner] = <[ReferenceToken; 1]>::try_from(won).unwrap();
    assert_eq!(store.find(&digest).await.unwrap(), Some(winner));
}

/// A token that was removed is gone, and no other.
pub async fn removes_a_token_once(store: &dyn ReferenceTokenRepository) {
    for number in [1, 2] {
        assert!(store.insert(&digest(number), &token("a")).await.unwrap());
    }

    assert!(store.remove(&digest(1)).await.unwrap());

    assert!(!store.remove(&digest(1)).await.unwrap());
    assert_eq!(store.find(&digest(1)).await.unwrap(), None);
    assert_eq!(store.find(&digest(2)).await.unwrap(), Some(token("a")));
}

fn digest(number: u8) -> TokenDigest {
    TokenDigest([number; 32])
}

fn token(client: &str) -> ReferenceToken {
    let claims = object(&json!({"sub": client, "scope": "read write", "exp": 1_900_000_060}));
    ReferenceToken { client: client_id(client), expires_at: later(60), claims: claims.into() }
}
