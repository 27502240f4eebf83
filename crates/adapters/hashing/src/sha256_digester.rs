//! SHA-256 of tokens.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use domain::TokenDigest;
use domain::port::TokenDigester;

/// SHA-256 of tokens that nobody can guess.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sha256Digester;

impl TokenDigester for Sha256Digester {
    fn digest(&self, token: &str) -> TokenDigest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        TokenDigest(bytes)
    }

    fn is_same(&self, one: &TokenDigest, other: &TokenDigest) -> bool {
        verify_slices_are_equal(&one.0, &other.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_as_fips_180_says() {
        let digest = Sha256Digester.digest("abc");

        assert_eq!(digest.0[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(Sha256Digester.is_same(&digest, &Sha256Digester.digest("abc")));
        assert!(!Sha256Digester.is_same(&digest, &Sha256Digester.digest("abd")));
    }
}
