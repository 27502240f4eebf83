//! A client manages its own registration (RFC 7592).

use domain::management::Mandate;
use domain::port::{SecretOwner, UpdateClientError, Verdict};
use domain::{
    Client, ClientId, ClientSecret, ClientSettings, Credential, Fault, JsonObject, TokenDigest,
};
use serde_json::Value;

use super::delete_client::{DeleteClient, DeleteClientError};
use super::register_client::{RegisterClient, RegisteredClient, check_keys, not_kept};
use crate::client_metadata::{Authority, InvalidMetadata, NewClient, RegistrationRules, invalid};
use crate::left_over_secrets::remove_left_overs;
use crate::make;

/// Reads, replaces and deletes a registration for whoever has the registration access token that
/// came with it.
#[derive(Clone)]
pub struct ManageRegistration {
    /// How clients are made.
    pub register_client: RegisterClient,
    /// How they are deleted.
    pub delete_client: DeleteClient,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ManageRegistrationError {
    /// The token is not that of a client of this id which is in use and manages itself. Nothing tells whether there
    /// is such a client (threat T22).
    #[error("the bearer token is not the registration access token of this client")]
    Unauthorized,
    /// What was said about the client is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
    /// The client is being changed by somebody else.
    #[error("the client is being changed by others: try again")]
    Conflict,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The members that only the server sets, and that an update must not hold (RFC 7592 section 2.2).
const OF_THE_SERVER: [&str; 4] = [
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

impl ManageRegistration {
    /// The client, for whoever has its token.
    ///
    /// # Errors
    ///
    /// See [`ManageRegistrationError`].
    #[tracing::instrument(level = "debug", name = "read_registration", skip_all)]
    pub async fn read(
        &self,
        id: Option<&ClientId>,
        token: &str,
    ) -> Result<Client, ManageRegistrationError> {
        let RegisterClient { clients, digester, .. } = &self.register_client;
        let presented = digester.digest(token);
        let found = match id {
            Some(id) => clients.find(id).await?,
            None => None,
        };
        let own = found.as_ref().and_then(|it| it.settings.registration_token.clone());
        // Nobody's: no text has this digest that anybody will find.
        let expected = own.unwrap_or(TokenDigest([0; 32]));
        let is_same = digester.is_same(&expected, &presented);
        let may = |it: &Client| is_same && it.is_enabled() && it.is_self_managed();
        found.filter(may).ok_or(ManageRegistrationError::Unauthorized)
    }

    /// Replaces all that the public may say about a client: what is left out is set back. What an
    /// operator set stays, and cannot be widened; where that is a strict method, it and the keys stay, too. A client that goes over to keys loses its secrets,
    /// and none of them comes back; one that goes over to secrets, or from secrets that it sends to
    /// secrets that it signs with or back, gets a new one, shown this once, in the place of all others.
    ///
    /// # Errors
    ///
    /// See [`ManageRegistrationError`].
    #[tracing::instrument(level = "debug", name = "replace_registration", skip_all)]
    pub async fn replace(
        &self,
        id: Option<&ClientId>,
        token: &str,
        object: JsonObject,
        rules: &RegistrationRules,
    ) -> Result<RegisteredClient, ManageRegistrationError> {
        let stored = self.read(id, token).await?;
        let new = self.parse(object, &stored, rules).await?;
        let RegisterClient { clients, credentials, signatures, remote_keys, clock, .. } =
            &self.register_client;
        let said = new.into_client(stored.id.clone(), stored.created_at);
        check_strictness(&stored, &said)?;
        check_keys(&said, signatures.as_ref(), remote_keys.as_ref())?;
        let client = Client {
            name: said.name,
            authentication: said.authentication,
            keys: said.keys,
            informative: said.informative,
            settings: ClientSettings {
                jwks_uri: said.settings.jwks_uri,
                ..as_an_operator_left_them(stored.settings.clone())
            },
            updated_at: clock.now(),
            revision: stored.revision.next(),
            ..stored.clone()
        };
        let (old, new) = (stored.authentication, client.authentication);
        // Those that are hashed are of no use where they must be sealed, and the other way around.
        let is_other_way = old.needs_sealed_secrets() != new.needs_sealed_secrets();
        let gets_secret = new.uses_secret() && (is_other_way || !old.uses_secret());
        let made = if gets_secret {
            // Before the change, since it would make them good again.
            remove_left_overs(credentials.as_ref(), &stored).await?;
            Some(self.make_secret(&client).await?)
        } else {
            None
        };
        if let Err(error) = clients.update(&client, stored.revision).await {
            if let Some((credential, _)) = &made {
                self.take_back(&client.id, credential).await;
            }
            return Err(not_updated(&client, error));
        }
        // Whatever it used before: an attempt that a fault broke off here may have come before.
        remove_left_overs(credentials.as_ref(), &client).await?;
        if let Some((kept, _)) = &made {
            for credential in credentials.look_again(&client.id).await? {
                if credential.id != kept.id {
                    credentials.remove(&client.id, &credential.id).await?;
                }
            }
        }
        let secret = made.map(|(_, secret)| secret);
        Ok(RegisteredClient { client, secret, registration_token: None })
    }

    /// Deletes a client with its secrets and tokens.
    ///
    /// # Errors
    ///
    /// See [`ManageRegistrationError`].
    #[tracing::instrument(level = "debug", name = "delete_registration", skip_all)]
    pub async fn delete(
        &self,
        id: Option<&ClientId>,
        token: &str,
    ) -> Result<(), ManageRegistrationError> {
        let client = self.read(id, token).await?;
        match self.delete_client.execute(&client.id, &Mandate::Unlimited).await {
            Ok(()) => Ok(()),
            // Somebody was quicker: it is worth nothing, and so is the token.
            Err(DeleteClientError::Unknown) => Err(ManageRegistrationError::Unauthorized),
            Err(DeleteClientError::Exceeded(exceeded)) => Err(Fault::corrupt(exceeded).into()),
            Err(DeleteClientError::Fault(fault)) => Err(fault.into()),
        }
    }

    async fn parse(
        &self,
        mut object: JsonObject,
        stored: &Client,
        rules: &RegistrationRules,
    ) -> Result<NewClient, ManageRegistrationError> {
        // What is null is left out (RFC 7592 section 2.2).
        object.retain(|name, value| {
            !(value.is_null()
                && (name == "client_secret" || OF_THE_SERVER.contains(&name.as_str())))
        });
        if let Some(member) = OF_THE_SERVER.into_iter().find(|it| object.contains_key(*it)) {
            let reason = "is set by the server: leave it out (RFC 7592 section 2.2)";
            return Err(invalid(member, reason).into());
        }
        match object.remove("client_id") {
            Some(Value::String(it)) if it == stored.id.as_str() => (),
            Some(_) => return Err(invalid("client_id", "must be that of the client").into()),
            None => return Err(invalid("client_id", "is required: that of the client").into()),
        }
        match object.remove("client_secret") {
            None => (),
            Some(Value::String(it)) if self.is_secret_of(stored, it.clone()).await? => (),
            Some(_) => {
                let reason = "must be the client's own, or left out: it is chosen by the server";
                return Err(invalid("client_secret", reason).into());
            }
        }
        // What is shown can be sent back as it is.
        let scope = stored.scope.to_string();
        if object.get("scope").and_then(Value::as_str) == Some(scope.as_str()) {
            object.remove("scope");
        }
        Ok(NewClient::parse(object, Authority::Public, rules)?)
    }

    async fn is_secret_of(&self, client: &Client, presented: String) -> Result<bool, Fault> {
        let RegisterClient { credentials, hasher, macs, digester, clock, .. } =
            &self.register_client;
        let selector = digester.digest(&presented).selector();
        let presented = ClientSecret::new(presented);
        let now = clock.now();
        for known in credentials.list(&client.id).await? {
            if !known.is_live(now) || !known.may_be(selector) {
                continue;
            }
            let is_it = if client.authentication.needs_sealed_secrets() {
                let owner = SecretOwner { client: &client.id, secret: &known.id };
                macs.is_secret(&presented, owner, &known.hash)?
            } else {
                hasher.verify(&presented, Some(&known.hash)).await? != Verdict::Mismatch
            };
            if is_it {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A secret comes before the change that needs it: a client that uses keys has no use for it.
    async fn make_secret(&self, client: &Client) -> Result<(Credential, ClientSecret), Fault> {
        let RegisterClient { credentials, hasher, macs, digester, entropy, clock, .. } =
            &self.register_client;
        let secret = make::client_secret(entropy.as_ref())?;
        let secret_id = make::secret_id(entropy.as_ref())?;
        let (hasher, macs) = (hasher.as_ref(), macs.as_ref());
        let hash = make::kept_secret(hasher, macs, client, &secret_id, &secret).await?;
        let credential = make::credential(secret_id, &secret, hash, digester.as_ref(), clock.now());
        if !credentials.insert(&client.id, &credential).await? {
            return Err(Fault::corrupt("a new secret id is taken"));
        }
        Ok((credential, secret))
    }

    async fn take_back(&self, id: &ClientId, credential: &Credential) {
        let removed = self.register_client.credentials.remove(id, &credential.id).await;
        if let Err(fault) = removed {
            tracing::warn!(client.id = %id, error = %fault, "a secret that nobody knows stays");
        }
    }
}

/// An operator who made the method strict decided how this client proves who it is: whoever holds
/// its registration token does not undo that.
fn check_strictness(stored: &Client, said: &Client) -> Result<(), InvalidMetadata> {
    const REASON: &str = "was fixed by an operator (strict_auth_method) and cannot be changed here: \
                          send what is registered, or ask the operator";
    if !stored.settings.is_method_strict {
        return Ok(());
    }
    if said.authentication != stored.authentication {
        return Err(invalid("token_endpoint_auth_method", REASON));
    }
    if said.settings.jwks_uri != stored.settings.jwks_uri {
        return Err(invalid("jwks_uri", REASON));
    }
    if said.keys != stored.keys {
        return Err(invalid("jwks", REASON));
    }
    Ok(())
}

/// The settings after an update by the client itself: the public sets none. A new one does not
/// compile here until somebody says whose it is.
fn as_an_operator_left_them(stored: ClientSettings) -> ClientSettings {
    let ClientSettings {
        token_format: _,
        token_lifetime: _,
        token_algorithm: _,
        default_scope: _,
        assertion_audience: _,
        is_method_strict: _,
        registration_token: _,
        // Which is the client's to say, and comes from what it said.
        jwks_uri: _,
    } = &stored;
    stored
}

fn not_updated(client: &Client, error: UpdateClientError) -> ManageRegistrationError {
    match error {
        UpdateClientError::Unknown => ManageRegistrationError::Unauthorized,
        UpdateClientError::Conflict => ManageRegistrationError::Conflict,
        UpdateClientError::Refused { member } => not_kept(client, &member).into(),
        UpdateClientError::Fault(fault) => fault.into(),
    }
}
