//! Revocations in maps.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::port::{Clock, TokenRepository};
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::expiring::{Expiring, GRACE};
use crate::lock::locked;

/// Revocations in maps, gone with the process: what was taken back is good again after a restart,
/// for as long as it has to live. An entry is kept for a quarter of an hour beyond its end, so that
/// a clock that jumps back by less does not undo it (threat T45).
pub struct MemoryTokens {
    revoked: Mutex<Expiring<TokenId, ()>>,
    clients: Mutex<Expiring<ClientId, Timestamp>>,
    clock: Arc<dyn Clock>,
}

impl MemoryTokens {
    /// A store in which nothing is revoked. It asks `clock` what it may forget.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { revoked: Mutex::default(), clients: Mutex::default(), clock }
    }
}

impl fmt::Debug for MemoryTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokens").finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenRepository for MemoryTokens {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        let mut revoked = locked(&self.revoked);
        revoked.forget_before(self.clock.now().before(GRACE));
        let until = revoked.get(id).map_or(until, |((), end)| until.max(*end));
        revoked.insert(id.clone(), (), until);
        Ok(())
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        Ok(locked(&self.revoked).get(id).is_some())
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let mut clients = locked(&self.clients);
        clients.forget_before(self.clock.now().before(GRACE));
        let (issued_until, until) = match clients.get(client) {
            None => (issued_until, until),
            Some((moment, end)) => (issued_until.max(*moment), until.max(*end)),
        };
        clients.insert(client.clone(), issued_until, until);
        Ok(())
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        Ok(locked(&self.clients).get(client).map(|(moment, _)| *moment))
    }
}
