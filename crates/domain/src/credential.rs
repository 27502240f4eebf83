//! What is kept of a client's secrets.

use std::fmt;

use crate::{ClientId, SecretId, SecretName, Timestamp};

/// The most secrets one client may have at a time: enough for a rotation with overlap.
pub const MAX_SECRETS_PER_CLIENT: usize = 5;

/// One secret of a client, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Which secret of the client it is.
    pub id: SecretId,
    /// What an operator calls it.
    pub name: Option<SecretName>,
    /// The hash it must match.
    pub hash: SecretHash,
    /// Which of several secrets a presented one can be; `None` where that is not known.
    pub selector: Option<SecretSelector>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worth nothing; `None` for never (RFC 7591: 0).
    pub expires_at: Option<Timestamp>,
    /// When it last verified, as far as that is written down.
    pub last_used: Option<Timestamp>,
}

impl Credential {
    /// Whether it is worth anything at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether a presented secret with `presented` as selector can be this one.
    #[must_use]
    pub fn may_be(&self, presented: SecretSelector) -> bool {
        self.selector.is_none_or(|own| own == presented)
    }
}

/// A secret that ends, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndingSecret {
    /// Whose it is; `None` where the store keeps secrets under names that tell no client.
    pub client: Option<ClientId>,
    /// What is kept of it.
    pub secret: Credential,
}

/// The stored form of a secret, which names its own scheme. Opaque to the domain.
///
/// Its `Debug` output shows the scheme at most.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(Box<str>);

impl SecretHash {
    /// Wraps what a `SecretHasher` made, or a store kept.
    #[must_use]
    pub fn new(encoded: impl Into<Box<str>>) -> Self {
        Self(encoded.into())
    }

    /// The encoded hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split('$').nth(1).unwrap_or("?");
        write!(f, "SecretHash(${}$[redacted])", scheme.get(..8).unwrap_or(scheme))
    }
}

/// Sixteen bits of a secret's digest, which tell its hash among several.
///
/// With it exactly one hash is computed for each request, however many secrets a client has, so
/// that neither time nor load tells how many there are. It is kept only for secrets that we made
/// (some 270 bits of entropy: sixteen fewer are no loss), never for imported ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretSelector(pub u16);

/// The SHA-256 digest of a token of ours that is kept only as a digest.
///
/// Compare it through the port that made it, in constant time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// The selector of the secret with this digest.
    #[must_use]
    pub fn selector(&self) -> SecretSelector {
        let [high, low, ..] = self.0;
        SecretSelector(u16::from_be_bytes([high, low]))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t37_a_hash_does_not_betray_itself_in_a_debug_log() {
        let hash = SecretHash::new("$2b$10$abcdefghijklmnopqrstuv");
        assert_eq!(format!("{hash:?}"), "SecretHash($2b$[redacted])");
        assert_eq!(format!("{:?}", TokenDigest([7; 32])), "TokenDigest([redacted])");
    }
}
