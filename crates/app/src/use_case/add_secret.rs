//! One more secret for a client.

use std::sync::Arc;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{
    ClientRepository, Clock, CredentialRepository, Entropy, MacVerifier, SecretHasher,
    TokenDigester,
};
use domain::{
    ClientId, ClientSecret, Credential, Fault, MAX_SECRETS_PER_CLIENT, SecretName, Timestamp,
};

use crate::make;

/// How often a secret is kept again that somebody else's kept out: of several that come at the same
/// time those that were made first have room once the others are gone.
const ATTEMPTS: usize = 4;

/// Makes one more secret, beside those the client has: the first half of a rotation.
#[derive(Clone)]
pub struct AddSecret {
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
    /// Where secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// What the new secret shall be.
#[derive(Clone, Debug, Default)]
pub struct AddSecretRequest {
    /// What an operator calls it.
    pub name: Option<SecretName>,
    /// When it shall end; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A secret that was made.
#[derive(Debug)]
pub struct AddedSecret {
    /// What is kept of it.
    pub credential: Credential,
    /// The secret, shown this once.
    pub secret: ClientSecret,
}

/// Why no secret was made.
#[derive(Debug, thiserror::Error)]
pub enum AddSecretError {
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// The client authenticates with keys.
    #[error("the client uses private_key_jwt and has no secrets")]
    UsesKeys,
    /// The client has as many as it may have.
    #[error("the client has {MAX_SECRETS_PER_CLIENT} secrets: revoke one first")]
    TooMany,
    /// The secret would be over before it began.
    #[error("the secret would have expired already")]
    AlreadyExpired,
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Where a new secret stands among those of its client.
enum Place {
    /// There is room for all.
    Within,
    /// There is not, and others came later.
    Contested,
    /// There is not, and the others came first.
    Beyond,
}

impl AddSecret {
    /// Runs the use-case. Expired secrets make room. However many ask at the same time, no more are
    /// given than there is room for; where all of them come at once, fewer may be.
    ///
    /// # Errors
    ///
    /// See [`AddSecretError`].
    #[tracing::instrument(level = "debug", name = "add_secret", skip_all)]
    pub async fn execute(
        &self,
        id: &ClientId,
        request: AddSecretRequest,
        mandate: &Mandate,
    ) -> Result<AddedSecret, AddSecretError> {
        let client = self.clients.find(id).await?.ok_or(AddSecretError::Unknown)?;
        mandate.check(Some(&client), None)?;
        if !client.authentication.uses_secret() {
            return Err(AddSecretError::UsesKeys);
        }
        let now = self.clock.now();
        if request.expires_at.is_some_and(|end| end <= now) {
            return Err(AddSecretError::AlreadyExpired);
        }
        let known = self.credentials.list(id).await?;
        let (live, expired): (Vec<_>, Vec<_>) = known.into_iter().partition(|it| it.is_live(now));
        if MAX_SECRETS_PER_CLIENT <= live.len() {
            return Err(AddSecretError::TooMany);
        }
        for credential in expired {
            self.credentials.remove(id, &credential.id).await?;
        }
        let secret = make::client_secret(self.entropy.as_ref())?;
        let secret_id = make::secret_id(self.entropy.as_ref())?;
        let (hasher, macs) = (self.hasher.as_ref(), self.macs.as_ref());
        let hash = make::kept_secret(hasher, macs, &client, &secret_id, &secret).await?;
        let credential = Credential {
            name: request.name,
            expires_at: request.expires_at,
            ..make::credential(secret_id, &secret, hash, self.digester.as_ref(), now)
        };
        for _ in 0..ATTEMPTS {
            if !self.credentials.insert(id, &credential).await? {
                return Err(Fault::corrupt("a new secret id is taken").into());
            }
            let place = match self.place_of(id, &credential).await {
                Ok(place) => place,
                Err(fault) => {
                    // Nobody will ever know it.
                    self.take_back(id, &credential).await;
                    return Err(fault.into());
                }
            };
            match place {
                Place::Within => return Ok(AddedSecret { credential, secret }),
                Place::Contested => self.remove(id, &credential).await?,
                Place::Beyond => {
                    self.remove(id, &credential).await?;
                    break;
                }
            }
        }
        Err(AddSecretError::TooMany)
    }

    /// Where a secret stands that is kept now, and that others may have been kept beside. Whoever
    /// stays has seen no more than there may be, itself among them: so has the last of all that stay.
    async fn place_of(&self, id: &ClientId, own: &Credential) -> Result<Place, Fault> {
        let now = self.clock.now();
        // Other nodes may have kept some.
        let mut live = self.credentials.look_again(id).await?;
        live.retain(|it| it.is_live(now));
        let is_before =
            |it: &&Credential| (it.created_at, it.id.as_str()) < (own.created_at, own.id.as_str());
        Ok(if live.len() <= MAX_SECRETS_PER_CLIENT {
            Place::Within
        } else if live.iter().filter(is_before).count() < MAX_SECRETS_PER_CLIENT {
            Place::Contested
        } else {
            Place::Beyond
        })
    }

    async fn remove(&self, id: &ClientId, own: &Credential) -> Result<(), Fault> {
        self.credentials.remove(id, &own.id).await.map(drop)
    }

    async fn take_back(&self, id: &ClientId, own: &Credential) {
        if let Err(fault) = self.remove(id, own).await {
            tracing::warn!(client.id = %id, error = %fault, "a secret that nobody knows stays");
        }
    }
}
