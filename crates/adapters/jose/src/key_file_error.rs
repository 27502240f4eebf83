//! Why a file is not a private key that can sign here.

use domain::SigningAlgorithm;

use crate::KeyKind;

/// Why a file is not a private key that can sign here. No variant holds any part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// There is no `-----BEGIN` in it.
    #[error("it is not a PEM file: it has no -----BEGIN line")]
    NotPem,
    /// It is PEM, of something else.
    #[error("it holds {found}, not a private key")]
    NoPrivateKey {
        /// What it holds instead.
        found: &'static str,
    },
    /// The text between the PEM lines is not what they say.
    #[error("its private key cannot be read: the PEM block is damaged")]
    Malformed,
    /// It is encrypted and no password was given.
    #[error("its private key is encrypted: a password is needed")]
    NeedsPassword,
    /// The password is another, or the file is damaged: nobody can tell.
    #[error("its private key cannot be decrypted: the password is wrong or the file is damaged")]
    WrongPassword,
    /// OpenSSL no longer speaks the cipher.
    #[error(
        "its private key is encrypted with a cipher that is not supported: encrypt it again with \
         `openssl pkcs8 -topk8 -v2 aes256`"
    )]
    UnsupportedCipher,
    /// An RSA key that is too small to be safe or too large to be served (threat T16).
    #[error("its RSA key has {bits} bits, and 2048 to 8192 are accepted")]
    RsaSize {
        /// The length of the modulus.
        bits: u32,
    },
    /// A key of a kind that signs with none of our algorithms.
    #[error("its private key is of an unsupported kind: {kind}")]
    UnsupportedKind {
        /// What kind it is, and what to do about it.
        kind: &'static str,
    },
    /// A key that contradicts itself, or has an exponent nobody should use.
    #[error("its private key is inconsistent or unsafe")]
    Unusable,
    /// A good key for another algorithm.
    #[error("its {kind} key cannot sign with {}", algorithm.name())]
    WrongAlgorithm {
        /// What the key is.
        kind: KeyKind,
        /// What it was wanted for.
        algorithm: SigningAlgorithm,
    },
}
