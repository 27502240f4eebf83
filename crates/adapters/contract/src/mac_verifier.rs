//! The promises of [`MacVerifier`].
//!
//! The tokens were made by Python, so no adapter agrees with itself only.

#![expect(clippy::unused_async, reason = "cases are async; this port never waits")]

use domain::port::{MacVerifier, SecretOwner};
use domain::{ClientId, ClientSecret, CompactMac, FaultKind, SecretHash, SecretId};

use crate::sample::{client_id, secret_id};

/// Tests an adapter of [`MacVerifier`]. The fixture makes a verifier with a key to seal with; it need
/// not be the same key each time.
#[macro_export]
macro_rules! mac_verifier {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            mac_verifier, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            knows_what_was_made_with_the_secret,
            refuses_what_was_made_with_another_secret,
            refuses_a_mac_of_something_else,
            refuses_a_mac_that_was_changed_or_cut,
            nothing_is_by_nobody,
            knows_the_secret_itself_and_no_other,
            what_is_sealed_does_not_hold_the_secret,
            never_seals_twice_alike,
            what_is_sealed_is_for_one_secret_of_one_client,
            what_is_sealed_cannot_be_changed,
            seals_no_secret_that_is_too_short_or_too_long_for_a_key,
            what_was_not_sealed_is_corrupt,
        }
    };
}

/// The secret of the client.
const SECRET: &str = "correct-horse-battery-staple-correct-horse-battery";
/// Another secret.
const OTHER: &str = "correct-horse-battery-staple-correct-horse-batterz";
/// `{"alg":"HS256"}`, `{"sub":"billing"}`, and their MAC under [`SECRET`].
const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxsaW5nIn0.QuTs30rtfwBQKXTsvRHOU9YMGouLVwiuKVOSunWPlR0";
/// The same under [`OTHER`].
const TOKEN_OF_OTHER: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxsaW5nIn0.8twlr8pCok6RHmmOFB9zWI9eS5xE6wEq0p2An9IcoFk";

/// What is sealed verifies what a client made with the secret, as often as it comes.
pub async fn knows_what_was_made_with_the_secret(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let sealed = seal(macs, SECRET);

    assert!(is_by(macs, TOKEN, &client, &secret, &sealed));
    assert!(is_by(macs, TOKEN, &client, &secret, &sealed));
}

/// One character more, less or other makes another secret.
pub async fn refuses_what_was_made_with_another_secret(macs: &dyn MacVerifier) {
    let (client, secret) = names();

    assert!(!is_by(macs, TOKEN_OF_OTHER, &client, &secret, &seal(macs, SECRET)));
    assert!(is_by(macs, TOKEN_OF_OTHER, &client, &secret, &seal(macs, OTHER)));
    for other in [OTHER, &format!("{SECRET}x"), &SECRET[1..], &SECRET.to_uppercase()] {
        assert!(!is_by(macs, TOKEN, &client, &secret, &seal(macs, other)), "{other}");
    }
}

/// A MAC is for one text.
pub async fn refuses_a_mac_of_something_else(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let sealed = seal(macs, SECRET);
    let (_, mac) = TOKEN.rsplit_once('.').unwrap();

    // `{"sub":"billinG"}`, and a header with a member more.
    for input in [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxsaW5HIn0",
        "eyJhbGciOiJIUzI1NiIsImEiOjF9.eyJzdWIiOiJiaWxsaW5nIn0",
    ] {
        assert!(!is_by(macs, &format!("{input}.{mac}"), &client, &secret, &sealed), "{input}");
    }
}

/// A MAC is good whole.
pub async fn refuses_a_mac_that_was_changed_or_cut(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let sealed = seal(macs, SECRET);
    let (input, mac) = TOKEN.rsplit_once('.').unwrap();

    // 43 characters are 32 bytes: 4, 16 and 40 of them are 3, 12 and 30.
    for cut in [4, 16, 40] {
        let short = format!("{input}.{}", &mac[..cut]);
        assert!(!is_by(macs, &short, &client, &secret, &sealed), "{cut}");
    }
    let zeros = format!("{input}.{}", "A".repeat(43));
    let longer = format!("{input}.{}AAAA", &mac[..40]);
    for wrong in [zeros, longer] {
        assert!(!is_by(macs, &wrong, &client, &secret, &sealed), "{wrong}");
    }
}

/// A client nobody has heard of has no secret.
pub async fn nothing_is_by_nobody(macs: &dyn MacVerifier) {
    for token in [TOKEN, TOKEN_OF_OTHER] {
        assert!(!macs.is_by(&parsed(token), None).unwrap());
    }
}

