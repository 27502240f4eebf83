//! Signing keys in a variable.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeySet, SigningKey};

use crate::lock::locked;

/// Signing keys in a variable, gone with the process: whoever verifies the tokens has to fetch
/// new keys after each start.
#[derive(Debug, Default)]
pub struct MemoryKeys(Mutex<KeySet>);

#[async_trait]
impl KeyRepository for MemoryKeys {
    async fn load(&self) -> Result<KeySet, Fault> {
        Ok(locked(&self.0).clone())
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let mut stored = locked(&self.0);
        if stored.revision != expected {
            return Err(StoreKeysError::Conflict);
        }
        *stored = KeySet { revision: expected.saturating_add(1), keys: keys.to_vec() };
        Ok(())
    }
}
