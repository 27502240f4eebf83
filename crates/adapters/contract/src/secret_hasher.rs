//! The promises of [`SecretHasher`].
//!
//! That a right, a wrong and no secret cost the same is shown by a benchmark, never by a test
//! with a clock.

use domain::port::{SecretHasher, Verdict};
use domain::{ClientSecret, FaultKind, SecretHash};
use futures_util::future::join_all;

/// Tests an adapter of [`SecretHasher`]. Configure the lowest cost: the suite hashes some dozens
/// of secrets.
#[macro_export]
macro_rules! secret_hasher {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            secret_hasher, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            knows_the_right_secret,
            refuses_every_wrong_secret,
            nothing_matches_nobody,
            two_hashes_of_one_secret_differ,
            a_hash_does_not_hold_the_secret,
            reads_the_whole_of_long_secrets,
            reads_on_after_a_nul,
            reads_bytes_not_letters,
            hashes_the_longest_secret,
            serves_several_at_once,
            what_is_no_hash_is_corrupt,
        }
    };
}

const SECRET: &str = "correct horse battery staple";

/// A fresh hash is of the configured scheme, so it is never outdated.
pub async fn knows_the_right_secret(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, SECRET).await;

    assert_eq!(verdict(hasher, SECRET, Some(&hash)).await, Verdict::Match);
    assert_eq!(verdict(hasher, SECRET, Some(&hash)).await, Verdict::Match);
}

/// Longer, shorter, in another case or altogether another: it is not the secret.
pub async fn refuses_every_wrong_secret(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, SECRET).await;
    let longer = format!("{SECRET} ");

    for wrong in ["", "wrong", &longer, "correct horse", &SECRET.to_uppercase(), hash.as_str()] {
        assert_eq!(verdict(hasher, wrong, Some(&hash)).await, Verdict::Mismatch, "{wrong:?}");
    }
}

/// A client nobody has heard of has no secret that could match.
pub async fn nothing_matches_nobody(hasher: &dyn SecretHasher) {
    for presented in ["", SECRET, "password", "dummy"] {
        assert_eq!(verdict(hasher, presented, None).await, Verdict::Mismatch, "{presented:?}");
    }
}

/// Each hash has a salt of its own.
pub async fn two_hashes_of_one_secret_differ(hasher: &dyn SecretHasher) {
    let (one, other) = (hash(hasher, SECRET).await, hash(hasher, SECRET).await);

    assert_ne!(one.as_str(), other.as_str());
    assert_eq!(verdict(hasher, SECRET, Some(&other)).await, Verdict::Match);
}

/// Secrets are kept without being known, and hashes are texts that every store can hold.
pub async fn a_hash_does_not_hold_the_secret(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, SECRET).await;

    assert!(!hash.as_str().contains(SECRET));
    assert!(hash.as_str().is_ascii());
    assert!(hash.as_str().len() <= 255);
}

/// bcrypt reads 72 bytes. What comes after them counts all the same.
pub async fn reads_the_whole_of_long_secrets(hasher: &dyn SecretHasher) {
    let (bytes_71, bytes_72) = ("a".repeat(71), "a".repeat(72));
    let (bytes_73, bytes_200) = ("a".repeat(73), "a".repeat(200));
    let (other_73, other_200) = ("a".repeat(72) + "b", "a".repeat(199) + "b");
    let all = [&bytes_71, &bytes_72, &bytes_73, &bytes_200, &other_73, &other_200];
    for secret in all {
        let hash = hash(hasher, secret).await;

        for presented in all {
            let expected = if secret == presented { Verdict::Match } else { Verdict::Mismatch };
            let found = verdict(hasher, presented, Some(&hash)).await;
            assert_eq!(found, expected, "{} {}", secret.len(), presented.len());
        }
    }
}

/// A secret is no C string.
pub async fn reads_on_after_a_nul(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, "one\0two").await;

    assert_eq!(verdict(hasher, "one\0two", Some(&hash)).await, Verdict::Match);
    for wrong in ["one", "one\0", "one\0three", "onetwo"] {
        assert_eq!(verdict(hasher, wrong, Some(&hash)).await, Verdict::Mismatch, "{wrong:?}");
    }
}

/// Secrets are compared as UTF-8, and nothing is normalized.
pub async fn reads_bytes_not_letters(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, "passwört \u{1f511}").await;

    assert_eq!(verdict(hasher, "passwört \u{1f511}", Some(&hash)).await, Verdict::Match);
    for wrong in
        ["passwo\u{308}rt \u{1f511}", "passwort \u{1f511}", "passwört ?", "PASSWÖRT \u{1f511}"]
    {
        assert_eq!(verdict(hasher, wrong, Some(&hash)).await, Verdict::Mismatch, "{wrong:?}");
    }
}

/// Nothing that may be presented is too long to be hashed.
pub async fn hashes_the_longest_secret(hasher: &dyn SecretHasher) {
    let longest = "x".repeat(ClientSecret::MAX_BYTES);
    let hash = hash(hasher, &longest).await;

    assert_eq!(verdict(hasher, &longest, Some(&hash)).await, Verdict::Match);
    let cut = &longest[1..];
    assert_eq!(verdict(hasher, cut, Some(&hash)).await, Verdict::Mismatch);
}

/// Verifications at once do not mix up their answers.
pub async fn serves_several_at_once(hasher: &dyn SecretHasher) {
    let hash = hash(hasher, SECRET).await;
    let presented = [SECRET, "wrong", SECRET, "wrong too"];

    let verdicts = join_all(presented.map(|it| verdict(hasher, it, Some(&hash)))).await;

    let alternating = [Verdict::Match, Verdict::Mismatch].repeat(2);
    assert_eq!(verdicts, alternating);
}

/// A stored text that is no hash of a known scheme is somebody's to look at, and lets nobody in.
pub async fn what_is_no_hash_is_corrupt(hasher: &dyn SecretHasher) {
    for text in ["", SECRET, "$", "$$$", "$unheard-of$", "$2b$", "$argon2id$", "$2b$10$short"] {
        let presented = ClientSecret::new(SECRET.to_owned());

        let fault = hasher.verify(&presented, Some(&SecretHash::new(text))).await.unwrap_err();

        assert_eq!(fault.kind(), FaultKind::Corrupt, "{text:?}");
    }
}

async fn hash(hasher: &dyn SecretHasher, secret: &str) -> SecretHash {
    hasher.hash(&ClientSecret::new(secret.to_owned())).await.unwrap()
}

async fn verdict(
    hasher: &dyn SecretHasher,
    presented: &str,
    expected: Option<&SecretHash>,
) -> Verdict {
    hasher.verify(&ClientSecret::new(presented.to_owned()), expected).await.unwrap()
}
