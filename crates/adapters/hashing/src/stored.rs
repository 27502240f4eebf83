//! The stored form of a secret, read: it names its own scheme.

use domain::{Fault, SecretHash};

use crate::argon2id::Argon2idHash;
use crate::bcrypted::BcryptHash;
use crate::keyed::{self, KeyedHash};
use crate::sealed;

/// The stored form of a secret, of one of our schemes.
#[derive(Clone)]
pub(crate) enum Stored {
    /// Takes a microsecond.
    Keyed(KeyedHash),
    /// Takes its time.
    Slow(SlowHash),
}

/// A hash that takes its time.
#[derive(Clone)]
pub(crate) enum SlowHash {
    Bcrypt(BcryptHash),
    Argon2id(Argon2idHash),
}

impl Stored {
    pub(crate) fn parse(hash: &SecretHash) -> Result<Self, Fault> {
        let text = hash.as_str();
        let parsed = match text.split('$').nth(1) {
            Some("2a" | "2b" | "2y") => BcryptHash::parse(text).map(SlowHash::Bcrypt),
            Some("bcrypt-sha256") => BcryptHash::parse_long(text).map(SlowHash::Bcrypt),
            Some("argon2id") => Argon2idHash::parse(text).map(SlowHash::Argon2id),
            Some(keyed::NAME) => return KeyedHash::parse(text).map(Self::Keyed).ok_or_else(broken),
            Some(sealed::NAME) => return Err(Fault::corrupt(MISPLACED)),
            Some(_) | None => return Err(Fault::corrupt("a stored hash is of no known scheme")),
        };
        parsed.map(Self::Slow).ok_or_else(broken)
    }
}

const MISPLACED: &str =
    "a secret is sealed for client_secret_jwt, and its client sends secrets: it needs a new one";

/// The text is not repeated: it is for an operator who can look it up.
fn broken() -> Fault {
    Fault::corrupt("a stored hash is malformed, or costs more than we spend")
}

impl SlowHash {
    /// Whether `secret` is behind it. Costs the same whatever the answer is.
    pub(crate) fn verify(&self, secret: &str) -> Result<bool, Fault> {
        match self {
            Self::Bcrypt(hash) => Ok(hash.verify(secret)),
            Self::Argon2id(hash) => hash.verify(secret),
        }
    }
}
