//! A new client (RFC 7591 section 3).

use std::sync::Arc;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{
    ClientRepository, Clock, CredentialRepository, Entropy, InsertClientError, MacVerifier,
    RemoteKeys, SecretHasher, SignatureVerifier, TokenDigester, UpdateClientError,
};
use domain::{Client, ClientSecret, ClientState, Fault};

use super::undo_registrations::{UndoRegistrations, Unfinished};
use crate::catalogue_in_use::{CatalogueInUse, GiftRefusal};
use crate::client_metadata::{InvalidMetadata, NewClient, invalid};
use crate::make;

/// Makes a client, with a secret where it will use one.
#[derive(Clone)]
pub struct RegisterClient {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// How secrets are hashed.
    pub hasher: Arc<dyn SecretHasher>,
    /// How secrets are sealed with which clients sign.
    pub macs: Arc<dyn MacVerifier>,
    /// How the right one of several hashes is found.
    pub digester: Arc<dyn TokenDigester>,
    /// Whether a key can be used at all.
    pub signatures: Arc<dyn SignatureVerifier>,
    /// Whether keys are ever fetched from an address.
    pub remote_keys: Arc<dyn RemoteKeys>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// What is registered, and so may be given to it.
    pub catalogue: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Which registrations failed halfway.
    pub unfinished: Arc<Unfinished>,
}

/// A client that was made.
#[derive(Debug)]
pub struct RegisteredClient {
    /// The client.
    pub client: Client,
    /// Its secret, shown this once; `None` for a client that uses keys.
    pub secret: Option<ClientSecret>,
    /// With what it manages its own registration, shown this once; `None` where it does not.
    pub registration_token: Option<ClientSecret>,
}

