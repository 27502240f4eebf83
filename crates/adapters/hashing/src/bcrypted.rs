//! bcrypt, which never cuts a secret.
//!
//! bcrypt reads 72 bytes and ends at a NUL. A secret that fits is hashed as everybody does it:
//! `$2b$10$..`, and such hashes can be imported from anywhere. A secret that does not fit is
//! hashed as passlib's `bcrypt_sha256` version 2 does it, and marked so:
//! `$bcrypt-sha256$v=2,t=2b,r=10$<salt>$<digest>`, where bcrypt reads the base64 form of
//! HMAC-SHA-256 of the secret under the salt. A secret that does not fit therefore never matches a
//! plain bcrypt hash, whatever other software made of it (threat T23).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// The most bytes of a secret that bcrypt reads.
const MAX_BYTES: usize = 72;

/// The costs we spend: 16 takes 6 s, and whoever can write hashes could write 31.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// bcrypt's own base64. Old implementations leave unused bits set: they mean nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A bcrypt hash.
#[derive(Clone)]
pub(crate) struct BcryptHash {
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
    form: Form,
}

/// What bcrypt read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The secret itself.
    Plain,
    /// The base64 form of its HMAC.
    Long,
}

impl BcryptHash {
    /// Computes the hash of `secret`.
    pub(crate) fn compute(secret: &str, cost: u32, salt: [u8; 16]) -> Self {
        let form = if fits(secret) { Form::Plain } else { Form::Long };
        Self { cost, salt, digest: digest(secret, cost, salt, form), form }
    }

    /// A hash of nothing in particular, made without computing one.
    pub(crate) fn dummy(cost: u32, salt: [u8; 16], digest: [u8; 23]) -> Self {
        Self { cost, salt, digest, form: Form::Plain }
    }

    /// Reads `$2b$10$..`: 22 characters of salt and 31 of digest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$').skip(2);
        let (cost, rest) = (parts.next()?, parts.next()?);
        if cost.len() != 2 || parts.next().is_some() {
            return None;
        }
        Self::from_parts(cost, rest.get(..22)?, rest.get(22..)?, Form::Plain)
    }

    /// Reads `$bcrypt-sha256$v=2,t=2b,r=10$<salt>$<digest>`.
    pub(crate) fn parse_long(text: &str) -> Option<Self> {
        let mut parts = text.split('$').skip(2);
        let (settings, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let cost = settings.strip_prefix("v=2,t=2b,r=")?;
        if parts.next().is_some() {
            return None;
        }
        Self::from_parts(cost, salt, digest, Form::Long)
    }

    fn from_parts(cost: &str, salt: &str, digest: &str, form: Form) -> Option<Self> {
        let is_number = cost.bytes().all(|it| it.is_ascii_digit());
        let cost = cost.parse().ok().filter(|it| is_number && COSTS.contains(it))?;
        let salt = BASE64.decode(salt).ok()?.try_into().ok()?;
        let digest = BASE64.decode(digest).ok()?.try_into().ok()?;
        Some(Self { cost, salt, digest, form })
    }

    /// Whether `secret` is behind the hash. One that does not fit into a plain hash costs as much
    /// as one that does, and is not.
    pub(crate) fn verify(&self, secret: &str) -> bool {
        let (form, can_match) = match (self.form, fits(secret)) {
            (Form::Plain, true) => (Form::Plain, true),
            (Form::Plain, false) => (Form::Long, false),
            (Form::Long, _) => (Form::Long, true),
        };
        let digest = digest(secret, self.cost, self.salt, form);
        verify_slices_are_equal(&digest, &self.digest).is_ok() && can_match
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// The stored form.
    pub(crate) fn encode(&self) -> String {
        let (cost, salt) = (self.cost, BASE64.encode(self.salt));
        let digest = BASE64.encode(self.digest);
        match self.form {
            Form::Plain => format!("$2b${cost:02}${salt}{digest}"),
            Form::Long => format!("$bcrypt-sha256$v=2,t=2b,r={cost}${salt}${digest}"),
        }
    }
}

/// Whether bcrypt reads all of `secret`.
fn fits(secret: &str) -> bool {
    secret.len() <= MAX_BYTES && !secret.contains('\0')
}

fn digest(secret: &str, cost: u32, salt: [u8; 16], form: Form) -> [u8; 23] {
    let hashed = match form {
        Form::Plain => None,
        Form::Long => {
            let key = Key::new(HMAC_SHA256, BASE64.encode(salt).as_bytes());
            Some(Zeroizing::new(BASE64_STANDARD.encode(sign(&key, secret.as_bytes()))))
        }
    };
    let text = hashed.as_deref().map_or(secret, String::as_str);
    // The NUL at its end is part of what bcrypt reads, where there is room for it.
    let mut input = Zeroizing::new([0; MAX_BYTES]);
    for (byte, read) in input.iter_mut().zip(text.bytes()) {
        *byte = read;
    }
    let used = input.get(..=text.len()).unwrap_or(&*input);
    let [digest @ .., _unused] = bcrypt::bcrypt(cost, salt, used);
    digest
}

/// What bcrypt needs to be safe and to end.
pub(crate) fn is_cost_allowed(cost: u32) -> bool {
    (4..=15).contains(&cost)
}

#[cfg(test)]
#[path = "bcrypted_tests.rs"]
mod tests;
