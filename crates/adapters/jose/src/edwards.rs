//! Which 32 bytes are a public key of Ed25519 that only its owner signs with.
//!
//! No library at hand says so when it reads a key: whoever registers one should be told then.

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

/// `2^255 - 19`, the prime of the field.
const PRIME: &str = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";

/// The `d` of the curve `-x² + y² = 1 + d x² y²` (RFC 8032 section 5.1).
const D: &str = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

/// The `y` of the points of order 1, 2, 4 and 8, with which anybody can sign: big endian.
const SMALL_ORDER: [&str; 5] = [
    "01",
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
    "00",
    "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
    "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
];

/// Whether `encoded` is the canonical form of a point on the curve, and not one of the few with
/// which anybody can sign. Takes some 20 µs.
pub(crate) fn is_safe_point(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    y.reverse();
    // The top bit is the sign of x; what is left is y.
    y[0] &= 0x7f;
    is_safe(&y).unwrap_or(false)
}

fn is_safe(y: &[u8]) -> Result<bool, ErrorStack> {
    let prime = BigNum::from_hex_str(PRIME)?;
    let y = BigNum::from_slice(y)?;
    if prime <= y {
        return Ok(false);
    }
    for small in SMALL_ORDER {
        if y == BigNum::from_hex_str(small)? {
            return Ok(false);
        }
    }
    // x² = (y² - 1) / (d y² + 1) has a root exactly if (y² - 1) (d y² + 1) is a square, which
    // Euler's criterion tells. It is not zero: that would be y = 1 or -1, or -1/d a square.
    let context = &mut BigNumContext::new()?;
    let one = BigNum::from_u32(1)?;
    let (mut square, mut numerator) = (BigNum::new()?, BigNum::new()?);
    square.mod_sqr(&y, &prime, context)?;
    numerator.mod_sub(&square, &one, &prime, context)?;
    let (mut product, mut denominator) = (BigNum::new()?, BigNum::new()?);
    let d = BigNum::from_hex_str(D)?;
    product.mod_mul(&d, &square, &prime, context)?;
    denominator.mod_add(&product, &one, &prime, context)?;
    product.mod_mul(&numerator, &denominator, &prime, context)?;
    let mut half = BigNum::new()?;
    half.rshift1(&prime)?;
    let mut residue = BigNum::new()?;
    residue.mod_exp(&product, &half, &prime, context)?;
    Ok(residue == one)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};

    use super::*;

    fn little_endian(hex: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (index, byte) in BigNum::from_hex_str(hex).unwrap().to_vec().iter().rev().enumerate() {
            bytes[index] = *byte;
        }
        bytes
    }

    #[test]
    fn every_real_key_is_safe() {
        for _ in 0..200 {
            let pair = Ed25519KeyPair::generate().unwrap();
            assert!(is_safe_point(&pair.public_key().as_ref().try_into().unwrap()));
        }
    }

    #[test]
    fn about_half_of_all_texts_are_no_points() {
        let found = (0..=255_u8).filter(|it| is_safe_point(&[*it % 127; 32])).count();
        assert!((64..192).contains(&found), "{found}");
    }

    #[test]
    fn t14_points_of_small_order_are_refused_and_would_let_anybody_sign() {
        let mut forgery = [0; 64];
        // R is the identity and s is zero.
        forgery[0] = 1;
        for small in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut encoded = little_endian(small);
                encoded[31] |= sign;
                assert!(!is_safe_point(&encoded), "{small}");
                if small == "01" || small.ends_with("ec") {
                    // With x = 0 only one of the two signs is canonical.
                    if sign != 0 {
                        continue;
                    }
                }
                let key = ParsedPublicKey::new(&ED25519, encoded).unwrap();
                let is_forged =
                    (0..200_u8).any(|message| key.verify_sig(&[message], &forgery).is_ok());
                assert!(is_forged, "{small} is not of small order");
            }
        }
    }

    #[test]
    fn t14_a_form_that_is_not_canonical_is_refused() {
        // y = 3 is fine or not, yet y = p + 3 never is.
        for offset in 0..19_u8 {
            let mut encoded = [0xff; 32];
            encoded[31] = 0x7f;
            encoded[0] = 0xed + offset;
            assert!(!is_safe_point(&encoded), "{offset}");
        }
    }
}
