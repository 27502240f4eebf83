//! The keys take turns by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::port::StoreKeysError;
use domain::{Fault, KeyId, KeySet, KeyState};

use super::refresh_keys::RefreshKeys;
use super::rotate_keys::RotateKeys;

/// Takes over what others changed, publishes what is missing, and lets the next keys sign when it
/// is time. Every node does so, at any time: of those that find that it is time, one is the first.
#[derive(Clone)]
pub struct TendKeys {
    /// How they take turns; without algorithms they take none, as where an operator brings them.
    pub rotate_keys: RotateKeys,
    /// How this node follows.
    pub refresh_keys: RefreshKeys,
    /// Since which uptime this node knows the next keys.
    pub seen: Arc<Mutex<HashMap<KeyId, Duration>>>,
}

/// What became of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TendedKeys {
    /// Whether this node uses other keys than before.
    pub is_changed: bool,
    /// The keys that sign from now on, because this node found that it was time.
    pub turned: Vec<KeyId>,
}

impl TendKeys {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`Fault`]; the keys in use are then those that were stored, or were in use.
    pub async fn execute(&self) -> Result<TendedKeys, Fault> {
        let RotateKeys { ensure_keys, algorithms } = &self.rotate_keys;
        let (stored, is_changed) = self.refresh_keys.take_over().await?;
        let now = ensure_keys.clock.now();
        let mut tended = ensure_keys.completed(&stored, algorithms).await?;
        let mut turned = Vec::new();
        for algorithm in algorithms {
            let seen_for = self.seen_for(&stored, stored.next(*algorithm).map(|key| &key.id));
            if stored.is_due(*algorithm, &ensure_keys.policy, seen_for, now) {
                turned.extend(stored.next(*algorithm).map(|key| key.id.clone()));
                let fresh = ensure_keys.make(*algorithm, KeyState::Next).await?;
                tended = tended.turned(*algorithm, fresh, &ensure_keys.policy, now);
            }
        }
        if turned.is_empty() && tended.keys.len() == stored.keys.len() {
            return Ok(TendedKeys { is_changed, turned });
        }
        match ensure_keys.keys.store(stored.revision, &tended.keys).await {
            Ok(()) => (),
            // Another node was first, or only an operator can change them.
            Err(StoreKeysError::Conflict | StoreKeysError::ReadOnly) => turned.clear(),
            Err(StoreKeysError::Fault(fault)) => return Err(fault),
        }
        let (stored, is_changed_again) = self.refresh_keys.take_over().await?;
        for algorithm in algorithms {
            self.seen_for(&stored, stored.next(*algorithm).map(|key| &key.id));
        }
        Ok(TendedKeys { is_changed: is_changed || is_changed_again, turned })
    }

    /// How long this node has known a key. It forgets those that are gone.
    fn seen_for(&self, stored: &KeySet, next: Option<&KeyId>) -> Duration {
        let uptime = self.refresh_keys.clock.uptime();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|id, _| stored.keys.iter().any(|key| key.id == *id));
        next.map_or(Duration::ZERO, |id| {
            let since = *seen.entry(id.clone()).or_insert(uptime);
            uptime.saturating_sub(since)
        })
    }
}
