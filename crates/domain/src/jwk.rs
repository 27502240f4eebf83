//! The public keys clients register (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::{InvalidText, JsonObject, KeyId};

/// How a token is signed (RFC 7518 section 3.1, RFC 8037 section 3.1).
///
/// Asymmetric only: there is no value that could confuse a public key with a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// `EdDSA` with Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// Every algorithm, in the order they are offered.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The other name of `EdDSA` with Ed25519 (RFC 9864 section 2.2).
    pub const ED25519: &str = "Ed25519";

    /// Its registered name, compared exactly (RFC 7515 section 4.1.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name. `EdDSA` has a second one, which also names the curve and which
    /// newer clients write: with the one curve that we have, both mean the same (RFC 9864 section 2.2).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::ED25519 {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// The key material, checked for shape. Whether a point lies on its curve is the verifier's to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// Modulus and exponent, big endian without leading zeros.
    Rsa {
        /// The modulus.
        n: Box<[u8]>,
        /// The exponent.
        e: Box<[u8]>,
    },
    /// A point of P-256.
    P256 {
        /// The first coordinate.
        x: [u8; 32],
        /// The second coordinate.
        y: [u8; 32],
    },
    /// A compressed point of Ed25519.
    Ed25519 {
        /// The point.
        x: [u8; 32],
    },
}

/// A public key that verifies signatures, with the one algorithm it is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicJwk {
    key: PublicKey,
    key_id: Option<KeyId>,
    algorithm: SigningAlgorithm,
}

/// Why a JSON object is not a key we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwk {
    /// A member that must be there is not.
    #[error("the key has no {0}")]
    Missing(&'static str),
    /// A member has a wrong type or is not canonical base64url of the right length.
    #[error("{0} of the key is malformed")]
    Malformed(&'static str),
    /// The key's `kid` is no key id.
    #[error("{0}")]
    KeyId(#[from] InvalidText),
    /// A private or symmetric key was sent.
    #[error("the key holds the private member {0}: send the public key only, and replace this one")]
    Private(&'static str),
    /// `kty` or `crv` is none of ours.
    #[error("the key must be of kty RSA, EC with crv P-256, or OKP with crv Ed25519")]
    UnknownKind,
    /// `alg` is unknown or does not fit the key.
    #[error("alg of the key is unknown or does not fit its kty")]
    Algorithm,
    /// The key is not for signatures.
    #[error("use of the key must be sig, and key_ops must hold verify")]
    Use,
    /// An RSA key that is too small to be safe or too large to be served.
    #[error("an RSA key must have 2048 to 8192 bits")]
    RsaSize,
    /// An RSA exponent nobody should use.
    #[error("the exponent of an RSA key must be odd, at least 3 and below 2^33")]
    RsaExponent,
}

impl PublicJwk {
    /// Reads a JWK. The vendor's misspelt `alg` `RSA256` means RS256; members that we do not
    /// know are dropped.
    ///
    /// # Errors
    ///
    /// See [`InvalidJwk`].
    pub fn parse(jwk: &JsonObject) -> Result<Self, InvalidJwk> {
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        if let Some(member) = PRIVATE.into_iter().find(|it| jwk.contains_key(*it)) {
            return Err(InvalidJwk::Private(member));
        }
        let key = match (text(jwk, "kty")?, text(jwk, "crv")) {
            ("RSA", _) => rsa(jwk)?,
            ("EC", Ok("P-256")) => {
                PublicKey::P256 { x: coordinate(jwk, "x")?, y: coordinate(jwk, "y")? }
            }
            ("OKP", Ok("Ed25519")) => PublicKey::Ed25519 { x: coordinate(jwk, "x")? },
            (_, _) => return Err(InvalidJwk::UnknownKind),
        };
        let key_id = match jwk.get("kid") {
            None => None,
            Some(Value::String(raw)) => Some(raw.parse()?),
            Some(_) => return Err(InvalidJwk::Malformed("kid")),
        };
        check_use(jwk)?;
        let algorithm = algorithm(jwk, &key)?;
        Ok(Self { key, key_id, algorithm })
    }

    /// The key material.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
    }

    /// The one algorithm it verifies.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The same key under the name `key_id`.
    #[must_use]
    pub fn with_key_id(self, key_id: KeyId) -> Self {
        Self { key_id: Some(key_id), ..self }
    }

    /// The JWK, as we publish and store it.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let members = match &self.key {
            PublicKey::Rsa { n, e } => json!({"kty": "RSA", "n": encoded(n), "e": encoded(e)}),
            PublicKey::P256 { x, y } => {
                json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)})
            }
            PublicKey::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(x)}),
        };
        let Value::Object(mut jwk) = members else {
            return JsonObject::new();
        };
        if let Some(key_id) = &self.key_id {
            jwk.insert("kid".to_owned(), key_id.as_str().into());
        }
        jwk.insert("alg".to_owned(), self.algorithm.name().into());
        jwk.insert("use".to_owned(), "sig".into());
        jwk
    }
}

