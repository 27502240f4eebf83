//! What a node does when it hears of a change.

use std::fmt;
use std::sync::Arc;

use domain::Change;
use domain::port::ChangeListener;
use tokio::sync::Notify;

use crate::{CachedClients, CachedCredentials, CachedTokens};

/// Makes the caches of this node look again at what changed.
pub struct Invalidation {
    /// The clients.
    pub clients: Arc<CachedClients>,
    /// Their secrets.
    pub credentials: Arc<CachedCredentials>,
    /// What was taken back.
    pub tokens: Arc<CachedTokens>,
    /// Woken when the signing keys should be read again.
    pub keys: Arc<Notify>,
    /// Woken when the catalogue should be read again.
    pub catalogue: Arc<Notify>,
}

impl fmt::Debug for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidation").finish_non_exhaustive()
    }
}

impl ChangeListener for Invalidation {
    fn heard(&self, change: &Change) {
        match change {
            Change::Client(id) => self.clients.invalidate(id),
            Change::Secrets(id) => self.credentials.invalidate(id),
            Change::Token(id) => self.tokens.invalidate(id),
            Change::Tokens(id) => self.tokens.invalidate_client(id),
            Change::Keys => self.keys.notify_one(),
            Change::Catalogue => self.catalogue.notify_one(),
            Change::Unknown => {
                self.clients.doubt_all();
                self.credentials.doubt_all();
                self.tokens.doubt_all();
                self.keys.notify_one();
                self.catalogue.notify_one();
            }
        }
    }
}
