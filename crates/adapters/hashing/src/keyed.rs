//! HMAC-SHA-256 under a pepper, for secrets that nobody can guess.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{Context, Tag};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use domain::Fault;

use crate::Pepper;

/// The scheme's name in stored hashes.
pub(crate) const NAME: &str = "keyed-sha256";

/// A keyed hash: `$keyed-sha256$<pepper>$<salt>$<mac>`.
#[derive(Clone)]
pub(crate) struct KeyedHash {
    pepper: Box<str>,
    salt: [u8; 16],
    mac: [u8; 32],
}

impl KeyedHash {
    /// Computes the stored form of `secret`.
    pub(crate) fn encode(secret: &str, pepper: &Pepper, salt: [u8; 16]) -> String {
        let mac = mac(secret, pepper, salt);
        let encoded = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
        format!("${NAME}${}${}${}", pepper.id(), encoded(&salt), encoded(mac.as_ref()))
    }

    /// A hash of nothing in particular.
    pub(crate) fn dummy(pepper: &Pepper, salt: [u8; 16], mac: [u8; 32]) -> Self {
        Self { pepper: pepper.id().into(), salt, mac }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$').skip(2);
        let (pepper, salt, mac) = (parts.next()?, parts.next()?, parts.next()?);
        if pepper.len() != 8 || parts.next().is_some() {
            return None;
        }
        Some(Self {
            pepper: pepper.into(),
            salt: BASE64_STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?,
            mac: BASE64_STANDARD_NO_PAD.decode(mac).ok()?.try_into().ok()?,
        })
    }

    /// Whether `secret` is behind the hash, if `pepper` is the one it was made with.
    pub(crate) fn verify(&self, secret: &str, pepper: Option<&Pepper>) -> Result<bool, Fault> {
        let Some(pepper) = pepper else {
            return Err(Fault::corrupt("a stored hash is keyed, and no pepper is configured"));
        };
        if pepper.id() != &*self.pepper {
            return Err(Fault::corrupt(format!(
                "a stored hash is keyed with another pepper than {}, the configured one",
                pepper.id()
            )));
        }
        let mac = mac(secret, pepper, self.salt);
        Ok(verify_slices_are_equal(mac.as_ref(), &self.mac).is_ok())
    }
}

/// The scheme's name keeps apart what else might be done with the same pepper; the salt has one
/// length, so no two inputs run together.
fn mac(secret: &str, pepper: &Pepper, salt: [u8; 16]) -> Tag {
    let mut context = Context::with_key(pepper.key());
    context.update(NAME.as_bytes());
    context.update(&salt);
    context.update(secret.as_bytes());
    context.sign()
}
