//! The private key that signs our assertions, as a JWK.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::JsonObject;
use serde_json::Value;

/// A private key that signs our assertions (`private_key_jwt`), with its one algorithm.
#[derive(Clone)]
pub struct AssertionKey {
    pair: Arc<Pair>,
    algorithm: &'static str,
    key_id: Option<Box<str>>,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a JWK cannot sign our assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAssertionKey {
    /// A member is missing or no canonical base64url.
    #[error("{0} of the key is missing or malformed")]
    Member(&'static str),
    /// `kty` or `crv` is none that can sign.
    #[error(
        "the key must be a private one: RSA, EC with crv P-256, P-384 or P-521, or OKP with crv Ed25519"
    )]
    Kind,
    /// The algorithm does not fit the key.
    #[error(
        "the algorithm does not fit the key: RS256 to PS512 for RSA, ES256, ES384 or ES512 by the curve, EdDSA for Ed25519"
    )]
    Algorithm,
    /// The numbers are no key.
    #[error("the numbers of the key do not fit together, or are too small")]
    Unusable,
}

/// The algorithms of RSA keys, the default first.
const RSA: [(&str, &dyn RsaEncoding); 6] = [
    ("RS256", &signature::RSA_PKCS1_SHA256),
    ("RS384", &signature::RSA_PKCS1_SHA384),
    ("RS512", &signature::RSA_PKCS1_SHA512),
    ("PS256", &signature::RSA_PSS_SHA256),
    ("PS384", &signature::RSA_PSS_SHA384),
    ("PS512", &signature::RSA_PSS_SHA512),
];

/// The curves, each with its one algorithm.
const EC: [(&str, &str, &EcdsaSigningAlgorithm); 3] = [
    ("P-256", "ES256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
    ("P-384", "ES384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
    ("P-521", "ES512", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
];

impl AssertionKey {
    /// Reads a private JWK (RFC 7517, RFC 7518 section 6, RFC 8037). The algorithm is `algorithm`,
    /// else the key's own `alg`, else the usual one of its kind.
    ///
    /// # Errors
    ///
    /// See [`InvalidAssertionKey`].
    pub fn from_jwk(
        jwk: &JsonObject,
        algorithm: Option<&str>,
    ) -> Result<Self, InvalidAssertionKey> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let wanted = algorithm.or_else(|| text("alg"));
        let (pair, algorithm) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let (name, encoding) = RSA
                    .into_iter()
                    .find(|(name, _)| wanted.is_none_or(|it| it == *name))
                    .ok_or(InvalidAssertionKey::Algorithm)?;
                (Pair::Rsa(rsa(jwk)?, encoding), name)
            }
            (Some("EC"), Some(curve)) => {
                let (_, name, algorithm) = EC
                    .into_iter()
                    .find(|(it, _, _)| *it == curve)
                    .ok_or(InvalidAssertionKey::Kind)?;
                (Pair::Ecdsa(ecdsa(jwk, algorithm)?), name)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(
                    &member(jwk, "d")?,
                    &member(jwk, "x")?,
                );
                (Pair::Ed25519(pair.map_err(|_| InvalidAssertionKey::Unusable)?), "EdDSA")
            }
            (Some(_) | None, Some(_) | None) => return Err(InvalidAssertionKey::Kind),
        };
        if wanted.is_some_and(|it| it != algorithm) {
            return Err(InvalidAssertionKey::Algorithm);
        }
        Ok(Self { pair: Arc::new(pair), algorithm, key_id: text("kid").map(Into::into) })
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        Ok(match &*self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)?;
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.try_sign(message)?.as_ref().to_vec(),
        })
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn member(jwk: &JsonObject, name: &'static str) -> Result<Vec<u8>, InvalidAssertionKey> {
    let bad = InvalidAssertionKey::Member(name);
    let text = jwk.get(name).and_then(Value::as_str).ok_or(bad)?;
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| bad)
}

fn rsa(jwk: &JsonObject) -> Result<RsaKeyPair, InvalidAssertionKey> {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: member(jwk, "n")?, e: member(jwk, "e")? },
        d: member(jwk, "d")?,
        p: member(jwk, "p")?,
        q: member(jwk, "q")?,
        dP: member(jwk, "dp")?,
        dQ: member(jwk, "dq")?,
        qInv: member(jwk, "qi")?,
    };
    RsaKeyPair::from_components(&components).map_err(|_| InvalidAssertionKey::Unusable)
}

fn ecdsa(
    jwk: &JsonObject,
    algorithm: &'static EcdsaSigningAlgorithm,
) -> Result<EcdsaKeyPair, InvalidAssertionKey> {
    // The uncompressed point of SEC 1 section 2.3.3.
    let point = [vec![4], member(jwk, "x")?, member(jwk, "y")?].concat();
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &member(jwk, "d")?, &point)
        .map_err(|_| InvalidAssertionKey::Unusable)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair as _, UnparsedPublicKey};
    use serde_json::json;

    use super::*;

    fn ed25519() -> (JsonObject, Vec<u8>) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = pair.public_key().as_ref().to_vec();
        let encoded = |it: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(it);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "d": encoded(&[7; 32]), "x": encoded(&x)});
        (jwk.as_object().unwrap().clone(), x)
    }

    #[test]
    fn signs_with_what_the_jwk_says() {
        let (jwk, public) = ed25519();
        let key = AssertionKey::from_jwk(&jwk, None).unwrap();

        let signature = key.sign(b"message").unwrap();

        assert_eq!((key.algorithm(), key.key_id()), ("EdDSA", Some("k")));
        let public = UnparsedPublicKey::new(&signature::ED25519, public);
        assert!(public.verify(b"message", &signature).is_ok());
    }

    #[test]
    fn an_elliptic_key_signs_with_the_algorithm_of_its_curve() {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let encoded = |it: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(it);
        let d = aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key()).unwrap();
        let jwk = json!({"kty": "EC", "crv": "P-256", "d": encoded(d.as_ref()),
            "x": encoded(&point[1..33]), "y": encoded(&point[33..])});

        let key = AssertionKey::from_jwk(jwk.as_object().unwrap(), Some("ES256")).unwrap();
        let signature = key.sign(b"message").unwrap();

        let public = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
        assert!(public.verify(b"message", &signature).is_ok());
    }

    #[test]
    fn what_cannot_sign_is_refused_by_name() {
        let (good, _) = ed25519();
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk.insert(name.to_owned(), value);
            AssertionKey::from_jwk(&jwk, None).unwrap_err()
        };

        assert_eq!(with("d", Value::Null), InvalidAssertionKey::Member("d"));
        assert_eq!(with("x", json!("AA")), InvalidAssertionKey::Unusable);
        assert_eq!(with("crv", json!("X25519")), InvalidAssertionKey::Kind);
        assert_eq!(with("kty", json!("oct")), InvalidAssertionKey::Kind);
        assert_eq!(with("alg", json!("RS256")), InvalidAssertionKey::Algorithm);
        let wrong = AssertionKey::from_jwk(&good, Some("ES256")).unwrap_err();
        assert_eq!(wrong, InvalidAssertionKey::Algorithm);
    }

    #[test]
    fn t37_a_key_does_not_betray_itself_in_a_debug_log() {
        let key = AssertionKey::from_jwk(&ed25519().0, None).unwrap();

        assert_eq!(format!("{key:?}"), "AssertionKey { algorithm: \"EdDSA\", .. }");
    }
}
