//! A client is changed by an operator.

use std::sync::Arc;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{
    self, ClientRepository, Clock, CredentialRepository, RemoteKeys, SignatureVerifier,
};
use domain::{Client, ClientId, Credential, Fault, Revision, Timestamp};

use super::register_client::{check_keys, not_kept};
use crate::catalogue_in_use::{CatalogueInUse, GiftRefusal};
use crate::client_metadata::{ClientChanges, InvalidMetadata, invalid};
use crate::left_over_secrets::remove_left_overs;

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
    /// Whether keys are ever fetched from an address.
    pub remote_keys: Arc<dyn RemoteKeys>,
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
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
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
    /// them comes back if it is ever changed again. One that goes from a secret that it sends to a
    /// secret that it signs with, or back, must have none: they are kept in two ways, and one that was
    /// kept in one of them is of no use in the other.
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
        mandate: &Mandate,
    ) -> Result<Client, UpdateClientError> {
        let before = self.clients.find(id).await?.ok_or(UpdateClientError::Unknown)?;
        if expected.is_some_and(|it| !it.contains(&before.revision)) {
            return Err(UpdateClientError::Conflict);
        }
        mandate.check(Some(&before), None)?;
        changes.check(&before)?;
        let stored = before.revision;
        let mut client = before.clone();
        changes.apply(&mut client);
        mandate.check(None, Some(&client))?;
        client.end_lapsed_self_management();
        let now = self.clock.now();
        self.catalogue.check_gifts(Some(&before), &client, now)?;
        check_keys(&client, self.signatures.as_ref(), self.remote_keys.as_ref())?;
        if client.authentication != before.authentication {
            check_secrets(&client, &before, &self.credentials.list(id).await?, now)?;
        }
        if client.authentication.uses_secret() {
            // Before the change, since it would make them good again.
            remove_left_overs(self.credentials.as_ref(), &before).await?;
        }
        client.revision = stored.next();
        client.updated_at = now;
        if let Err(error) = self.clients.update(&client, stored).await {
            return Err(match error {
                port::UpdateClientError::Unknown => UpdateClientError::Unknown,
                port::UpdateClientError::Conflict => UpdateClientError::Conflict,
                port::UpdateClientError::Refused { member } => not_kept(&client, &member).into(),
                port::UpdateClientError::Fault(fault) => fault.into(),
            });
        }
        if !client.authentication.uses_secret() {
            self.credentials.remove_all(id).await?;
        }
        Ok(client)
    }
}

/// Whether the secrets of a client are of use by the method that it has now.
pub(crate) fn check_secrets(
    now_is: &Client,
    was: &Client,
    secrets: &[Credential],
    now: Timestamp,
) -> Result<(), InvalidMetadata> {
    let (old, new) = (was.authentication, now_is.authentication);
    let is_other_way = old.needs_sealed_secrets() != new.needs_sealed_secrets();
    let is_of_secrets = old.uses_secret() && new.uses_secret();
    if !is_of_secrets || !is_other_way || !secrets.iter().any(|it| it.is_live(now)) {
        return Ok(());
    }
    let reason = format!(
        "the secrets of the client are kept for {}, and of no use for {}: revoke them, change the \
         method, and add a new one (/clients/{{client_id}}/secrets)",
        old.name(),
        new.name()
    );
    Err(invalid("token_endpoint_auth_method", reason))
}
