//! Every node uses the keys that are stored, for as long as each is good.

use std::sync::{Arc, Mutex, PoisonError};

use domain::port::{Clock, KeyRepository, KeyRingInstaller};
use domain::{Fault, KeyId, KeyPolicy, KeySet};

/// Takes over keys that another node, or a command, changed, and lets go of retired ones whose
/// last token has expired.
#[derive(Clone)]
pub struct RefreshKeys {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyRepository>,
    /// Who signs and verifies with them.
    pub ring: Arc<dyn KeyRingInstaller>,
    /// How long a retired key is still good.
    pub policy: KeyPolicy,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is in use.
    pub installed: Arc<Mutex<Installed>>,
}

/// Which keys are in use.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Installed {
    revision: u64,
    keys: Vec<KeyId>,
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
        let good = keys.without_expired(&self.policy, self.clock.now());
        let ids = good.keys.iter().map(|key| key.id.clone()).collect();
        let next = Installed { revision: good.revision, keys: ids };
        let mut installed = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
        if *installed == next {
            return Ok(false);
        }
        self.ring.install(&good)?;
        *installed = next;
        Ok(true)
    }
}
