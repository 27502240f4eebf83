//! Makes private keys.

use async_trait::async_trait;
use domain::port::KeyMaker;
use domain::{Fault, PrivateKeyPem, SigningAlgorithm};
use josekit::JoseError;
use josekit::jwk::KeyPair;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::{ES256, EdDSA, RS256};
use zeroize::Zeroizing;

use crate::read_private_key;

/// Makes private keys: RSA with 2048 bits, P-256, or Ed25519.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFactory;

#[async_trait]
impl KeyMaker for KeyFactory {
    async fn make(&self, algorithm: SigningAlgorithm) -> Result<PrivateKeyPem, Fault> {
        // The primes of an RSA key are found within a second or so, and nobody knows when.
        tokio::task::spawn_blocking(move || make(algorithm)).await.map_err(Fault::unavailable)?
    }
}

fn make(algorithm: SigningAlgorithm) -> Result<PrivateKeyPem, Fault> {
    let pair = generate(algorithm).map_err(Fault::unavailable)?;
    let pem = Zeroizing::new(pair.to_pem_private_key());
    read_private_key(&pem, None).map(|it| it.private_key).map_err(Fault::corrupt)
}

fn generate(algorithm: SigningAlgorithm) -> Result<Box<dyn KeyPair>, JoseError> {
    Ok(match algorithm {
        // A PSS key proper has an identifier of its own, which few programs read: the same plain
        // key does for both.
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
            Box::new(RS256.generate_key_pair(2_048)?)
        }
        SigningAlgorithm::Es256 => Box::new(ES256.generate_key_pair()?),
        SigningAlgorithm::EdDsa => Box::new(EdDSA.generate_key_pair(EdCurve::Ed25519)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyKind;

    #[tokio::test]
    async fn makes_a_key_for_every_algorithm() {
        for algorithm in SigningAlgorithm::ALL {
            let pem = KeyFactory.make(algorithm).await.unwrap();

            assert!(pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
            let read = read_private_key(pem.expose().as_bytes(), None).unwrap();
            assert_eq!(read.private_key.expose(), pem.expose());
            assert!(read.kind.fits(algorithm));
            if algorithm == SigningAlgorithm::Rs256 {
                assert_eq!(read.kind, KeyKind::Rsa { bits: 2_048 });
            }
        }
    }
}
