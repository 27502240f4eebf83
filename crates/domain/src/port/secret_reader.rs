//! Reads secrets that a configuration refers to.

use async_trait::async_trait;

use crate::gateway::SecretReference;
use crate::{ClientSecret, Fault};

/// Reads secrets that a configuration refers to.
#[async_trait]
pub trait SecretReader: Send + Sync {
    /// The secret, without a line end at its end; `None` if there is none of that name and key.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; a secret that is no UTF-8, or far too long, is one of kind `Corrupt`.
    async fn read(&self, reference: &SecretReference) -> Result<Option<ClientSecret>, Fault>;
}
