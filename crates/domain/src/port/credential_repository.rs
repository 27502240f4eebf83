//! Where the hashes of secrets are kept.

use async_trait::async_trait;

use super::Known;
use crate::{
    ClientId, Credential, EndingSecret, Fault, SecretHash, SecretId, SecretUse, Timestamp,
};

/// Where the hashes of secrets are kept. It knows nothing of clients but their ids, and may be
/// another store than theirs.
#[async_trait]
pub trait CredentialRepository: Send + Sync {
    /// Every secret of a client, oldest first; none for a client nobody has heard of.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault>;

    /// As `list`, and says whether the answer is remembered. A store remembers nothing; a cache
    /// says so for each answer.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn look_up(&self, client: &ClientId) -> Result<Known<Vec<Credential>>, Fault> {
        self.list(client).await.map(Known::read)
    }

    /// As `list`, past whatever is remembered: what the store says now. Those who ask at the same
    /// time may share one answer.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn look_again(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        self.list(client).await
    }

    /// Keeps one more secret. `false`, and nothing is changed, if the client has a secret of
    /// that id. When this returns, the secret survives a crash of this process.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault>;

    /// Replaces the hash `old` of a secret by `new`. `false`, and nothing is changed, if the
    /// secret is gone or its hash is another.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault>;

    /// Lets a secret end at `at`, unless it ends earlier by itself. `false` if there is none.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault>;

    /// Forgets one secret. `false` if there was none.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault>;

    /// Forgets every secret of a client.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault>;

    /// Sets `last_used` of each secret to the moment named, unless a later one is stored.
    /// Unknown secrets are passed over.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; some of the uses may have been written by then.
    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault>;

    /// The secrets of all clients that end at `from` or later and before `until`, at most `limit`
    /// of them, those that end first first. They are found by their end: the work grows with what
    /// is found, not with what is kept.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault>;
}
