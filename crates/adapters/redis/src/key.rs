//! What things are called in Redis.

use std::fmt::Write as _;

use domain::{CacheKey, ClientId, TokenDigest, TokenId};

/// What the names of all keys and channels begin with.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// That an assertion was used. The length of the client's id stands before it, so that no two
    /// pairs make one name, whatever their characters.
    pub(crate) fn used(&self, client: &ClientId, id: &TokenId) -> String {
        let client = client.as_str();
        format!("{}used:{}:{client}:{}", self.prefix, client.len(), id.as_str())
    }

    /// That a token was taken back.
    pub(crate) fn revoked_token(&self, id: &TokenId) -> String {
        format!("{}revoked:token:{}", self.prefix, id.as_str())
    }

    /// Until when a client's tokens were taken back.
    pub(crate) fn revoked_client(&self, id: &ClientId) -> String {
        format!("{}revoked:client:{id}", self.prefix)
    }

    /// What a reference token stands for.
    pub(crate) fn reference(&self, digest: &TokenDigest) -> String {
        format!("{}reference:{}", self.prefix, hexadecimal(&digest.0))
    }

    /// A token that was fetched for somebody.
    pub(crate) fn cached(&self, key: &CacheKey) -> String {
        format!("{}cached:{}", self.prefix, hexadecimal(&key.0))
    }

    /// The channel on which changes are told.
    pub(crate) fn changes(&self) -> String {
        format!("{}changes", self.prefix)
    }

    /// What is written to see whether writing works. `number` makes for another slot of a cluster.
    pub(crate) fn probe(&self, number: u32) -> String {
        format!("{}probe:{number}", self.prefix)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
