//! Reads private keys from PEM, in every form that OpenSSL and the vendor's service write.

use domain::PrivateKeyPem;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use secrecy::{ExposeSecret as _, SecretString};

use crate::private_key::PrivateKey;
use crate::{KeyFileError, KeyKind};

/// A private key that was read from PEM.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// The key as plain PKCS#8 PEM, whatever the file was.
    pub private_key: PrivateKeyPem,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// Whether a password was given for a key that is not encrypted: it was ignored, and whoever
    /// configured it should know.
    pub is_password_needless: bool,
}

/// Reads the first private key of a PEM text: PKCS#8, plain or encrypted; PKCS#1 and SEC1, plain
/// or in the legacy encryption of `Proc-Type: 4,ENCRYPTED`. An empty password is none.
///
/// Costs some milliseconds, or as much as the key derivation of an encrypted key asks for.
///
/// # Errors
///
/// See [`KeyFileError`].
pub fn read_private_key(
    pem: &[u8],
    password: Option<&SecretString>,
) -> Result<KeyFile, KeyFileError> {
    let (key, is_password_needless) = parse(pem, password)?;
    Ok(KeyFile { private_key: key.to_pem()?, kind: key.kind(), is_password_needless })
}

/// The key, and whether the password was needless.
pub(crate) fn parse(
    pem: &[u8],
    password: Option<&SecretString>,
) -> Result<(PrivateKey, bool), KeyFileError> {
    let block = private_block(pem)?;
    let password = password.map(|it| it.expose_secret().as_bytes()).filter(|it| !it.is_empty());
    let is_encrypted = is_encrypted(block);
    if is_encrypted && password.is_none() {
        return Err(KeyFileError::NeedsPassword);
    }
    // Always with a callback: without one OpenSSL asks the terminal.
    let key = PKey::private_key_from_pem_callback(block, |buffer| {
        let password = password.unwrap_or_default();
        match buffer.get_mut(..password.len()) {
            Some(start) => start.copy_from_slice(password),
            None => return Ok(0),
        }
        Ok(password.len())
    });
    let key = key.map_err(|errors| refusal(is_encrypted, &errors))?;
    Ok((PrivateKey::new(key)?, !is_encrypted && password.is_some()))
}

/// Whether the first private key of a PEM text is encrypted.
pub(crate) fn is_encrypted_pem(pem: &[u8]) -> bool {
    private_block(pem).is_ok_and(is_encrypted)
}

fn is_encrypted(block: &[u8]) -> bool {
    block.starts_with(b"-----BEGIN ENCRYPTED") || find(block, b"4,ENCRYPTED").is_some()
}

const BEGIN: &[u8] = b"-----BEGIN ";
const KEYS: [&str; 4] =
    ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// From the first `-----BEGIN` of a private key on.
fn private_block(pem: &[u8]) -> Result<&[u8], KeyFileError> {
    let mut refusal = KeyFileError::NotPem;
    let mut rest = pem;
    while let Some(begin) = find(rest, BEGIN) {
        let block = rest.get(begin..).unwrap_or_default();
        let label = block.get(BEGIN.len()..).unwrap_or_default();
        if KEYS.iter().any(|key| is_label(label, key)) {
            return Ok(block);
        }
        refusal = worse(refusal, other_block(label));
        rest = label;
    }
    Err(refusal)
}

/// What a block that holds no key of ours means. Only names that are known are repeated.
fn other_block(label: &[u8]) -> KeyFileError {
    let is = |name| is_label(label, name);
    let unsupported = |kind| KeyFileError::UnsupportedKind { kind };
    match () {
        () if is("OPENSSH PRIVATE KEY") => {
            unsupported("OpenSSH (convert it with `ssh-keygen -p -m PKCS8`)")
        }
        () if is("DSA PRIVATE KEY") => unsupported("DSA"),
        () if is("CERTIFICATE") => KeyFileError::NoPrivateKey { found: "a certificate" },
        () if is("PUBLIC KEY") || is("RSA PUBLIC KEY") => {
            KeyFileError::NoPrivateKey { found: "a public key" }
        }
        () => KeyFileError::NoPrivateKey { found: "something else" },
    }
}

/// A key of an unsupported kind says more about a file than the certificate beside it.
fn worse(one: KeyFileError, other: KeyFileError) -> KeyFileError {
    let is_kind = |it| matches!(it, KeyFileError::UnsupportedKind { .. });
    if one == KeyFileError::NotPem || (is_kind(other) && !is_kind(one)) { other } else { one }
}

fn is_label(after_begin: &[u8], label: &str) -> bool {
    after_begin.strip_prefix(label.as_bytes()).is_some_and(|it| it.starts_with(b"-----"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|it| it == needle)
}

/// OpenSSL's reasons are numbers of its modules: they never hold key material, and never leave.
fn refusal(is_encrypted: bool, errors: &ErrorStack) -> KeyFileError {
    // What is no cipher any more is told by the part that looks for ciphers. Everything else that
    // goes wrong behind a password looks like a wrong one.
    let is_unsupported = errors.errors().iter().any(|error| {
        error.library() == Some("digital envelope routines")
            && error.reason().is_some_and(|it| it.starts_with("un"))
    });
    match (is_encrypted, is_unsupported) {
        (true, true) => KeyFileError::UnsupportedCipher,
        (true, false) => KeyFileError::WrongPassword,
        (false, _) => KeyFileError::Malformed,
    }
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
