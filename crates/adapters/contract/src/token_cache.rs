//! The promises of [`TokenCache`].

use domain::port::TokenCache;
use domain::{CacheKey, SealedToken};

use crate::sample::{NOW, later};

/// Tests an adapter of [`TokenCache`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! token_cache {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            token_cache, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            finds_nothing_when_empty,
            finds_what_was_kept,
            the_last_one_kept_is_the_one_that_is_found,
            tells_keys_apart_to_the_last_bit,
            keeps_nothing_whose_time_is_over,
            forgets,
        }
    };
}

/// What nobody kept is not there.
pub async fn finds_nothing_when_empty(cache: &dyn TokenCache) {
    assert_eq!(cache.find(&key(0)).await.unwrap(), None);
}

/// Every byte comes out as it went in.
pub async fn finds_what_was_kept(cache: &dyn TokenCache) {
    let every_byte = SealedToken((0..=u8::MAX).cycle().take(8_192).collect());

    cache.keep(&key(1), &every_byte, later(60), NOW).await.unwrap();

    assert_eq!(cache.find(&key(1)).await.unwrap(), Some(every_byte));
    assert_eq!(cache.find(&key(2)).await.unwrap(), None);
}

/// A token takes the place of the one before, whose end lay farther or nearer.
pub async fn the_last_one_kept_is_the_one_that_is_found(cache: &dyn TokenCache) {
    for (number, seconds) in [(1, 60), (2, 3_600), (3, 30)] {
        cache.keep(&key(1), &token(number), later(seconds), NOW).await.unwrap();

        assert_eq!(cache.find(&key(1)).await.unwrap(), Some(token(number)));
    }
}

/// Keys are compared whole.
pub async fn tells_keys_apart_to_the_last_bit(cache: &dyn TokenCache) {
    let (mut one, mut other) = ([0; 32], [0; 32]);
    one[31] = 1;
    other[0] = 0x80;
    for (number, bytes) in [(1, [0; 32]), (2, one), (3, other)] {
        cache.keep(&CacheKey(bytes), &token(number), later(60), NOW).await.unwrap();
    }

    for (number, bytes) in [(1, [0; 32]), (2, one), (3, other)] {
        assert_eq!(cache.find(&CacheKey(bytes)).await.unwrap(), Some(token(number)));
    }
}

/// A token that ends now, or has ended, is not remembered; nor is the one in whose place it came.
pub async fn keeps_nothing_whose_time_is_over(cache: &dyn TokenCache) {
    cache.keep(&key(1), &token(1), later(60), NOW).await.unwrap();

    cache.keep(&key(1), &token(2), NOW, NOW).await.unwrap();
    cache.keep(&key(2), &token(2), NOW, later(5)).await.unwrap();

    assert_eq!(cache.find(&key(1)).await.unwrap(), None);
    assert_eq!(cache.find(&key(2)).await.unwrap(), None);
}

/// What was forgotten is not there, and everything else is. To forget twice is to forget once.
pub async fn forgets(cache: &dyn TokenCache) {
    for number in [1, 2] {
        cache.keep(&key(number), &token(number), later(60), NOW).await.unwrap();
    }

    cache.forget(&key(1)).await.unwrap();
    cache.forget(&key(1)).await.unwrap();

    assert_eq!(cache.find(&key(1)).await.unwrap(), None);
    assert_eq!(cache.find(&key(2)).await.unwrap(), Some(token(2)));
}

fn key(number: u8) -> CacheKey {
    CacheKey([number; 32])
}

fn token(number: u8) -> SealedToken {
    SealedToken(vec![number; 40])
}
