//! Who is asking, by an assertion (RFC 7523 section 2.2): `private_key_jwt` and `client_secret_jwt`.
//!
//! Until its signature is found good, an assertion must not tell a client that there is from one that
//! there is not (threat T22). So what is wrong with its text is said to everybody, before any client
//! is looked for; and whoever is refused afterwards is told the same, has the same stores looked into
//! and the same computed. The Mia-Platform service tells them apart, and its dialect does.

use domain::port::SecretOwner;
use domain::{
    AssertionRefusal, AuthenticationMethod, Client, ClientAssertion, ClientId, CompactJws,
    CompactMac, Credential, Fault, PublicJwk, SecretId, assertion,
};
use futures_util::future::join;

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, AuthenticatedClient, kept_if_out,
};

impl AuthenticateClient {
    /// Everything but the single use of the assertion.
    pub(super) async fn by_assertion(
        &self,
        client: Option<ClientId>,
        raw: &str,
    ) -> Result<AuthenticatedClient, AuthenticateClientError> {
        let tells_who_is_known = self.assertions.tells_who_is_known;
        let parsed = match ClientAssertion::parse(raw) {
            Err(refusal) if !tells_who_is_known => return Err(refusal.into()),
            parsed => parsed,
        };
        let claimed = || parsed.as_ref().ok().and_then(ClientAssertion::claimed_subject);
        let id = match client.or_else(claimed) {
            Some(id) => id,
            None if tells_who_is_known => return Err(AuthenticateClientError::Failed),
            None => return Err(AssertionRefusal::WrongSubject.into()),
        };
        let proven = match &parsed {
            Ok(ClientAssertion::Mac(jws)) => {
                self.by_mac(&id, jws).await.map(|(client, secret)| (client, Some(secret)))
            }
            Ok(ClientAssertion::Signed(jws)) => {
                self.by_signature(&id, Ok(jws)).await.map(|client| (client, None))
            }
            Err(refusal) => self.by_signature(&id, Err(refusal)).await.map(|client| (client, None)),
        };
        let (client, secret) = proven.map_err(|error| self.told(&id, error))?;
        let verified = parsed?.check(&client, &self.assertions, self.clock.now())?;
        if let Some(secret) = secret {
            self.note_use(&id, &secret);
        }
        let method = client.authentication;
        Ok(AuthenticatedClient { client, method, assertion: Some(verified) })
    }

    /// A refusal as the caller may hear it; the log hears why.
    fn told(&self, id: &ClientId, error: AuthenticateClientError) -> AuthenticateClientError {
        match &error {
            AuthenticateClientError::AssertionRefused(refusal)
                if !self.assertions.tells_who_is_known =>
            {
                tracing::debug!(client.id = %id, reason = %refusal, "an assertion was refused");
                AuthenticateClientError::Failed
            }
            AuthenticateClientError::AssertionRefused(_)
            | AuthenticateClientError::Failed
            | AuthenticateClientError::KeysOut(_)
            | AuthenticateClientError::Fault(_) => error,
        }
    }

    /// The client that signed `jws` with its key. What is remembered of it may be old: whoever is
    /// refused has the store looked into once, remembered or not, as with a secret.
    async fn by_signature(
        &self,
        id: &ClientId,
        jws: Result<&CompactJws, &AssertionRefusal>,
    ) -> Result<Client, AuthenticateClientError> {
        let known = self.clients.look_up(id).await?;
        let refused = match (self.signed(known.value.as_ref(), jws).await, known.value.as_ref()) {
            (Ok(()), Some(client)) => return Ok(client.clone()),
            (Ok(()), None) => AuthenticateClientError::Failed,
            (Err(refused), _) => refused,
        };
        let is_told = self.assertions.tells_who_is_known && !is_failed(&refused);
        if !known.is_remembered || is_told || is_fault(&refused) {
            return Err(refused);
        }
        let again = self.clients.look_again(id).await?;
        match again {
            Some(client)
                if known.value.as_ref().is_none_or(|old| proves_otherwise(old, &client)) =>
            {
                self.signed(Some(&client), jws).await?;
                Ok(client)
            }
            Some(_) | None => Err(refused),
        }
    }

    /// Whether `client` signed.
    async fn signed(
        &self,
        client: Option<&Client>,
        jws: Result<&CompactJws, &AssertionRefusal>,
    ) -> Result<(), AuthenticateClientError> {
        let Some(client) = client.filter(|it| signs(it)) else {
            if let Ok(jws) = jws {
                self.signatures.pretend(jws);
            }
            return Err(AuthenticateClientError::Failed);
        };
        let jws = jws.map_err(Clone::clone)?;
        if client.authentication != AuthenticationMethod::PrivateKeyJwt {
            self.signatures.pretend(jws);
            return Err(AssertionRefusal::WrongAlgorithm.into());
        }
        let Some(uri) = &client.settings.jwks_uri else {
            return Ok(self.signed_with(jws, &client.keys)?);
        };
        let out = AuthenticateClientError::KeysOut;
        let known = self.remote_keys.look_up(uri).await.map_err(out)?;
        let refusal = match self.signed_with(jws, &known.value.keys) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        if !known.is_remembered || !may_be_a_new_key(jws, &refusal) {
            return Err(refusal.into());
        }
        let again = self.remote_keys.look_again(uri).await.map_err(out)?;
        if again == known.value {
            return Err(refusal.into());
        }
        Ok(self.signed_with(jws, &again.keys)?)
    }

