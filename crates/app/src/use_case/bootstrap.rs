//! The token that manages the server before any client can.

use std::sync::Arc;

use domain::port::{BootstrapRepository, Entropy, TokenDigester};
use domain::{ClientSecret, Fault};

use crate::make;

/// Makes the bootstrap token of a first start.
#[derive(Clone)]
pub struct ClaimBootstrapToken {
    /// Where its digest is kept.
    pub bootstrap: Arc<dyn BootstrapRepository>,
    /// How it is digested.
    pub digester: Arc<dyn TokenDigester>,
    /// Where it comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl ClaimBootstrapToken {
    /// Runs the use-case: the token, shown this once, or `None` if one was made before.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self) -> Result<Option<ClientSecret>, Fault> {
        if self.bootstrap.find().await?.is_some() {
            return Ok(None);
        }
        let token = make::bootstrap_token(self.entropy.as_ref())?;
        let is_ours = self.bootstrap.claim(&self.digester.digest(token.expose())).await?;
        Ok(is_ours.then_some(token))
    }
}

/// Makes another bootstrap token, for an operator who lost the first.
#[derive(Clone)]
pub struct ReplaceBootstrapToken {
    /// Where its digest is kept.
    pub bootstrap: Arc<dyn BootstrapRepository>,
    /// How it is digested.
    pub digester: Arc<dyn TokenDigester>,
    /// Where it comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl ReplaceBootstrapToken {
    /// Runs the use-case: the new token, shown this once. The old one is worth nothing.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self) -> Result<ClientSecret, Fault> {
        let token = make::bootstrap_token(self.entropy.as_ref())?;
        self.bootstrap.replace(&self.digester.digest(token.expose())).await?;
        Ok(token)
    }
}
