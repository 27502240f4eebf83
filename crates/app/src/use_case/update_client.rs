//! A client is changed by an operator.

use std::sync::Arc;

use domain::port::{self, ClientRepository, Clock, CredentialRepository, SignatureVerifier};
use domain::{Client, ClientId, Fault, Revision};

use super::register_client::{not_kept, unusable};
use crate::catalogue_in_use::{CatalogueInUse, GiftRefusal};
use crate::client_metadata::{ClientChanges, InvalidMetadata};

/// Changes a client.
#[derive(Clone)]
pub struct UpdateClient {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// Whether a key can be used at all.
    pub signatures: Arc<dyn SignatureVerifier>,
    /// What is registered, and so may be given to it.
    pub catalogue: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// Why a client was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateClientError {
    /// What was said about it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// It was changed since the caller read it.
    #[error("the client was changed meanwhile: read it again, and send its new ETag")]
    Conflict,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<port::UpdateClientError> for UpdateClientError {
    fn from(error: port::UpdateClientError) -> Self {
        match error {
            port::UpdateClientError::Unknown => Self::Unknown,
            port::UpdateClientError::Conflict => Self::Conflict,
            port::UpdateClientError::Refused { member } => Self::Invalid(not_kept(member)),
            port::UpdateClientError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<GiftRefusal> for UpdateClientError {
    fn from(refusal: GiftRefusal) -> Self {
        match refusal {
            GiftRefusal::Invalid(error) => Self::Invalid(error),
            GiftRefusal::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl UpdateClient {
    /// Runs the use-case: changes the client if its revision is one of `expected`; `None` stands
    /// for whatever revision it has. A client that goes over to keys loses its secrets: none of
    /// them comes back if it is ever changed again.
    ///
    /// # Errors
    ///
    /// See [`UpdateClientError`].
    #[tracing::instrument(level = "debug", name = "update_client", skip_all)]
    pub async fn execute(
        &self,
        id: &ClientId,
        changes: ClientChanges,
        expected: Option<&[Revision]>,
    ) -> Result<Client, UpdateClientError> {
        let before = self.clients.find(id).await?.ok_or(UpdateClientError::Unknown)?;
        if expected.is_some_and(|it| !it.contains(&before.revision)) {
            return Err(UpdateClientError::Conflict);
        }
        changes.check(&before)?;
        let stored = before.revision;
        let mut client = before.clone();
        changes.apply(&mut client);
        let now = self.clock.now();
        self.catalogue.check_gifts(Some(&before), &client, now)?;
        if let Some(key) = client.keys.iter().find(|key| !self.signatures.is_usable(key)) {
            return Err(unusable(key).into());
        }
        client.revision = stored.next();
        client.updated_at = now;
        self.clients.update(&client, stored).await?;
        if !client.authentication.uses_secret() {
            self.credentials.remove_all(id).await?;
        }
        Ok(client)
    }
}
