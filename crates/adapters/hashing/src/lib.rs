//! How secrets are kept: hashed with bcrypt, argon2id or a keyed HMAC, or sealed where they must be
//! known again; and where randomness comes from.
//!
//! [`Hasher`] computes; [`RememberingHasher`] stands before it and saves it most of the work.
//! [`SealedSecrets`] verifies what clients make with secrets that they do not send.

mod argon2id;
mod bcrypted;
mod hasher;
mod keyed;
mod options;
mod os_entropy;
mod pepper;
mod pool;
mod random;
mod refusal;
mod remembered;
mod remembering_hasher;
mod sealed;
mod sealing_key;
mod sealing_key_file;
mod sha256_digester;
mod single_flight;
mod stored;

pub use hasher::Hasher;
pub use options::{HashingOptions, InvalidHashingOptions, Scheme};
pub use os_entropy::OsEntropy;
pub use pepper::Pepper;
pub use pool::PoolStatistics;
pub use remembering_hasher::{MemoryStatistics, RememberingHasher, RememberingOptions};
pub use sealed::SealedSecrets;
pub use sealing_key::{InvalidSealingKey, SealingKey};
pub use sealing_key_file::SealingKeyFileError;
pub use sha256_digester::Sha256Digester;
