//! How new secrets are hashed, and with how much of the machine.

use crate::Pepper;

/// How new secrets are hashed, and with how much of the machine.
#[derive(Clone, Debug)]
pub struct HashingOptions {
    /// The scheme of new hashes. Those of other schemes still verify, and are outdated.
    pub scheme: Scheme,
    /// The key of [`Scheme::Keyed`]. Needed as long as any hash of that scheme is stored.
    pub pepper: Option<Pepper>,
    /// The most slow hashes that are computed at a time: no more than there are cores to spare.
    pub workers: usize,
    /// The most slow hashes that wait for a worker. Beyond that, callers are turned away at once.
    pub queue: usize,
}

/// How secrets are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// bcrypt: 100 ms of one core with cost 10.
    Bcrypt {
        /// The binary logarithm of the number of rounds: 4 to 15.
        cost: u32,
    },
    /// argon2id (RFC 9106): 31 ms of one core with 19 MiB, 2 passes and 1 lane.
    Argon2id {
        /// The memory of one computation.
        memory_kib: u32,
        /// How often it is passed through.
        iterations: u32,
        /// How many lanes it has.
        parallelism: u32,
    },
    /// HMAC-SHA-256 under a [`Pepper`]: 1 µs. Only for secrets that we made ourselves, which
    /// nobody can guess, however fast.
    Keyed,
}

/// Why nothing can be hashed with these options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHashingOptions {
    /// A cost of bcrypt that is unsafe or never ends.
    #[error("the cost of bcrypt must be 4 to 15")]
    BcryptCost,
    /// Parameters of argon2id that do not go together, or that we would not verify.
    #[error(
        "argon2id needs 8 KiB to 1 GiB of memory and at least 8 KiB for each lane, 1 to 64 \
         iterations and 1 to 64 lanes"
    )]
    Argon2,
    /// The keyed scheme without its key.
    #[error("keyed hashes need a pepper")]
    NoPepper,
    /// A pepper that could be guessed.
    #[error("a pepper must have at least {} bytes, drawn at random", Pepper::MIN_BYTES)]
    ShortPepper,
    /// Nobody would do the work.
    #[error("at least one worker must hash")]
    NoWorkers,
    /// The operating system has no randomness to give.
    #[error("the operating system gave no random bytes")]
    NoEntropy,
}
