//! The key of keyed hashes.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key};

use crate::InvalidHashingOptions;

/// The key of keyed hashes: kept apart from them, so that whoever steals the store learns nothing.
///
/// Hashes name it by the first 32 bits of its SHA-256 digest.
#[derive(Clone)]
pub struct Pepper {
    key: Arc<Key>,
    id: Box<str>,
}

impl Pepper {
    /// The fewest bytes it may have.
    pub const MIN_BYTES: usize = 32;

    /// The pepper made of `bytes`, which must be random and the same on every node.
    ///
    /// # Errors
    ///
    /// [`InvalidHashingOptions::ShortPepper`].
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidHashingOptions> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(InvalidHashingOptions::ShortPepper);
        }
        let mut id = String::with_capacity(8);
        for byte in digest(&SHA256, bytes).as_ref().iter().take(4) {
            // Writing to a string never fails.
            let _ = write!(id, "{byte:02x}");
        }
        Ok(Self { key: Arc::new(Key::new(HMAC_SHA256, bytes)), id: id.into() })
    }

    /// How hashes name it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({}, [redacted])", self.id)
    }
}
