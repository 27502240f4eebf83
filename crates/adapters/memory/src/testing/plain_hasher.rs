//! Secrets compared in the clear.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::port::{SecretHasher, Verdict};
use domain::{ClientSecret, Fault, SecretHash};

const PREFIX: &str = "$plain$";

/// Keeps secrets as they are, behind `$plain$`, and compares them in the clear.
///
/// It breaks the one promise of its port that matters, that secrets are not known, and keeps the
/// others that a use-case can see. It yields once for each call, so that calls at the same time
/// do overlap.
#[derive(Debug, Default)]
pub struct PlainHasher {
    hashes: AtomicUsize,
    verifications: AtomicUsize,
    is_outdated: AtomicBool,
}

impl PlainHasher {
    /// What it makes of `secret`.
    #[must_use]
    pub fn hash_of(secret: &str) -> SecretHash {
        SecretHash::new(format!("{PREFIX}{secret}"))
    }

    /// Whether every match is an outdated one from now on.
    pub fn set_outdated(&self, is_outdated: bool) {
        self.is_outdated.store(is_outdated, Ordering::SeqCst);
    }

    /// How many hashes were made.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.hashes.load(Ordering::SeqCst)
    }

    /// How many secrets were verified, against a hash or against none.
    #[must_use]
    pub fn verifications(&self) -> usize {
        self.verifications.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SecretHasher for PlainHasher {
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Self::hash_of(secret.expose()))
    }

    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault> {
        self.verifications.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let Some(expected) = expected else {
            return Ok(Verdict::Mismatch);
        };
        let Some(secret) = expected.as_str().strip_prefix(PREFIX) else {
            return Err(Fault::corrupt("the hash is of no known scheme"));
        };
        Ok(match (secret == presented.expose(), self.is_outdated.load(Ordering::SeqCst)) {
            (false, _) => Verdict::Mismatch,
            (true, false) => Verdict::Match,
            (true, true) => Verdict::MatchOutdated,
        })
    }
}
