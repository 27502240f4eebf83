//! The keys that sign and verify, all exchanged at once.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::port::{KeyRingInstaller, TokenSigner, TokenVerifier};
use domain::{
    AccessTokenClaims, CompactJws, Fault, JsonObject, KeyId, KeySet, SignedToken, SigningAlgorithm,
    TokenProfile,
};

use crate::ring_key::RingKey;
use crate::verified::VerifiedTokens;
use crate::{KeyFileError, PublishedKeys};

/// The keys that sign and verify.
///
/// Everything that can be prepared is prepared when keys are installed; from then on nothing
/// waits, and whoever signs or verifies sees the old keys or the new ones.
#[derive(Debug)]
pub struct KeyRing {
    ring: ArcSwap<Ring>,
}

#[derive(Debug)]
struct Ring {
    keys: HashMap<KeyId, Arc<RingKey>>,
    /// The key that signs for each algorithm, in the order of [`SigningAlgorithm::ALL`].
    active: [Option<Arc<RingKey>>; SigningAlgorithm::ALL.len()],
    published: Arc<PublishedKeys>,
    /// What they signed: other keys begin with none.
    verified: VerifiedTokens,
}

impl KeyRing {
    /// A ring without keys: it signs nothing and verifies nothing until some are installed.
    #[must_use]
    pub fn empty() -> Self {
        let ring = Ring {
            keys: HashMap::new(),
            active: [const { None }; SigningAlgorithm::ALL.len()],
            published: Arc::new(PublishedKeys::new(0, Vec::new())),
            verified: VerifiedTokens::none(),
        };
        Self { ring: ArcSwap::from_pointee(ring) }
    }

    /// What the world may know of the keys.
    #[must_use]
    pub fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.ring.load().published)
    }
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::empty()
    }
}

impl TokenSigner for KeyRing {
    fn sign(
        &self,
        claims: &AccessTokenClaims,
        profile: TokenProfile,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault> {
        self.ring.load().active(algorithm)?.sign(claims, profile)
    }

    fn sign_object(
        &self,
        claims: &JsonObject,
        typ: &'static str,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault> {
        self.ring.load().active(algorithm)?.sign_object(claims, typ)
    }
}

impl TokenVerifier for KeyRing {
    fn verified(&self, raw: &str) -> Option<Arc<CompactJws>> {
        let ring = self.ring.load();
        ring.verified.recall_or(raw, || {
            let jws = CompactJws::parse(raw).ok()?;
            let key = ring.keys.get(jws.header().key_id.as_ref()?)?;
            key.verifies(&jws).then_some(jws)
        })
    }
}

impl KeyRingInstaller for KeyRing {
    fn install(&self, keys: &KeySet) -> Result<(), Fault> {
        let ring = Ring::new(keys).map_err(Fault::corrupt)?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}

/// Why a key set cannot be installed.
#[derive(Debug, thiserror::Error)]
enum RingError {
    #[error("the key {id} cannot be used: {reason}")]
    Key { id: KeyId, reason: KeyFileError },
    #[error("two keys are called {0}")]
    Doubled(KeyId),
}

impl Ring {
    fn new(set: &KeySet) -> Result<Self, RingError> {
        let mut keys = HashMap::new();
        let mut published = Vec::new();
        for key in &set.keys {
            let (ring_key, jwk) = RingKey::new(key)
                .map_err(|reason| RingError::Key { id: key.id.clone(), reason })?;
            let doubled = keys.insert(ring_key.id().clone(), Arc::new(ring_key));
            if doubled.is_some() {
                return Err(RingError::Doubled(key.id.clone()));
            }
            published.push(jwk);
        }
        let active = SigningAlgorithm::ALL.map(|algorithm| {
            set.signing(algorithm).and_then(|key| keys.get(&key.id)).map(Arc::clone)
        });
        let published = Arc::new(PublishedKeys::new(set.revision, published));
        Ok(Self { keys, active, published, verified: VerifiedTokens::none() })
    }

    /// The key that signs with `algorithm`.
    fn active(&self, algorithm: SigningAlgorithm) -> Result<&RingKey, Fault> {
        match self.active.get(index(algorithm)) {
            Some(Some(key)) => Ok(key),
            // Before the first keys are loaded, waiting helps. After that somebody must look.
            Some(None) | None if self.keys.is_empty() => {
                Err(Fault::unavailable("there are no signing keys yet"))
            }
            Some(None) | None => {
                Err(Fault::corrupt(format!("no key is active for {}", algorithm.name())))
            }
        }
    }
}

fn index(algorithm: SigningAlgorithm) -> usize {
    match algorithm {
        SigningAlgorithm::Rs256 => 0,
        SigningAlgorithm::Ps256 => 1,
        SigningAlgorithm::Es256 => 2,
        SigningAlgorithm::EdDsa => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_its_place() {
        for (place, algorithm) in SigningAlgorithm::ALL.into_iter().enumerate() {
            assert_eq!(index(algorithm), place);
        }
    }

    #[test]
    fn t42_without_keys_nothing_is_published() {
        assert_eq!(KeyRing::empty().published().document(), br#"{"keys":[]}"#);
    }
}
