//! The digest of the bootstrap token in a variable.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::port::BootstrapRepository;
use domain::{Fault, TokenDigest};

use crate::lock::locked;

/// The digest of the bootstrap token in a variable, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryBootstrap(Mutex<Option<TokenDigest>>);

#[async_trait]
impl BootstrapRepository for MemoryBootstrap {
    async fn find(&self) -> Result<Option<TokenDigest>, Fault> {
        Ok(locked(&self.0).clone())
    }

    async fn claim(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        let mut kept = locked(&self.0);
        let is_free = kept.is_none();
        if is_free {
            *kept = Some(digest.clone());
        }
        Ok(is_free)
    }

    async fn replace(&self, digest: &TokenDigest) -> Result<(), Fault> {
        *locked(&self.0) = Some(digest.clone());
        Ok(())
    }
}
