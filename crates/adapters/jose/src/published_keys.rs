//! What the world may know of our keys.

use domain::PublicJwk;
use serde_json::json;

/// Our public keys, as they stand in the JWKS document (RFC 7517 section 5).
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    revision: u64,
    keys: Vec<PublicJwk>,
    document: Box<[u8]>,
}

impl PublishedKeys {
    pub(crate) fn new(revision: u64, keys: Vec<PublicJwk>) -> Self {
        let members: Vec<_> = keys.iter().map(PublicJwk::to_json).collect();
        let document = json!({ "keys": members }).to_string().into_bytes().into();
        Self { revision, keys, document }
    }

    /// The revision of the key set that they were made from.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The keys, in every state, newest last. Each has a `kid`.
    #[must_use]
    pub fn keys(&self) -> &[PublicJwk] {
        &self.keys
    }

    /// The JWKS document: JSON, prepared once.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.document
    }
}
