//! A private key in memory, of a kind that signs here.

use std::fmt;

use domain::{KeyId, PrivateKeyPem, PublicJwk, SigningAlgorithm};
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::ed::EdKeyPair;
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use zeroize::Zeroizing;

use crate::KeyFileError;

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, for RS256 and PS256.
    Rsa {
        /// The length of the modulus.
        bits: u32,
    },
    /// ECDSA on P-256, for ES256.
    P256,
    /// Ed25519, for `EdDSA`.
    Ed25519,
}

impl KeyKind {
    /// Whether a key of this kind signs with `algorithm`.
    #[must_use]
    pub fn fits(self, algorithm: SigningAlgorithm) -> bool {
        match algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => matches!(self, Self::Rsa { .. }),
            SigningAlgorithm::Es256 => self == Self::P256,
            SigningAlgorithm::EdDsa => self == Self::Ed25519,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA ({bits} bits)"),
            Self::P256 => f.write_str("EC (P-256)"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// A private key of a [`KeyKind`].
pub(crate) struct PrivateKey {
    key: PKey<Private>,
    kind: KeyKind,
}

impl PrivateKey {
    /// Accepts a key of one of our kinds.
    pub(crate) fn new(key: PKey<Private>) -> Result<Self, KeyFileError> {
        let unsupported = |kind| Err(KeyFileError::UnsupportedKind { kind });
        let kind = match key.id() {
            Id::RSA => match key.bits() {
                bits @ 2_048..=8_192 => KeyKind::Rsa { bits },
                bits => return Err(KeyFileError::RsaSize { bits }),
            },
            Id::EC => match key.ec_key().ok().and_then(|it| it.group().curve_name()) {
                Some(Nid::X9_62_PRIME256V1) => KeyKind::P256,
                Some(_) | None => return unsupported("EC on a curve other than P-256"),
            },
            Id::ED25519 => KeyKind::Ed25519,
            Id::RSA_PSS => return unsupported("RSA restricted to PSS (use a plain RSA key)"),
            Id::ED448 => return unsupported("Ed448"),
            Id::X25519 | Id::X448 => return unsupported("X25519 or X448, which cannot sign"),
            Id::DSA => return unsupported("DSA"),
            _ => return unsupported("neither RSA, EC nor Ed25519"),
        };
        Ok(Self { key, kind })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key as PKCS#8 DER.
    pub(crate) fn to_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        self.key.private_key_to_pkcs8().map(Zeroizing::new).map_err(|_| KeyFileError::Unusable)
    }

    /// The key as PKCS#8 PEM.
    pub(crate) fn to_pem(&self) -> Result<PrivateKeyPem, KeyFileError> {
        let pem = self.key.private_key_to_pem_pkcs8().map(Zeroizing::new);
        let pem = pem.map_err(|_| KeyFileError::Unusable)?;
        let text = std::str::from_utf8(&pem).map_err(|_| KeyFileError::Unusable)?;
        Ok(PrivateKeyPem::new(text.to_owned()))
    }

    /// The key as PKCS#8 PEM under `password`: PBES2 with AES-256.
    pub(crate) fn to_encrypted_pem(
        &self,
        password: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        self.key
            .private_key_to_pem_pkcs8_passphrase(cipher, password)
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::Unusable)
    }

    /// What is published of the key, for `algorithm`.
    pub(crate) fn public_jwk(
        &self,
        id: &KeyId,
        algorithm: SigningAlgorithm,
    ) -> Result<PublicJwk, KeyFileError> {
        if !self.kind.fits(algorithm) {
            return Err(KeyFileError::WrongAlgorithm { kind: self.kind, algorithm });
        }
        let mut jwk = self.josekit_jwk()?;
        jwk.set_algorithm(algorithm.name());
        let jwk = PublicJwk::parse(jwk.as_ref()).map_err(|_| KeyFileError::Unusable)?;
        Ok(jwk.with_key_id(id.clone()))
    }

    fn josekit_jwk(&self) -> Result<Jwk, KeyFileError> {
        let der = self.to_der()?;
        let jwk = match self.kind {
            KeyKind::Rsa { .. } => RsaKeyPair::from_der(&*der).map(|it| it.to_jwk_public_key()),
            KeyKind::P256 => {
                EcKeyPair::from_der(&*der, Some(EcCurve::P256)).map(|it| it.to_jwk_public_key())
            }
            KeyKind::Ed25519 => EdKeyPair::from_der(&*der).map(|it| it.to_jwk_public_key()),
        };
        jwk.map_err(|_| KeyFileError::Unusable)
    }
}

#[cfg(test)]
mod tests {
    use domain::PublicKey;
    use josekit::jws::ES256;

    use super::*;

    #[test]
    fn coordinates_keep_their_leading_zeros() {
        let id: KeyId = "k".parse().unwrap();
        let mut found_zero = false;
        while !found_zero {
            let der = ES256.generate_key_pair().unwrap().to_der_private_key();
            let key = PrivateKey::new(PKey::private_key_from_der(&der).unwrap()).unwrap();

            let jwk = key.public_jwk(&id, SigningAlgorithm::Es256).unwrap();

            let PublicKey::P256 { x, y } = jwk.key() else { unreachable!() };
            found_zero = x[0] == 0 || y[0] == 0;
        }
    }
}
