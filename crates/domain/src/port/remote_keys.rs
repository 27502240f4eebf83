//! Keys that clients publish.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Known;
use crate::{Fault, JwksUri, JwksUriRefusal, PublicJwk};

/// The keys that clients publish at an address of their own (RFC 7591 section 2, `jwks_uri`).
///
/// Whoever may register a client says where we go: so an adapter goes to no address of a private or
/// special network unless the operator lists it, follows no redirect, and reads so much, for so long,
/// and no more (threat T27). Nothing of what it found there but keys ever comes back: a fault is the
/// same whatever was in the way.
#[async_trait]
pub trait RemoteKeys: Send + Sync {
    /// Why nothing is ever fetched from `uri`, as far as it can be told without asking anybody:
    /// asked once, when it is registered.
    fn refusal(&self, uri: &JwksUri) -> Option<JwksUriRefusal>;

    /// The keys at `uri`, which may be remembered.
    ///
    /// # Errors
    ///
    /// As [`RemoteKeys::look_again`].
    async fn look_up(&self, uri: &JwksUri) -> Result<Known<Arc<RemoteKeySet>>, Fault> {
        self.look_again(uri).await.map(Known::read)
    }

    /// The keys at `uri`, asked for again, since the one that is needed is not among those that are
    /// remembered. Whoever remembers asks for one address once in a stated interval, however many
    /// call (threat T06), and gives what is remembered otherwise.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Unavailable` if they cannot be had, for whatever reason; `Overloaded` if
    /// too many are being fetched already.
    async fn look_again(&self, uri: &JwksUri) -> Result<Arc<RemoteKeySet>, Fault>;
}

/// What a client publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeySet {
    /// Its keys.
    pub keys: Vec<PublicJwk>,
    /// How long they may be remembered, where it says so (RFC 9111 section 5.2.2.1).
    pub max_age: Option<Duration>,
}
