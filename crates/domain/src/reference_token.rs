//! Access tokens that say nothing by themselves.

use std::fmt;
use std::sync::Arc;

use crate::{ClientId, JsonObject, Timestamp};

/// What is kept of a reference token: all that it stands for, but never the token itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceToken {
    /// Whom it was issued to.
    pub client: ClientId,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// The claims that a signed token would carry.
    pub claims: Arc<JsonObject>,
}

/// A new reference token, ready to be handed out. Opaque to whoever gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueToken(Box<str>);

impl OpaqueToken {
    /// Wraps what was drawn from the operating system's randomness.
    #[must_use]
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// The text to hand out.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken([redacted])")
    }
}

/// What a token that was fetched for somebody is remembered by: a digest of all that it was fetched
/// with. It tells nothing of that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(pub [u8; 32]);

/// A token that was fetched for somebody, encrypted by whoever keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken(pub Vec<u8>);

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedToken({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t37_a_token_does_not_betray_itself_in_a_debug_log() {
        assert_eq!(format!("{:?}", OpaqueToken::new("hunter2")), "OpaqueToken([redacted])");
        assert_eq!(format!("{:?}", SealedToken(vec![7; 3])), "SealedToken(3 bytes)");
    }
}