fn text<'a>(jwk: &'a JsonObject, member: &'static str) -> Result<&'a str, InvalidJwk> {
    match jwk.get(member) {
        None => Err(InvalidJwk::Missing(member)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(InvalidJwk::Malformed(member)),
    }
}

fn bytes(jwk: &JsonObject, member: &'static str) -> Result<Vec<u8>, InvalidJwk> {
    // A modulus of 8192 bits has 1366 characters: what is far longer is not worth decoding.
    let encoded = text(jwk, member)?;
    if 4_096 < encoded.len() {
        return Err(InvalidJwk::Malformed(member));
    }
    BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidJwk::Malformed(member))
}

fn coordinate(jwk: &JsonObject, member: &'static str) -> Result<[u8; 32], InvalidJwk> {
    bytes(jwk, member)?.try_into().map_err(|_| InvalidJwk::Malformed(member))
}

fn rsa(jwk: &JsonObject) -> Result<PublicKey, InvalidJwk> {
    // Some libraries write a leading zero byte; the number is what counts.
    let number = |member| {
        bytes(jwk, member).map(|bytes| -> Box<[u8]> {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes.get(zeros..).unwrap_or_default().into()
        })
    };
    let n = number("n")?;
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2_048..=8_192).contains(&bits) {
        return Err(InvalidJwk::RsaSize);
    }
    if n.last().is_none_or(|last| last % 2 == 0) {
        return Err(InvalidJwk::Malformed("n"));
    }
    let e = number("e")?;
    if e.len() > 5 {
        return Err(InvalidJwk::RsaExponent);
    }
    let exponent = e.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    if exponent < 3 || exponent % 2 == 0 || 1 << 33 <= exponent {
        return Err(InvalidJwk::RsaExponent);
    }
    Ok(PublicKey::Rsa { n, e })
}

fn check_use(jwk: &JsonObject) -> Result<(), InvalidJwk> {
    let is_for_signatures = match jwk.get("use") {
        None => true,
        Some(it) => it == "sig",
    };
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|it| it == "verify"),
        Some(_) => false,
    };
    if is_for_signatures && verifies { Ok(()) } else { Err(InvalidJwk::Use) }
}

