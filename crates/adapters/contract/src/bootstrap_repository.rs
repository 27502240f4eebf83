//! The promises of [`BootstrapRepository`].

use domain::TokenDigest;
use domain::port::BootstrapRepository;
use futures_util::future::join_all;

/// Tests an adapter of [`BootstrapRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! bootstrap_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            bootstrap_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            finds_nothing_when_empty,
            the_first_claim_is_kept,
            keeps_digests_of_any_bytes,
            of_concurrent_claims_one_wins,
            replaces_what_was_kept,
            replaces_nothing_too,
        }
    };
}

/// No token was ever made.
pub async fn finds_nothing_when_empty(store: &dyn BootstrapRepository) {
    assert_eq!(store.find().await.unwrap(), None);
}

/// A second claim is told so, and changes nothing; not even one with the same digest succeeds.
pub async fn the_first_claim_is_kept(store: &dyn BootstrapRepository) {
    assert!(store.claim(&TokenDigest([1; 32])).await.unwrap());

    assert!(!store.claim(&TokenDigest([1; 32])).await.unwrap());
    assert!(!store.claim(&TokenDigest([2; 32])).await.unwrap());
    assert_eq!(store.find().await.unwrap(), Some(TokenDigest([1; 32])));
}

/// A digest is bytes, not text.
pub async fn keeps_digests_of_any_bytes(store: &dyn BootstrapRepository) {
    let counted: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
    for bytes in [[0; 32], [u8::MAX; 32], counted] {
        store.replace(&TokenDigest(bytes)).await.unwrap();

        assert_eq!(store.find().await.unwrap(), Some(TokenDigest(bytes)));
    }
}

/// Of several nodes that start at once exactly one makes the token.
pub async fn of_concurrent_claims_one_wins(store: &dyn BootstrapRepository) {
    let digests: Vec<TokenDigest> = (0..16).map(|node| TokenDigest([node; 32])).collect();

    let outcomes = join_all(digests.iter().map(|digest| store.claim(digest))).await;

    let mut winners = Vec::new();
    for (digest, outcome) in digests.into_iter().zip(outcomes) {
        if outcome.unwrap() {
            winners.push(digest);
        }
    }
    let [winner] = <[TokenDigest; 1]>::try_from(winners).unwrap();
    assert_eq!(store.find().await.unwrap(), Some(winner));
}

/// A lost token is replaced, and a claim is refused after that as before.
pub async fn replaces_what_was_kept(store: &dyn BootstrapRepository) {
    store.claim(&TokenDigest([1; 32])).await.unwrap();

    store.replace(&TokenDigest([2; 32])).await.unwrap();

    assert_eq!(store.find().await.unwrap(), Some(TokenDigest([2; 32])));
    assert!(!store.claim(&TokenDigest([3; 32])).await.unwrap());
}

/// Replacing works where nothing was kept.
pub async fn replaces_nothing_too(store: &dyn BootstrapRepository) {
    store.replace(&TokenDigest([2; 32])).await.unwrap();

    assert_eq!(store.find().await.unwrap(), Some(TokenDigest([2; 32])));
}
