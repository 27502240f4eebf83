//! Encrypts what is remembered of fetched tokens.

use crate::gateway::{FetchedToken, TokenFetch};
use crate::{CacheKey, Fault, SealedToken};

/// Turns fetched tokens into what may lie in a store that others can read. Not `async`: its keys are
/// in memory.
pub trait TokenVault: Send + Sync {
    /// What the answer to `fetch` is remembered by: a keyed digest of all its parts, so that two
    /// questions share a key only if they are one, and nobody without the vault's secret can tell
    /// what a key was made of.
    fn key(&self, fetch: &TokenFetch) -> CacheKey;

    /// What the answer about a token is remembered by, kept apart from all keys of other questions.
    /// `about` tells questions about one token apart.
    fn digest(&self, about: &str, token: &str) -> CacheKey;

    /// Encrypts a token for its place under `key`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no randomness.
    fn seal(&self, key: &CacheKey, token: &FetchedToken) -> Result<SealedToken, Fault>;

    /// Decrypts what was sealed for `key` by a vault of the same secret. `None` for everything
    /// else: what was sealed for another place, with another secret, by another version, or was
    /// changed.
    fn open(&self, key: &CacheKey, sealed: &SealedToken) -> Option<FetchedToken>;
}
