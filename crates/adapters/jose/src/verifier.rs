//! Verifies with aws-lc, behind josekit's interface.
//!
//! What aws-lc refuses by itself (threat T14): an ECDSA signature that is not exactly `r || s`,
//! with an `r` or `s` of zero or beyond the order; an Ed25519 `s` beyond the order or an `R` in
//! another than its canonical form; an RSA signature that is not as long as the modulus.

use std::fmt;

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
};
use domain::{PublicJwk, PublicKey, SigningAlgorithm};
use josekit::JoseError;
use josekit::jws::{JwsAlgorithm, JwsVerifier};

use crate::edwards;
use crate::signer::josekit_algorithm;

/// The verifier of a public key with its one algorithm.
#[derive(Clone)]
pub(crate) struct AwsVerifier {
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

impl AwsVerifier {
    /// `None` for a key that can verify nothing: a point that is not on its curve, or one with
    /// which anybody can sign.
    pub(crate) fn new(jwk: &PublicJwk) -> Option<Self> {
        let key = match (jwk.key(), jwk.algorithm()) {
            (PublicKey::Rsa { n, e }, SigningAlgorithm::Rs256) => {
                rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA256)
            }
            (PublicKey::Rsa { n, e }, SigningAlgorithm::Ps256) => {
                rsa(n, e, &signature::RSA_PSS_2048_8192_SHA256)
            }
            (PublicKey::P256 { x, y }, SigningAlgorithm::Es256) => {
                let point = [&[0x04], &x[..], &y[..]].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
            }
            (PublicKey::Ed25519 { x }, SigningAlgorithm::EdDsa) if edwards::is_safe_point(x) => {
                ParsedPublicKey::new(&ED25519, x).ok()
            }
            (
                PublicKey::Rsa { .. } | PublicKey::P256 { .. } | PublicKey::Ed25519 { .. },
                SigningAlgorithm::Rs256
                | SigningAlgorithm::Ps256
                | SigningAlgorithm::Es256
                | SigningAlgorithm::EdDsa,
            ) => None,
        };
        Some(Self { algorithm: jwk.algorithm(), key: key? })
    }
}

fn rsa(n: &[u8], e: &[u8], parameters: &'static RsaParameters) -> Option<ParsedPublicKey> {
    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
}

impl JwsVerifier for AwsVerifier {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        josekit_algorithm(self.algorithm)
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        let verified = self.key.verify_sig(message, signature);
        verified.map_err(|it| JoseError::InvalidSignature(it.into()))
    }

    fn box_clone(&self) -> Box<dyn JwsVerifier> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for AwsVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsVerifier").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
