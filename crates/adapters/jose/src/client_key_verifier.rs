//! Verifies what clients signed.

use std::sync::Arc;

use domain::port::SignatureVerifier;
use domain::{CompactJws, PublicJwk};
use josekit::jws::JwsVerifier;
use quick_cache::sync::Cache;

use crate::verifier::AwsVerifier;

/// Verifies what clients signed, with the keys they registered.
///
/// Reading a key takes up to 20 µs, half of a verification, so the keys that were used last are remembered: at most as
/// many as the capacity says, unusable ones too.
#[derive(Clone, Debug)]
pub struct ClientKeyVerifier {
    verifiers: Arc<Cache<PublicJwk, Option<Arc<dyn JwsVerifier>>>>,
}

impl ClientKeyVerifier {
    /// Remembers at most `capacity` keys, of about 1 kB each.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        Self { verifiers: Arc::new(Cache::new(capacity)) }
    }
}

impl SignatureVerifier for ClientKeyVerifier {
    fn is_signed_by(&self, jws: &CompactJws, key: &PublicJwk) -> bool {
        // Threat T03: the algorithm is that of the registered key, and the header must agree.
        if jws.header().algorithm != key.algorithm() {
            return false;
        }
        let verifier = self.verifiers.get(key).unwrap_or_else(|| {
            let verifier = build(key);
            self.verifiers.insert(key.clone(), verifier.clone());
            verifier
        });
        verifier.is_some_and(|it| it.verify(jws.signing_input(), jws.signature()).is_ok())
    }

    fn is_usable(&self, key: &PublicJwk) -> bool {
        build(key).is_some()
    }
}

fn build(key: &PublicJwk) -> Option<Arc<dyn JwsVerifier>> {
    AwsVerifier::new(key).map(|it| -> Arc<dyn JwsVerifier> { Arc::new(it) })
}
