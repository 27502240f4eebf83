//! Whether a signature is good.

use std::sync::Arc;

use crate::{CompactJws, PublicJwk};

/// Whether a token is one of ours. Not `async`: keys are in memory.
pub trait TokenVerifier: Send + Sync {
    /// What `raw` says, if it is a compact JWS, signed by the published key that its `kid` names,
    /// with the algorithm of that key. Without a `kid` it is none of ours. A key that is not
    /// published any more verifies nothing, whatever is remembered of it.
    fn verified(&self, raw: &str) -> Option<Arc<CompactJws>>;
}

/// Whether a signature is a client's.
pub trait SignatureVerifier: Send + Sync {
    /// Whether `jws` was signed by `key`, with the algorithm of that key. A key that cannot be
    /// used (a point that is not on its curve) verifies nothing.
    fn is_signed_by(&self, jws: &CompactJws, key: &PublicJwk) -> bool;

    /// Does the work of a verification whose outcome is known: `jws` comes from a client that has no
    /// key. It costs what [`SignatureVerifier::is_signed_by`] costs for a key of the algorithm that
    /// `jws` names, so that nobody learns by the clock which clients there are (threat T22).
    fn pretend(&self, jws: &CompactJws);

    /// Whether `key` can verify anything at all: asked once, when it is registered.
    fn is_usable(&self, key: &PublicJwk) -> bool;
}
