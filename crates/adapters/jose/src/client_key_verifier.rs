//! Verifies what clients signed.

use std::sync::Arc;

use domain::port::SignatureVerifier;
use domain::{CompactJws, JsonObject, PublicJwk, SigningAlgorithm};
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
    decoys: Arc<[PublicJwk]>,
}

impl ClientKeyVerifier {
    /// Remembers at most `capacity` keys, of about 1 kB each.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let decoys = SigningAlgorithm::ALL.into_iter().filter_map(decoy).collect();
        Self { verifiers: Arc::new(Cache::new(capacity)), decoys }
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

    fn pretend(&self, jws: &CompactJws) {
        let algorithm = jws.header().algorithm;
        if let Some(key) = self.decoys.iter().find(|key| key.algorithm() == algorithm) {
            // The optimizer cannot know what comes of it.
            std::hint::black_box(self.is_signed_by(jws, key));
        }
    }

    fn is_usable(&self, key: &PublicJwk) -> bool {
        build(key).is_some()
    }
}

/// A key that is nobody's: any modulus of the usual size, and the base point of each curve (FIPS
/// 186-5, RFC 8032). What it verifies decides nothing.
fn decoy(algorithm: SigningAlgorithm) -> Option<PublicJwk> {
    let n = "w".repeat(342);
    let members: &[(&str, &str)] = match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
            &[("kty", "RSA"), ("n", &n), ("e", "AQAB")]
        }
        SigningAlgorithm::Es256 => &[
            ("kty", "EC"),
            ("crv", "P-256"),
            ("x", "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"),
            ("y", "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"),
        ],
        SigningAlgorithm::EdDsa => &[
            ("kty", "OKP"),
            ("crv", "Ed25519"),
            ("x", "WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY"),
        ],
    };
    let mut jwk: JsonObject =
        members.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    jwk.insert("alg".to_owned(), algorithm.name().into());
    PublicJwk::parse(&jwk).ok().filter(|key| build(key).is_some())
}

fn build(key: &PublicJwk) -> Option<Arc<dyn JwsVerifier>> {
    AwsVerifier::new(key).map(|it| -> Arc<dyn JwsVerifier> { Arc::new(it) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t22_there_is_a_decoy_for_each_algorithm() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(decoy(algorithm).map(|it| it.algorithm()), Some(algorithm));
        }
    }
}
