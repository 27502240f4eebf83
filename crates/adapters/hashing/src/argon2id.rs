//! argon2id (RFC 9106), stored in the PHC string format.

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use domain::Fault;
use zeroize::Zeroizing;

/// The length of the digests we make.
const DIGEST_BYTES: usize = 32;

/// The most we spend on one hash: whoever can write hashes could ask for more than there is.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_PARALLELISM: u32 = 64;

/// An argon2id hash.
#[derive(Clone)]
pub(crate) struct Argon2idHash {
    version: Version,
    params: Params,
    salt: Box<[u8]>,
    digest: Box<[u8]>,
}

/// Parameters that we spend, with digests of our length.
pub(crate) fn params(memory_kib: u32, iterations: u32, parallelism: u32) -> Option<Params> {
    let params = Params::new(memory_kib, iterations, parallelism, Some(DIGEST_BYTES)).ok()?;
    is_affordable(&params).then_some(params)
}

fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_ITERATIONS
        && params.p_cost() <= MAX_PARALLELISM
}

impl Argon2idHash {
    /// Computes the hash of `secret`.
    pub(crate) fn compute(secret: &str, params: &Params, salt: [u8; 16]) -> Result<Self, Fault> {
        let hash = Self::dummy(params.clone(), salt, [0; DIGEST_BYTES]);
        let digest = hash.digest_of(secret)?;
        Ok(Self { digest: digest.as_slice().into(), ..hash })
    }

    /// A hash of nothing in particular, made without computing one.
    pub(crate) fn dummy(params: Params, salt: [u8; 16], digest: [u8; DIGEST_BYTES]) -> Self {
        Self { version: Version::V0x13, params, salt: salt.into(), digest: digest.into() }
    }

    /// Reads `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok().filter(is_affordable)?;
        let version = match hash.version {
            None => Version::V0x10,
            Some(it) => Version::try_from(it).ok()?,
        };
        let (salt, digest) = (hash.salt?, hash.hash?);
        let (salt, digest): (&[u8], &[u8]) = (salt.as_ref(), digest.as_bytes());
        let is_long_enough = argon2::MIN_SALT_LEN <= salt.len() && 16 <= digest.len();
        is_long_enough.then(|| Self { version, params, salt: salt.into(), digest: digest.into() })
    }

    /// Whether `secret` is behind the hash.
    pub(crate) fn verify(&self, secret: &str) -> Result<bool, Fault> {
        let digest = self.digest_of(secret)?;
        Ok(verify_slices_are_equal(&digest, &self.digest).is_ok())
    }

    /// Whether it was computed as `params` say, in the present version.
    pub(crate) fn is_of(&self, params: &Params) -> bool {
        self.params == *params && self.version == Version::V0x13
    }

    /// The stored form.
    pub(crate) fn encode(&self) -> String {
        let encoded = |bytes| BASE64_STANDARD_NO_PAD.encode(bytes);
        format!(
            "$argon2id$v={}$m={},t={},p={}${}${}",
            u32::from(self.version),
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            encoded(&self.salt),
            encoded(&self.digest),
        )
    }

    fn digest_of(&self, secret: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let argon2 = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone());
        let mut digest = Zeroizing::new(vec![0; self.digest.len()]);
        argon2
            .hash_password_into(secret.as_bytes(), &self.salt, &mut digest)
            // What else could fail was checked when the hash was read: there is no memory.
            .map_err(|_| Fault::unavailable("there is no memory for argon2id"))?;
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the reference implementation (`test.c`, version 0x13, argon2id).
    const REFERENCE: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn agrees_with_the_reference_implementation() {
        let hash = Argon2idHash::parse(REFERENCE).unwrap();

        assert!(hash.verify("password").unwrap());
        assert!(!hash.verify("Password").unwrap());
        assert_eq!(hash.encode(), REFERENCE);
    }

    #[test]
    fn t48_a_hash_that_costs_too_much_is_not_read() {
        for (settings, is_read) in [
            ("m=256,t=2,p=1", true),
            ("m=1048577,t=2,p=1", false),
            ("m=4294967295,t=2,p=1", false),
            ("m=256,t=65,p=1", false),
            ("m=1024,t=2,p=65", false),
            ("m=7,t=2,p=1", false),
            ("m=256,t=0,p=1", false),
        ] {
            let text = REFERENCE.replace("m=256,t=2,p=1", settings);
            assert_eq!(Argon2idHash::parse(&text).is_some(), is_read, "{settings}");
        }
        for (part, other) in [("c29tZXNhbHQ", "c29t"), ("$v=19", "$v=18"), ("$nf65", "$nf6!")] {
            assert!(Argon2idHash::parse(&REFERENCE.replace(part, other)).is_none(), "{other}");
        }
    }
}
