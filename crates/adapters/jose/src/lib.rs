//! Signing keys, signed tokens and client assertions.
//!
//! Two libraries do the work. [josekit] over OpenSSL makes and reads keys and turns them into
//! JWKs, and its `JwsSigner` and `JwsVerifier` are the interface of everything that signs or
//! verifies; behind that interface stands aws-lc, which is faster (`examples/signing_rates.rs`
//! measures both). Nothing here chooses a key or an algorithm because a token asks for it.

mod client_key_verifier;
mod directory_keys;
mod edwards;
mod key_factory;
mod key_file;
mod key_file_error;
mod key_ring;
mod payload;
mod pem_file_keys;
mod private_key;
mod published_keys;
mod ring_key;
mod signer;
mod verified;
mod verifier;

pub use client_key_verifier::ClientKeyVerifier;
pub use directory_keys::{DirectoryKeys, DirectoryKeysError};
pub use key_factory::KeyFactory;
pub use key_file::{KeyFile, read_private_key};
pub use key_file_error::KeyFileError;
pub use key_ring::KeyRing;
pub use pem_file_keys::{PemFileError, PemFileKeys, PemKeyFile};
pub use private_key::KeyKind;
pub use published_keys::PublishedKeys;
