//! Fakes for tests of use-cases. Only with the feature `testing`, so that no server holds them.

mod counting;
mod faulty;
mod faulty_token_cache;
mod manual_clock;
mod plain_digester;
mod plain_hasher;
mod plain_macs;
mod plain_signer;
mod plain_vault;
mod published_keys;
mod seeded_entropy;

pub use counting::Counting;
pub use faulty::Faulty;
pub use manual_clock::ManualClock;
pub use plain_digester::PlainDigester;
pub use plain_hasher::PlainHasher;
pub use plain_macs::PlainMacs;
pub use plain_signer::PlainSigner;
pub use plain_vault::PlainVault;
pub use published_keys::PublishedKeys;
pub use seeded_entropy::SeededEntropy;
