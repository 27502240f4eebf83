//! Remembers which secrets verified, so that each is hashed once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use domain::port::{SecretHasher, Verdict};
use domain::{ClientSecret, Fault, SecretHash};

use crate::keyed;
use crate::refusal::{Refusal, shared};
use crate::remembered::{Match, Memory, Remembered};
use crate::single_flight::SingleFlight;

/// Remembers which secrets verified, so that each is hashed once, however many ask at a time.
///
/// What is remembered is an HMAC, under a key of this process, of the stored hash and the secret:
/// nobody can get a secret out of it, and it is worth nothing once the stored hash is another.
/// Only matches are remembered. A mismatch is shared with those who wait for the same answer and
/// forgotten; so is a fault. A client nobody has heard of always costs a hash of its own.
///
/// An outdated match is told to the one caller that computed it, so that the secret is hashed
/// again once; everybody else sees a match. Were the new hash lost, it is told again after
/// ten minutes.
#[derive(Clone)]
pub struct RememberingHasher {
    inner: Arc<dyn SecretHasher>,
    key: Arc<hmac::Key>,
    remembered: Arc<Remembered>,
    verifications: Arc<SingleFlight<Result<Match, Arc<Refusal>>>>,
    statistics: Arc<MemoryStatistics>,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberingOptions {
    /// The most secrets, of some 80 bytes each.
    pub capacity: u64,
    /// How long a secret is remembered that nobody presents.
    pub time_to_idle: Duration,
}

/// How often remembering helped.
#[derive(Debug, Default)]
pub struct MemoryStatistics {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
}

impl MemoryStatistics {
    /// Verifications answered from memory.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Verifications that were computed.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Verifications that waited for somebody else's answer to the same question.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }
}

impl RememberingHasher {
    /// Stands before `inner`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the operating system has no randomness to give.
    pub fn new(inner: Arc<dyn SecretHasher>, options: RememberingOptions) -> Result<Self, Fault> {
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new());
        let key = key.map(Arc::new).map_err(Fault::unavailable)?;
        let remembered = Arc::new(Remembered::new(options.capacity, options.time_to_idle));
        let (verifications, statistics) = (Arc::default(), Arc::default());
        Ok(Self { inner, key, remembered, verifications, statistics })
    }

    /// How often remembering helped.
    #[must_use]
    pub fn statistics(&self) -> Arc<MemoryStatistics> {
        Arc::clone(&self.statistics)
    }

    /// The length goes first: no other pair of texts runs together to the same bytes.
    fn memory_of(&self, hash: &SecretHash, secret: &ClientSecret) -> Memory {
        let hash = hash.as_str().as_bytes();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&hash.len().to_be_bytes());
        context.update(hash);
        context.update(secret.expose().as_bytes());
        let mut memory = [0; 32];
        memory.copy_from_slice(context.sign().as_ref());
        memory
    }

    async fn verify_once(
        &self,
        presented: &ClientSecret,
        hash: &SecretHash,
        memory: Memory,
    ) -> Result<Verdict, Fault> {
        let is_own = AtomicBool::new(false);
        let verify = async {
            is_own.store(true, Ordering::Relaxed);
            match self.inner.verify(presented, Some(hash)).await {
                Ok(Verdict::Match) => Ok(Match::Current),
                Ok(Verdict::MatchOutdated) => Ok(Match::Outdated),
                Ok(Verdict::Mismatch) => Err(Arc::new(Refusal::Mismatch)),
                Err(fault) => Err(Arc::new(Refusal::Fault(fault))),
            }
        };
        let keep = |verified: &Result<Match, _>| {
            if let Ok(verified) = verified {
                self.remembered.remember(memory, *verified);
            }
        };
        let has_landed = || self.remembered.recalls(&memory);
        let verified = self.verifications.fly(memory, has_landed, verify, keep).await;
        let is_own = is_own.into_inner();
        let counter = if is_own { &self.statistics.misses } else { &self.statistics.shared };
        counter.fetch_add(1, Ordering::Relaxed);
        match verified {
            Some(Ok(Match::Outdated)) if is_own => Ok(Verdict::MatchOutdated),
            None | Some(Ok(Match::Current | Match::Outdated)) => Ok(Verdict::Match),
            Some(Err(refusal)) => match &*refusal {
                Refusal::Mismatch => Ok(Verdict::Mismatch),
                Refusal::Fault(fault) => Err(shared(fault.kind(), Arc::clone(&refusal))),
            },
        }
    }
}

/// A keyed hash costs less than remembering it.
fn is_worth_remembering(hash: &SecretHash) -> bool {
    hash.as_str().split('$').nth(1) != Some(keyed::NAME)
}

#[async_trait]
impl SecretHasher for RememberingHasher {
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        let hash = self.inner.hash(secret).await?;
        // Whoever has just been given a secret presents it soon.
        if is_worth_remembering(&hash) {
            let memory = self.memory_of(&hash, secret);
            self.remembered.remember(memory, Match::Current);
        }
        Ok(hash)
    }

    async fn recalls(&self, presented: &ClientSecret, expected: &SecretHash) -> bool {
        if presented.is_too_long() || !is_worth_remembering(expected) {
            return self.inner.recalls(presented, expected).await;
        }
        let memory = self.memory_of(expected, presented);
        let is_remembered = self.remembered.recalls(&memory);
        if is_remembered {
            self.statistics.hits.fetch_add(1, Ordering::Relaxed);
        }
        is_remembered
    }

    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault> {
        let hash = match expected {
            Some(hash) if is_worth_remembering(hash) && !presented.is_too_long() => hash,
            Some(_) | None => return self.inner.verify(presented, expected).await,
        };
        let memory = self.memory_of(hash, presented);
        if self.remembered.recalls(&memory) {
            self.statistics.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Verdict::Match);
        }
        self.verify_once(presented, hash, memory).await
    }
}

impl fmt::Debug for RememberingHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberingHasher")
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}
