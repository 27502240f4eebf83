//! Every node uses the keys that are stored, for as long as each is good.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::port::{Clock, KeyRepository, KeyRingInstaller};
use domain::{Fault, KeyId, KeyPolicy, KeySet};
use futures_util::lock::Mutex as Turnstile;

/// Takes over keys that another node, or a command, changed, and lets go of retired ones whose
/// last token has expired.
#[derive(Clone)]
pub struct RefreshKeys {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyRepository>,
    /// Who signs and verifies with them.
    pub ring: Arc<dyn KeyRingInstaller>,
    /// How long a retired key is still good, and for how long the keys may be cached.
    pub policy: KeyPolicy,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is in use.
    pub installed: Arc<Installed>,
}

/// Which keys are in use.
#[derive(Debug, Default)]
pub struct Installed {
    /// Whoever reads the keys installs them before the next one reads: else a key that was revoked
    /// meanwhile would come back with what was read before (threat T42).
    reading: Turnstile<()>,
    in_use: Mutex<InUse>,
}

#[derive(Debug, Default)]
struct InUse {
    revision: u64,
    keys: Vec<KeyId>,
    /// The uptime at which they were asked for.
    read_at: Option<Duration>,
}

impl RefreshKeys {
    /// Runs the use-case. `true` if the keys were other ones.
    ///
    /// # Errors
    ///
    /// See [`Fault`]; then the keys in use stay in use.
    pub async fn execute(&self) -> Result<bool, Fault> {
        self.take_over().await.map(|(_, is_changed)| is_changed)
    }

    /// As [`RefreshKeys::execute`], and yields the keys as they are stored.
    pub(crate) async fn take_over(&self) -> Result<(KeySet, bool), Fault> {
        let _reading = self.installed.reading.lock().await;
        let read_at = self.clock.uptime();
        let stored = self.keys.load().await?;
        let is_changed = self.install(&stored, read_at)?;
        Ok((stored, is_changed))
    }

    /// For how long others may cache the keys in use. It is less than usual where they could not be
    /// read again for a while, and another node may have published a key that is not among them.
    #[must_use]
    pub fn cacheable_for(&self) -> Duration {
        self.in_use().read_at.map_or(Duration::ZERO, |read_at| {
            self.policy.cacheable_for(self.clock.uptime().saturating_sub(read_at))
        })
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.installed.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn install(&self, keys: &KeySet, read_at: Duration) -> Result<bool, Fault> {
        let good = keys.without_expired(&self.policy, self.clock.now());
        let ids: Vec<_> = good.keys.iter().map(|key| key.id.clone()).collect();
        let mut in_use = self.in_use();
        let is_news = in_use.revision != good.revision || in_use.keys != ids;
        if is_news {
            self.ring.install(&good)?;
        }
        *in_use = InUse { revision: good.revision, keys: ids, read_at: Some(read_at) };
        Ok(is_news)
    }
}
