//! How secrets are hashed: bcrypt, argon2id, keyed HMAC; and where randomness comes from.
//!
//! [`Hasher`] computes; [`RememberingHasher`] stands before it and saves it most of the work.

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
mod sha256_digester;
mod single_flight;
mod stored;

pub use hasher::Hasher;
pub use options::{HashingOptions, InvalidHashingOptions, Scheme};
pub use os_entropy::OsEntropy;
pub use pepper::Pepper;
pub use pool::PoolStatistics;
pub use remembering_hasher::{MemoryStatistics, RememberingHasher, RememberingOptions};
pub use sha256_digester::Sha256Digester;
