//! Hashes secrets, and verifies hashes of every scheme.

use std::sync::Arc;

use argon2::Params;
use async_trait::async_trait;
use domain::port::{SecretHasher, Verdict};
use domain::{ClientSecret, Fault, SecretHash};

use crate::argon2id::{self, Argon2idHash};
use crate::bcrypted::{self, BcryptHash};
use crate::keyed::KeyedHash;
use crate::pool::Pool;
use crate::random::random;
use crate::stored::{SlowHash, Stored};
use crate::{HashingOptions, InvalidHashingOptions, Pepper, PoolStatistics, Scheme};

/// Hashes secrets in the configured scheme, and verifies hashes of every scheme.
///
/// bcrypt and argon2id run in a bounded pool: when that is full, callers are turned away at once.
/// A keyed hash takes a microsecond and runs where it is asked for.
///
/// A secret of more than [`ClientSecret::MAX_BYTES`] is no secret of anybody: it is a mismatch
/// without a hash, which betrays nothing, since it takes as long for clients that exist as for
/// those that do not (threats T22, T23).
pub struct Hasher {
    method: Method,
    pepper: Option<Pepper>,
    /// Verified in place of the hash of a client nobody has heard of.
    dummy: Stored,
    pool: Pool,
}

/// The configured scheme, ready for use.
enum Method {
    Bcrypt { cost: u32 },
    Argon2id(Params),
    Keyed(Pepper),
}

impl Hasher {
    /// A hasher of the configured scheme. Computes no slow hash.
    ///
    /// # Errors
    ///
    /// See [`InvalidHashingOptions`].
    pub fn new(options: HashingOptions) -> Result<Self, InvalidHashingOptions> {
        let HashingOptions { scheme, pepper, workers, queue } = options;
        if workers == 0 {
            return Err(InvalidHashingOptions::NoWorkers);
        }
        let method = Method::new(scheme, pepper.as_ref())?;
        let dummy = method.dummy().map_err(|_| InvalidHashingOptions::NoEntropy)?;
        Ok(Self { method, pepper, dummy, pool: Pool::new(workers, queue) })
    }

    /// How busy the pool is.
    #[must_use]
    pub fn statistics(&self) -> Arc<PoolStatistics> {
        self.pool.statistics()
    }

    async fn matches(&self, presented: &ClientSecret, stored: &Stored) -> Result<bool, Fault> {
        match stored {
            Stored::Keyed(hash) => hash.verify(presented.expose(), self.pepper.as_ref()),
            Stored::Slow(hash) => {
                let (hash, presented) = (hash.clone(), presented.clone());
                self.pool.run(move || hash.verify(presented.expose())).await?
            }
        }
    }
}

impl Method {
    fn new(scheme: Scheme, pepper: Option<&Pepper>) -> Result<Self, InvalidHashingOptions> {
        match scheme {
            Scheme::Bcrypt { cost } if bcrypted::is_cost_allowed(cost) => Ok(Self::Bcrypt { cost }),
            Scheme::Bcrypt { .. } => Err(InvalidHashingOptions::BcryptCost),
            Scheme::Argon2id { memory_kib, iterations, parallelism } => {
                argon2id::params(memory_kib, iterations, parallelism)
                    .map(Self::Argon2id)
                    .ok_or(InvalidHashingOptions::Argon2)
            }
            Scheme::Keyed => {
                pepper.cloned().map(Self::Keyed).ok_or(InvalidHashingOptions::NoPepper)
            }
        }
    }

    /// A hash that costs what a real one costs, and that no secret is behind.
    fn dummy(&self) -> Result<Stored, Fault> {
        let salt = random()?;
        Ok(match self {
            Self::Bcrypt { cost } => {
                Stored::Slow(SlowHash::Bcrypt(BcryptHash::dummy(*cost, salt, random()?)))
            }
            Self::Argon2id(params) => {
                let hash = Argon2idHash::dummy(params.clone(), salt, random()?);
                Stored::Slow(SlowHash::Argon2id(hash))
            }
            Self::Keyed(pepper) => Stored::Keyed(KeyedHash::dummy(pepper, salt, random()?)),
        })
    }

    /// Whether a hash is what this method would make now.
    fn made(&self, stored: &Stored) -> bool {
        match (self, stored) {
            (Self::Bcrypt { cost }, Stored::Slow(SlowHash::Bcrypt(hash))) => hash.cost() == *cost,
            (Self::Argon2id(params), Stored::Slow(SlowHash::Argon2id(hash))) => hash.is_of(params),
            // It verified, so its pepper is ours.
            (Self::Keyed(_), Stored::Keyed(_)) => true,
            (
                Self::Bcrypt { .. } | Self::Argon2id(_) | Self::Keyed(_),
                Stored::Keyed(_) | Stored::Slow(SlowHash::Bcrypt(_) | SlowHash::Argon2id(_)),
            ) => false,
        }
    }
}

#[async_trait]
impl SecretHasher for Hasher {
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        if secret.is_too_long() {
            return Err(Fault::corrupt("a secret is longer than any that could be presented"));
        }
        let salt = random()?;
        let secret = secret.clone();
        let encoded = match &self.method {
            Method::Bcrypt { cost } => {
                let cost = *cost;
                let hash = move || BcryptHash::compute(secret.expose(), cost, salt).encode();
                self.pool.run(hash).await?
            }
            Method::Argon2id(params) => {
                let params = params.clone();
                let hash = move || Argon2idHash::compute(secret.expose(), &params, salt);
                self.pool.run(hash).await??.encode()
            }
            Method::Keyed(pepper) => KeyedHash::encode(secret.expose(), pepper, salt),
        };
        Ok(SecretHash::new(encoded))
    }

    /// A keyed hash is as fast to verify as to remember.
    async fn recalls(&self, presented: &ClientSecret, expected: &SecretHash) -> bool {
        match Stored::parse(expected) {
            Ok(stored @ Stored::Keyed(_)) if !presented.is_too_long() => {
                self.method.made(&stored)
                    && self.matches(presented, &stored).await.is_ok_and(|it| it)
            }
            Ok(Stored::Keyed(_) | Stored::Slow(_)) | Err(_) => false,
        }
    }

    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault> {
        if presented.is_too_long() {
            return Ok(Verdict::Mismatch);
        }
        let Some(expected) = expected else {
            self.matches(presented, &self.dummy).await?;
            return Ok(Verdict::Mismatch);
        };
        let stored = Stored::parse(expected)?;
        let is_match = self.matches(presented, &stored).await?;
        Ok(match (is_match, self.method.made(&stored)) {
            (false, _) => Verdict::Mismatch,
            (true, true) => Verdict::Match,
            (true, false) => Verdict::MatchOutdated,
        })
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher")
            .field("pepper", &self.pepper)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
