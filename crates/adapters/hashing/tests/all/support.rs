//! Hashers for the tests.

use std::sync::atomic::{AtomicUsize, Ordering};

use adapter_hashing::{Hasher, HashingOptions, Pepper, Scheme};
use async_trait::async_trait;
use domain::port::{SecretHasher, Verdict};
use domain::{ClientSecret, Fault, SecretHash};

pub(crate) const BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };
pub(crate) const ARGON2ID: Scheme =
    Scheme::Argon2id { memory_kib: 8, iterations: 1, parallelism: 1 };

pub(crate) fn pepper(byte: u8) -> Pepper {
    Pepper::new(&[byte; 32]).unwrap()
}

pub(crate) fn options(scheme: Scheme) -> HashingOptions {
    HashingOptions { scheme, pepper: Some(pepper(7)), workers: 2, queue: 100 }
}

pub(crate) fn hasher(scheme: Scheme) -> Hasher {
    Hasher::new(options(scheme)).unwrap()
}

pub(crate) fn secret(text: &str) -> ClientSecret {
    ClientSecret::new(text.to_owned())
}

/// Counts what is computed.
pub(crate) struct Counting {
    pub(crate) inner: Hasher,
    pub(crate) verifications: AtomicUsize,
}

impl Counting {
    pub(crate) fn new(inner: Hasher) -> Self {
        Self { inner, verifications: AtomicUsize::new(0) }
    }

    pub(crate) fn count(&self) -> usize {
        self.verifications.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SecretHasher for Counting {
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        self.inner.hash(secret).await
    }

    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault> {
        self.verifications.fetch_add(1, Ordering::SeqCst);
        // Nothing is answered at once.
        tokio::task::yield_now().await;
        self.inner.verify(presented, expected).await
    }
}