    fn signed_with(&self, jws: &CompactJws, keys: &[PublicJwk]) -> Result<(), AssertionRefusal> {
        match assertion::signing_key(jws, keys, &self.assertions) {
            Ok(key) if self.signatures.is_signed_by(jws, key) => Ok(()),
            Ok(_) => Err(AssertionRefusal::BadSignature),
            Err(refusal) => {
                self.signatures.pretend(jws);
                Err(refusal)
            }
        }
    }

    /// The client that made `jws` with one of its secrets, and which. Any that is live will do, as
    /// while one takes the place of another.
    async fn by_mac(
        &self,
        id: &ClientId,
        jws: &CompactMac,
    ) -> Result<(Client, SecretId), AuthenticateClientError> {
        let (client, known) = join(self.clients.look_up(id), self.credentials.look_up(id)).await;
        let client = client?;
        let (known, is_remembered) = match known {
            Ok(known) => (Ok(known.value), known.is_remembered),
            Err(fault) => (Err(fault), false),
        };
        if let (Some(found), Ok(secrets)) = (&client.value, &known)
            && let Ok(secret) = self.made(Some(found), secrets, jws)
        {
            return Ok((found.clone(), secret));
        }

        let mut faults = Vec::new();
        let client = if client.is_remembered {
            kept_if_out(self.clients.look_again(id).await, client.value, &mut faults)?
        } else {
            client.value
        };
        let secrets = match known {
            Ok(known) if is_remembered => {
                kept_if_out(self.credentials.look_again(id).await, known, &mut faults)?
            }
            Ok(known) => known,
            Err(fault) => kept_if_out(Err(fault), Vec::new(), &mut faults)?,
        };
        let made = self.made(client.as_ref(), &secrets, jws);
        // A client is refused only by stores that answer.
        match (made, client, faults.pop()) {
            (Ok(secret), Some(client), _) => Ok((client, secret)),
            (Ok(_), None, _) => Err(AuthenticateClientError::Failed),
            (Err(refused), Some(client), Some(fault)) if makes_macs(&client) => {
                Err(if is_fault(&refused) { refused } else { fault.into() })
            }
            (Err(refused), _, _) => Err(refused),
        }
    }

    /// Which of `secrets` the client made `jws` with.
    fn made(
        &self,
        client: Option<&Client>,
        secrets: &[Credential],
        jws: &CompactMac,
    ) -> Result<SecretId, AuthenticateClientError> {
        let now = self.clock.now();
        let live: Vec<_> = secrets.iter().filter(|it| it.is_live(now)).collect();
        let refused = match client.filter(|it| signs(it)) {
            None => AuthenticateClientError::Failed,
            Some(client) if !makes_macs(client) => AssertionRefusal::WrongAlgorithm.into(),
            Some(_) if live.is_empty() => AssertionRefusal::BadSignature.into(),
            Some(client) => return self.made_by(client, &live, jws),
        };
        self.macs.is_by(jws, None)?;
        Err(refused)
    }

    fn made_by(
        &self,
        client: &Client,
        live: &[&Credential],
        jws: &CompactMac,
    ) -> Result<SecretId, AuthenticateClientError> {
        let mut faults: Vec<Fault> = Vec::new();
        for credential in live {
            let owner = SecretOwner { client: &client.id, secret: &credential.id };
            match self.macs.is_by(jws, Some((owner, &credential.hash))) {
                Ok(true) => return Ok(credential.id.clone()),
                Ok(false) => (),
                // Another may be the one.
                Err(fault) => faults.push(fault),
            }
        }
        match faults.pop() {
            Some(fault) => Err(fault.into()),
            None => Err(AssertionRefusal::BadSignature.into()),
        }
    }
}

/// Whether a client may authenticate with an assertion at all.
fn signs(client: &Client) -> bool {
    client.is_enabled() && !client.authentication.sends_secret()
}

/// Whether a client may authenticate with its secret as the key of a MAC.
fn makes_macs(client: &Client) -> bool {
    client.is_enabled() && client.authentication == AuthenticationMethod::ClientSecretJwt
}

/// Whether what was changed of a client can change what its assertions prove.
fn proves_otherwise(old: &Client, new: &Client) -> bool {
    old.state != new.state
        || old.authentication != new.authentication
        || old.keys != new.keys
        || old.settings.jwks_uri != new.settings.jwks_uri
}

/// Whether keys that are published by now may verify what those that are remembered do not: a name
/// that is new, or no name at all.
fn may_be_a_new_key(jws: &CompactJws, refusal: &AssertionRefusal) -> bool {
    *refusal == AssertionRefusal::UnknownKey
        || (*refusal == AssertionRefusal::BadSignature && jws.header().key_id.is_none())
}

fn is_failed(error: &AuthenticateClientError) -> bool {
    matches!(error, AuthenticateClientError::Failed)
}

fn is_fault(error: &AuthenticateClientError) -> bool {
    matches!(error, AuthenticateClientError::Fault(_) | AuthenticateClientError::KeysOut(_))
}