/// Why no client was made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterClientError {
    /// What was said about it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
    /// The ids that were drawn are taken: the store says so of everything, or the randomness is
    /// broken.
    #[error("a client with this id already exists")]
    Duplicate,
    /// The store of clients refuses it, and says nothing that the caller could mend.
    #[error("the store of clients refused the client")]
    Rejected(#[source] Fault),
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<GiftRefusal> for RegisterClientError {
    fn from(refusal: GiftRefusal) -> Self {
        match refusal {
            GiftRefusal::Invalid(error) => Self::Invalid(error),
            GiftRefusal::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl RegisterClient {
    /// Runs the use-case. When it fails, nothing half-made stays behind.
    ///
    /// # Errors
    ///
    /// See [`RegisterClientError`].
    #[tracing::instrument(level = "debug", name = "register_client", skip_all)]
    pub async fn execute(
        &self,
        new: NewClient,
        mandate: &Mandate,
    ) -> Result<RegisteredClient, RegisterClientError> {
        mandate.check(None, Some(&new.sketch()?))?;
        self.with_token(new, None).await
    }

    /// As [`RegisterClient::execute`], for a client that manages its own registration (RFC 7592).
    /// Where the store of clients has no room for the digest of its token, it does not.
    ///
    /// # Errors
    ///
    /// See [`RegisterClientError`].
    #[tracing::instrument(level = "debug", name = "register_client", skip_all)]
    pub async fn self_managed(
        &self,
        new: NewClient,
    ) -> Result<RegisteredClient, RegisterClientError> {
        let token = make::registration_token(self.entropy.as_ref())?;
        match self.with_token(new.clone(), Some(&token)).await {
            // The public sets no settings, so there is nothing else in them.
            Err(RegisterClientError::Invalid(error)) if error.member == "settings" => {
                self.with_token(new, None).await
            }
            Ok(made) => Ok(RegisteredClient { registration_token: Some(token), ..made }),
            Err(error) => Err(error),
        }
    }

    async fn with_token(
        &self,
        new: NewClient,
        token: Option<&ClientSecret>,
    ) -> Result<RegisteredClient, RegisterClientError> {
        // One collision of 32 random letters is bad luck; two are a fault that the caller sees.
        match self.attempt(new.clone(), token).await {
            Err(RegisterClientError::Duplicate) => self.attempt(new, token).await,
            outcome => outcome,
        }
    }

    async fn attempt(
        &self,
        new: NewClient,
        token: Option<&ClientSecret>,
    ) -> Result<RegisteredClient, RegisterClientError> {
        let now = self.clock.now();
        let is_published = new.state == Some(ClientState::Public);
        let mut client = new.into_client(make::client_id(self.entropy.as_ref())?, now);
        client.settings.registration_token = token.map(|it| self.digester.digest(it.expose()));
        check_keys(&client, self.signatures.as_ref(), self.remote_keys.as_ref())?;
        self.catalogue.check_gifts(None, &client, now)?;
        let secret = if client.authentication.uses_secret() {
            let secret = make::client_secret(self.entropy.as_ref())?;
            let id = make::secret_id(self.entropy.as_ref())?;
            let (hasher, macs) = (self.hasher.as_ref(), self.macs.as_ref());
            let hash = make::kept_secret(hasher, macs, &client, &id, &secret).await?;
            let credential = make::credential(id, &secret, hash, self.digester.as_ref(), now);
            // The credential comes first: without its client it is worth nothing, while a client
            // without its credential would be half-made.
            match self.credentials.insert(&client.id, &credential).await {
                Ok(true) => (),
                Ok(false) => return Err(RegisterClientError::Duplicate),
                Err(fault) => {
                    // It may have been kept, or be on its way.
                    self.unfinished.note(client.id, now);
                    return Err(fault.into());
                }
            }
            Some(secret)
        } else {
            None
        };
        match self.clients.insert(&client).await {
            Ok(()) if is_published => match self.publish(client.clone()).await {
                Ok(client) => Ok(RegisteredClient { client, secret, registration_token: None }),
                Err(fault) => {
                    self.forget(&client, true).await;
                    Err(fault.into())
                }
            },
            Ok(()) => Ok(RegisteredClient { client, secret, registration_token: None }),
            Err(InsertClientError::AlreadyExists) => {
                self.forget(&client, false).await;
                Err(RegisterClientError::Duplicate)
            }
            Err(error @ InsertClientError::Refused { .. }) if !is_said(&client, &error) => {
                self.forget(&client, false).await;
                Err(RegisterClientError::Rejected(Fault::corrupt(error)))
            }
            Err(InsertClientError::Refused { member }) => {
                self.forget(&client, false).await;
                Err(not_kept(&client, &member).into())
            }
            Err(InsertClientError::Fault(fault)) if !fault.is_passing() => {
                self.forget(&client, true).await;
                Err(RegisterClientError::Rejected(fault))
            }
            Err(InsertClientError::Fault(fault)) => {
                // The answer may be lost and the client stored all the same.
                self.forget(&client, true).await;
                Err(fault.into())
            }
        }
    }

    /// A store may have a state of its own in which clients begin. Whoever asked for a client in
    /// use gets one.
    async fn publish(&self, client: Client) -> Result<Client, Fault> {
        let Some(stored) = self.clients.find(&client.id).await? else {
            return Err(Fault::corrupt("a client that was just kept is gone"));
        };
        if stored.is_enabled() {
            return Ok(client);
        }
        let revision = stored.revision.next();
        let published = Client { state: ClientState::Public, revision, ..stored.clone() };
        match self.clients.update(&published, stored.revision).await {
            Ok(()) => Ok(published),
            Err(UpdateClientError::Fault(fault)) => Err(fault),
            Err(
                error @ (UpdateClientError::Unknown
                | UpdateClientError::Conflict
                | UpdateClientError::Refused { .. }),
            ) => Err(Fault::unavailable(error)),
        }
    }

    /// Takes a registration back that succeeded when nobody waited for it any more.
    pub async fn undo(&self, client: &Client) {
        self.forget(client, true).await;
    }

    /// What removes the rest of registrations that failed halfway.
    #[must_use]
    pub fn undo_registrations(&self) -> UndoRegistrations {
        UndoRegistrations {
            clients: Arc::clone(&self.clients),
            credentials: Arc::clone(&self.credentials),
            unfinished: Arc::clone(&self.unfinished),
            clock: Arc::clone(&self.clock),
        }
    }

    async fn forget(&self, client: &Client, may_be_stored: bool) {
        if may_be_stored {
            self.unfinished.note(client.id.clone(), self.clock.now());
        }
        if may_be_stored && let Err(fault) = self.clients.remove(&client.id).await {
            tracing::warn!(client.id = %client.id, error = %fault, "a client may be half-made");
        }
        if let Err(fault) = self.credentials.remove_all(&client.id).await {
            tracing::warn!(client.id = %client.id, error = %fault, "a credential has no client");
        }
    }
}

/// Whether the caller said anything of the member that the store refuses. A store that refuses what
/// every client has is no fault of the caller.
fn is_said(client: &Client, error: &InsertClientError) -> bool {
    let InsertClientError::Refused { member } = error else { return false };
    match member.as_str() {
        "client_id" | "client_name" | "token_endpoint_auth_method" | "__STATE__" => false,
        "permissions" => !client.permissions.is_empty(),
        "audience" => !client.audience.is_empty(),
        "scope" => !client.scope.is_empty(),
        "allowedCustomClaims" => !client.allowed_custom_claims.is_empty(),
        "metadata" => client.metadata.is_some(),
        _ => true,
    }
}

/// The store has a schema of its own, which lacks the member.
pub(crate) fn not_kept(client: &Client, member: &str) -> InvalidMetadata {
    let reason = "is not kept by the store of clients: leave it out".to_owned();
    let settings = client.settings.shown();
    // Stores keep them in one field, which nobody sends by that name.
    let member = if member == "settings" && !settings.is_empty() {
        settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    } else {
        member.to_owned()
    };
    InvalidMetadata { member, reason }
}

/// Whether the keys of a client can be used, as far as it can be told without asking anybody.
pub(crate) fn check_keys(
    client: &Client,
    signatures: &dyn SignatureVerifier,
    remote_keys: &dyn RemoteKeys,
) -> Result<(), InvalidMetadata> {
    if let Some(key) = client.keys.iter().find(|key| !signatures.is_usable(key)) {
        let name = key.algorithm().name();
        return Err(invalid(
            "public_key",
            format!("the {name} key is not a valid point or modulus"),
        ));
    }
    match client.settings.jwks_uri.as_ref().and_then(|uri| remote_keys.refusal(uri)) {
        Some(refusal) => Err(invalid("jwks_uri", refusal.to_string())),
        None => Ok(()),
    }
}