/// A client that shows its secret shows the one that is sealed.
pub async fn knows_the_secret_itself_and_no_other(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let (sealed, longer) = (seal(macs, SECRET), format!("{SECRET}x"));
    let is_secret = |owner, presented: &str| {
        macs.is_secret(&ClientSecret::new(presented.to_owned()), owner, &sealed)
    };

    let owner = SecretOwner { client: &client, secret: &secret };
    for (presented, is_it) in
        [(SECRET, true), (OTHER, false), ("", false), (&SECRET[1..], false), (&longer, false)]
    {
        assert_eq!(is_secret(owner, presented).unwrap(), is_it, "{presented}");
    }
    let other = SecretOwner { client: &client_id("other"), secret: &secret };
    assert_eq!(is_secret(other, SECRET).unwrap_err().kind(), FaultKind::Corrupt);
}

/// What is kept is a text that every store can hold, and that says nothing.
pub async fn what_is_sealed_does_not_hold_the_secret(macs: &dyn MacVerifier) {
    let sealed = seal(macs, SECRET);

    assert!(!sealed.as_str().contains(SECRET));
    assert!(!sealed.as_str().contains(&SECRET[..8]));
    assert!(sealed.as_str().is_ascii());
    assert!(sealed.as_str().len() <= 255);
}

/// Nobody can tell that two secrets are one.
pub async fn never_seals_twice_alike(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let (one, other) = (seal(macs, SECRET), seal(macs, SECRET));

    assert_ne!(one, other);
    assert!(is_by(macs, TOKEN, &client, &secret, &other));
}

/// Whoever can write to the store cannot give one client the secret of another.
pub async fn what_is_sealed_is_for_one_secret_of_one_client(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let sealed = seal(macs, SECRET);

    for (client, secret) in [
        (client_id("other"), secret.clone()),
        (client.clone(), secret_id("other")),
        // The same letters, cut elsewhere.
        (client_id("billin"), secret_id("gs1")),
        (client_id("billings"), secret_id("1")),
    ] {
        assert_eq!(fault(macs, &client, &secret, &sealed), FaultKind::Corrupt, "{client}");
    }
}

/// A single character that is another opens nothing.
pub async fn what_is_sealed_cannot_be_changed(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let sealed = seal(macs, SECRET);
    let text = sealed.as_str();

    for at in 0..text.len() {
        let other = if text[at..].starts_with('A') { "B" } else { "A" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        let changed = SecretHash::new(changed);
        assert_eq!(fault(macs, &client, &secret, &changed), FaultKind::Corrupt, "{at}");
    }
    for end in 0..text.len() {
        let cut = SecretHash::new(&text[..end]);
        assert_eq!(fault(macs, &client, &secret, &cut), FaultKind::Corrupt, "{end}");
    }
}

/// RFC 7518 section 3.2: a key has as many bytes as the MAC.
pub async fn seals_no_secret_that_is_too_short_or_too_long_for_a_key(macs: &dyn MacVerifier) {
    let (client, secret) = names();
    let owner = SecretOwner { client: &client, secret: &secret };
    let sealed = |bytes: usize| macs.seal(owner, &ClientSecret::new("x".repeat(bytes)));

    for bytes in [0, 1, 31, ClientSecret::MAX_BYTES + 1] {
        assert_eq!(sealed(bytes).unwrap_err().kind(), FaultKind::Corrupt, "{bytes}");
    }
    sealed(32).unwrap();
}

/// A stored text that nobody sealed is somebody's to look at, and lets nobody in.
pub async fn what_was_not_sealed_is_corrupt(macs: &dyn MacVerifier) {
    let (client, secret) = names();

    for text in ["", SECRET, "$", "$$$", "$sealed$", "$sealed$$", "$2b$10$abcdefghijklmnopqrstuv"] {
        let kind = fault(macs, &client, &secret, &SecretHash::new(text));
        assert_eq!(kind, FaultKind::Corrupt, "{text:?}");
    }
}

fn names() -> (ClientId, SecretId) {
    (client_id("billing"), secret_id("s1"))
}

fn seal(macs: &dyn MacVerifier, secret: &str) -> SecretHash {
    let (client, id) = names();
    let owner = SecretOwner { client: &client, secret: &id };
    macs.seal(owner, &ClientSecret::new(secret.to_owned())).unwrap()
}

fn parsed(token: &str) -> CompactMac {
    CompactMac::parse_mac(token).unwrap()
}

fn is_by(
    macs: &dyn MacVerifier,
    token: &str,
    client: &ClientId,
    secret: &SecretId,
    sealed: &SecretHash,
) -> bool {
    macs.is_by(&parsed(token), Some((SecretOwner { client, secret }, sealed))).unwrap()
}

fn fault(
    macs: &dyn MacVerifier,
    client: &ClientId,
    secret: &SecretId,
    sealed: &SecretHash,
) -> FaultKind {
    let owner = SecretOwner { client, secret };
    macs.is_by(&parsed(TOKEN), Some((owner, sealed))).unwrap_err().kind()
}
