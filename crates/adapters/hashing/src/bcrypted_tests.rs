use proptest::prelude::*;

use super::*;
use crate::random::random;

/// From jBCrypt's, Openwall's and passlib's public test vectors.
const VECTORS: [(&str, &str); 12] = [
    ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
    (
        "~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
        "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO",
    ),
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    // Exactly 72 bytes, which is all that bcrypt reads.
    (
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
];

/// From passlib's documentation: `bcrypt_sha256`, version 2, of `password`.
const PASSLIB: &str =
    "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2";

fn salt() -> [u8; 16] {
    random().unwrap()
}

#[test]
fn agrees_with_the_public_test_vectors() {
    for (secret, text) in VECTORS {
        let hash = BcryptHash::parse(text).unwrap();
        assert!(hash.verify(secret), "{secret} {text}");
        assert!(!hash.verify(&format!("{secret}x")), "{secret} {text}");
    }
}

#[test]
fn agrees_with_passlib_on_long_secrets() {
    let hash = BcryptHash::parse_long(PASSLIB).unwrap();

    assert!(hash.verify("password"));
    assert!(!hash.verify("Password"));
    assert_eq!(hash.encode(), PASSLIB);
}

#[test]
fn agrees_with_the_bcrypt_crate() {
    for length in [0, 1, 71] {
        let secret = "x".repeat(length);
        let text = bcrypt::non_truncating_hash(&secret, 4).unwrap();
        assert!(BcryptHash::parse(&text).unwrap().verify(&secret), "{length}");
        let own = BcryptHash::compute(&secret, 4, salt()).encode();
        assert!(bcrypt::non_truncating_verify(&secret, &own).unwrap(), "{length}");
    }
}

#[test]
fn t23_what_bcrypt_would_cut_is_never_cut() {
    let bytes_72 = "a".repeat(72);
    let cut = bcrypt::hash_with_salt(&bytes_72, 4, salt()).unwrap().to_string();
    let plain = BcryptHash::parse(&cut).unwrap();

    assert!(plain.verify(&bytes_72));
    for longer in ["a".repeat(73), "a".repeat(72) + "b", "a".repeat(1_024), "a".repeat(72) + "\0"] {
        assert!(!plain.verify(&longer), "{}", longer.len());
        let own = BcryptHash::compute(&longer, 4, salt());
        assert!(own.encode().starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"));
        assert!(own.verify(&longer));
        assert!(!own.verify(&bytes_72));
    }
    assert!(BcryptHash::compute(&bytes_72, 4, salt()).encode().starts_with("$2b$04$"));
}

#[test]
fn t23_nothing_ends_at_a_nul() {
    let text = bcrypt::non_truncating_hash("one", 4).unwrap();
    let plain = BcryptHash::parse(&text).unwrap();

    assert!(plain.verify("one"));
    for secret in ["one\0", "one\0two", "\0", "one\0one"] {
        assert!(!plain.verify(secret), "{secret:?}");
        let own = BcryptHash::compute(secret, 4, salt());
        assert!(own.verify(secret));
        assert!(!own.verify("one"));
    }
}

#[test]
fn t23_the_hashed_form_of_a_long_secret_is_not_that_secret() {
    let long = "a".repeat(100);
    let salt = salt();
    let hash = BcryptHash::compute(&long, 4, salt);
    let key = Key::new(HMAC_SHA256, BASE64.encode(salt).as_bytes());
    let inner = BASE64_STANDARD.encode(sign(&key, long.as_bytes()));

    assert!(!hash.verify(&inner));
}

#[test]
fn unused_bits_of_old_salts_mean_nothing() {
    let text = "$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    assert!(BcryptHash::parse(text).unwrap().verify("U*U"));
}

#[test]
fn t48_what_is_no_hash_or_costs_too_much_is_not_read() {
    let rest = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    for cost in ["03", "17", "31", "99", "5", "+5", "005", "", "x"] {
        assert!(BcryptHash::parse(&format!("$2b${cost}${rest}")).is_none(), "{cost}");
    }
    for rest in
        ["", "short", &rest[1..], &format!("{rest}x"), &format!("{rest}$"), "é", &"é".repeat(53)]
    {
        assert!(BcryptHash::parse(&format!("$2b$05${rest}")).is_none(), "{rest}");
    }
    for (part, other) in [("v=2", "v=1"), ("t=2b", "t=2a"), ("r=12", "r=17"), ("ft2", "ft2$")] {
        assert!(BcryptHash::parse_long(&PASSLIB.replace(part, other)).is_none(), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_the_secret_itself_matches(one in "[ab\\x00]{0,90}", other in "[ab\\x00]{0,90}") {
        let hash = BcryptHash::compute(&one, 4, salt());
        let form = hash.encode();
        let read = if form.starts_with("$2b$") { BcryptHash::parse(&form) } else { BcryptHash::parse_long(&form) };
        let read = read.unwrap();

        prop_assert!(read.verify(&one));
        prop_assert_eq!(read.verify(&other), one == other);
    }

    #[test]
    fn never_panics(text in "\\$(2b|bcrypt-sha256)\\$.{0,90}") {
        let _ = (BcryptHash::parse(&text), BcryptHash::parse_long(&text));
    }
}