fn algorithm(jwk: &JsonObject, key: &PublicKey) -> Result<SigningAlgorithm, InvalidJwk> {
    let named = match jwk.get("alg") {
        None => None,
        Some(Value::String(name)) if name == "RSA256" => Some(SigningAlgorithm::Rs256),
        Some(Value::String(name)) => {
            Some(SigningAlgorithm::from_name(name).ok_or(InvalidJwk::Algorithm)?)
        }
        Some(_) => return Err(InvalidJwk::Algorithm),
    };
    match (key, named) {
        (PublicKey::Rsa { .. }, None | Some(SigningAlgorithm::Rs256)) => {
            Ok(SigningAlgorithm::Rs256)
        }
        (PublicKey::Rsa { .. }, Some(SigningAlgorithm::Ps256)) => Ok(SigningAlgorithm::Ps256),
        (PublicKey::P256 { .. }, None | Some(SigningAlgorithm::Es256)) => {
            Ok(SigningAlgorithm::Es256)
        }
        (PublicKey::Ed25519 { .. }, None | Some(SigningAlgorithm::EdDsa)) => {
            Ok(SigningAlgorithm::EdDsa)
        }
        (_, Some(_)) => Err(InvalidJwk::Algorithm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa_jwk(bytes: usize, first: u8, e: &[u8]) -> JsonObject {
        let mut n = vec![0xff; bytes];
        n[0] = first;
        jwk(&json!({
            "kty": "RSA",
            "n": BASE64_URL_SAFE_NO_PAD.encode(n),
            "e": BASE64_URL_SAFE_NO_PAD.encode(e),
        }))
    }

    fn jwk(value: &Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    fn with(mut jwk: JsonObject, member: &str, value: Value) -> JsonObject {
        jwk.insert(member.to_owned(), value);
        jwk
    }

    const E: &[u8] = &[1, 0, 1];

    #[test]
    fn a_key_comes_out_as_it_went_in() {
        let ec = jwk(&json!({
            "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256", "use": "sig",
            "x": BASE64_URL_SAFE_NO_PAD.encode([1; 32]),
            "y": BASE64_URL_SAFE_NO_PAD.encode([2; 32]),
        }));

        assert_eq!(PublicJwk::parse(&ec).unwrap().to_json(), ec);
    }

    #[test]
    fn the_misspelt_and_the_absent_alg_mean_rs256() {
        for alg in [json!("RS256"), json!("RSA256")] {
            let key = PublicJwk::parse(&with(rsa_jwk(256, 0x80, E), "alg", alg)).unwrap();
            assert_eq!(key.algorithm(), SigningAlgorithm::Rs256);
        }
        let key = PublicJwk::parse(&rsa_jwk(256, 0x80, E)).unwrap();
        assert_eq!(key.algorithm(), SigningAlgorithm::Rs256);
    }

    #[test]
    fn eddsa_has_two_names_and_one_meaning() {
        let point = BASE64_URL_SAFE_NO_PAD.encode([1; 32]);
        for alg in ["EdDSA", "Ed25519"] {
            let okp = jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": point, "alg": alg}));
            let key = PublicJwk::parse(&okp).unwrap();
            assert_eq!(key.algorithm(), SigningAlgorithm::EdDsa);
            assert_eq!(key.to_json()["alg"], "EdDSA");
        }
    }

    #[test]
    fn t03_an_alg_that_does_not_fit_the_key_is_refused() {
        for alg in ["ES256", "EdDSA", "Ed25519", "HS256", "none", "RS512", "rs256"] {
            let refused = PublicJwk::parse(&with(rsa_jwk(256, 0x80, E), "alg", json!(alg)));
            assert_eq!(refused, Err(InvalidJwk::Algorithm), "{alg}");
        }
        let other_curve = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        assert_eq!(PublicJwk::parse(&jwk(&other_curve)), Err(InvalidJwk::UnknownKind));
        let short = json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"});
        assert_eq!(PublicJwk::parse(&jwk(&short)), Err(InvalidJwk::Malformed("x")));
    }

    #[test]
    fn t16_rsa_keys_of_unsafe_size_or_exponent_are_refused() {
        assert_eq!(PublicJwk::parse(&rsa_jwk(256, 0x7f, E)), Err(InvalidJwk::RsaSize));
        assert_eq!(PublicJwk::parse(&rsa_jwk(128, 0xff, E)), Err(InvalidJwk::RsaSize));
        assert_eq!(PublicJwk::parse(&rsa_jwk(1_025, 0x01, E)), Err(InvalidJwk::RsaSize));
        assert!(PublicJwk::parse(&rsa_jwk(1_024, 0xff, E)).is_ok());
        for e in [&[1][..], &[0], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1, 1, 1, 1, 1, 1], &[]] {
            let refused = PublicJwk::parse(&rsa_jwk(256, 0x80, e));
            assert_eq!(refused, Err(InvalidJwk::RsaExponent), "{e:?}");
        }
    }

    #[test]
    fn a_private_or_symmetric_key_is_refused_by_name() {
        let refused = PublicJwk::parse(&with(rsa_jwk(256, 0x80, E), "d", json!("AA")));
        assert_eq!(refused, Err(InvalidJwk::Private("d")));
        let refused = PublicJwk::parse(&jwk(&json!({"kty": "oct", "k": "AA"})));
        assert_eq!(refused, Err(InvalidJwk::Private("k")));
    }

    #[test]
    fn an_encryption_key_is_refused() {
        for (member, value) in [("use", json!("enc")), ("key_ops", json!(["sign"]))] {
            let refused = PublicJwk::parse(&with(rsa_jwk(256, 0x80, E), member, value));
            assert_eq!(refused, Err(InvalidJwk::Use));
        }
    }
}
