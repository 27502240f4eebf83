//! Reference tokens in a map.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::port::{Clock, ReferenceTokenRepository};
use domain::{Fault, ReferenceToken, TokenDigest};

use crate::expiring::{Expiring, GRACE};
use crate::lock::locked;

/// Reference tokens in a map, gone with the process.
pub struct MemoryReferenceTokens {
    tokens: Mutex<Expiring<TokenDigest, ReferenceToken>>,
    clock: Arc<dyn Clock>,
}

impl MemoryReferenceTokens {
    /// A store without tokens. It asks `clock` what it may forget.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { tokens: Mutex::default(), clock }
    }
}

impl fmt::Debug for MemoryReferenceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReferenceTokens").finish_non_exhaustive()
    }
}

#[async_trait]
impl ReferenceTokenRepository for MemoryReferenceTokens {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        let mut tokens = locked(&self.tokens);
        tokens.forget_before(self.clock.now().before(GRACE));
        if tokens.get(digest).is_some() {
            return Ok(false);
        }
        tokens.insert(digest.clone(), token.clone(), token.expires_at);
        Ok(true)
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        Ok(locked(&self.tokens).get(digest).map(|(token, _)| token.clone()))
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        Ok(locked(&self.tokens).remove(digest))
    }
}
