//! Every node uses the keys that are stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::port::{KeyRepository, KeyRingInstaller};
use domain::{Fault, KeySet};

/// Takes over keys that another node, or a command, changed.
#[derive(Clone)]
pub struct RefreshKeys {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyRepository>,
    /// Who signs and verifies with them.
    pub ring: Arc<dyn KeyRingInstaller>,
    /// The revision in use.
    pub installed: Arc<AtomicU64>,
}

impl RefreshKeys {
    /// Runs the use-case. `true` if the keys were other ones.
    ///
    /// # Errors
    ///
    /// See [`Fault`]; then the keys in use stay in use.
    pub async fn execute(&self) -> Result<bool, Fault> {
        self.install(&self.keys.load().await?)
    }

    /// Uses `keys` unless they are in use already.
    ///
    /// # Errors
    ///
    /// See [`Fault`]; then the keys in use stay in use.
    pub fn install(&self, keys: &KeySet) -> Result<bool, Fault> {
        if self.installed.load(Ordering::Acquire) == keys.revision {
            return Ok(false);
        }
        self.ring.install(keys)?;
        self.installed.store(keys.revision, Ordering::Release);
        Ok(true)
    }
}
