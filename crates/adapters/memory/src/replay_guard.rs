//! Burned assertions in a map.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::port::ReplayGuard;
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::expiring::{Expiring, GRACE};
use crate::lock::locked;

/// Burned assertions in a map, gone with the process: for tests, and for a single node whose
/// operator accepts that a restart forgets (threat T18).
///
/// An entry is kept for a quarter of an hour beyond its end, so that a clock that jumps back by
/// less does not let a replay in (threat T45).
#[derive(Debug, Default)]
pub struct MemoryReplayGuard(Mutex<Expiring<(ClientId, TokenId), ()>>);

#[async_trait]
impl ReplayGuard for MemoryReplayGuard {
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let key = (client.clone(), id.clone());
        let mut burned = locked(&self.0);
        burned.forget_before(now.before(GRACE));
        if burned.get(&key).is_some_and(|((), end)| now < *end) {
            return Ok(false);
        }
        burned.insert(key, (), until);
        Ok(true)
    }
}
