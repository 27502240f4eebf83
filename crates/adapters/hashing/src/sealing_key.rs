//! The key that secrets are sealed with.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// What the key is derived for; another version would be another key.
const PURPOSE: &[u8] = b"tokenwright sealed client secrets v1";
/// What its name is derived for.
const NAME_PURPOSE: &[u8] = b"tokenwright sealed client secrets v1, name of the key";
const NAME_BYTES: usize = 4;

/// The key that secrets are sealed with: kept apart from them, so that whoever steals the store
/// learns nothing.
///
/// It is derived (HKDF-SHA-256, RFC 5869) from a text of any form, and what is sealed names it by 32
/// bits that are derived from the same text and tell nothing of it.
#[derive(Clone)]
pub struct SealingKey {
    key: Arc<LessSafeKey>,
    name: Box<str>,
}

/// Why nothing can be sealed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSealingKey {
    /// It could be guessed.
    #[error("a sealing key must have at least {} bytes, drawn at random", SealingKey::MIN_BYTES)]
    Short,
    /// The library failed.
    #[error("no key could be derived")]
    Underivable,
}

impl From<Unspecified> for InvalidSealingKey {
    fn from(_: Unspecified) -> Self {
        Self::Underivable
    }
}

/// So many bytes.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SealingKey {
    /// The fewest bytes of the text.
    pub const MIN_BYTES: usize = 32;

    /// The key made of `text`, which must be random and the same on every node.
    ///
    /// # Errors
    ///
    /// See [`InvalidSealingKey`].
    pub fn new(text: &[u8]) -> Result<Self, InvalidSealingKey> {
        if text.len() < Self::MIN_BYTES {
            return Err(InvalidSealingKey::Short);
        }
        // Without a salt: every node derives the same of the same text, which is random.
        let derived: Prk = Salt::new(HKDF_SHA256, &[]).extract(text);
        let key = UnboundKey::from(derived.expand(&[PURPOSE], &AES_256_GCM)?);
        let mut bytes = [0; NAME_BYTES];
        derived.expand(&[NAME_PURPOSE], Length(NAME_BYTES))?.fill(&mut bytes)?;
        let mut name = String::with_capacity(2 * NAME_BYTES);
        for byte in bytes {
            // Writing to a string never fails.
            let _ = write!(name, "{byte:02x}");
        }
        Ok(Self { key: Arc::new(LessSafeKey::new(key)), name: name.into() })
    }

    /// How what is sealed names it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn key(&self) -> &LessSafeKey {
        &self.key
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, [redacted])", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_one_key_and_another_text_another() {
        let name = |text: &[u8]| SealingKey::new(text).unwrap().name().to_owned();

        assert_eq!(name(&[7; 32]), name(&[7; 32]));
        assert_ne!(name(&[7; 32]), name(&[8; 32]));
        assert_ne!(name(&[7; 32]), name(&[7; 33]));
        assert_eq!(SealingKey::new(&[7; 31]).unwrap_err(), InvalidSealingKey::Short);
    }

    #[test]
    fn t37_a_key_does_not_betray_itself_in_a_debug_log() {
        let key = SealingKey::new(b"hunter2-hunter2-hunter2-hunter2-hunter2").unwrap();
        assert_eq!(format!("{key:?}"), format!("SealingKey({}, [redacted])", key.name()));
    }
}
