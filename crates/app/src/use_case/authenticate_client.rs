//! Who is asking (RFC 6749 section 2.3, RFC 7523 section 2.2).

use std::sync::Arc;

use domain::port::{
    ClientRepository, Clock, CredentialRepository, Known, LastUse, MacVerifier, RemoteKeys,
    ReplayGuard, SecretHasher, SignatureVerifier, TokenDigester, Verdict,
};
use domain::{
    AssertionPolicy, AssertionRefusal, AuthenticationMethod, Client, ClientId, ClientSecret,
    Credential, Fault, SecretId, SecretUse, VerifiedAssertion,
};
use futures_util::future::join;

/// Finds out which client is asking, and makes it prove it.
#[derive(Clone)]
pub struct AuthenticateClient {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// How secrets are verified.
    pub hasher: Arc<dyn SecretHasher>,
    /// How the right one of several hashes is found.
    pub digester: Arc<dyn TokenDigester>,
    /// How assertions are verified that are signed with a key.
    pub signatures: Arc<dyn SignatureVerifier>,
    /// How assertions are verified that are signed with a secret.
    pub macs: Arc<dyn MacVerifier>,
    /// The keys of clients that publish them.
    pub remote_keys: Arc<dyn RemoteKeys>,
    /// Which assertions were used already.
    pub replay: Arc<dyn ReplayGuard>,
    /// Where uses of secrets are noted.
    pub last_use: Arc<dyn LastUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the operator demands of assertions.
    pub assertions: AssertionPolicy,
}

/// The one way in which a request authenticates.
#[derive(Debug)]
pub enum PresentedCredentials {
    /// A client id and a secret, in each reading the request allows: form-decoded first (RFC 6749
    /// section 2.3.1), then raw, where the two differ.
    Secret(Vec<PresentedSecret>),
    /// A signed assertion.
    Assertion {
        /// The `client_id` beside it.
        client: Option<ClientId>,
        /// The assertion as sent.
        assertion: ClientSecret,
    },
}

/// One reading of a client id and a secret.
#[derive(Debug)]
pub struct PresentedSecret {
    /// `None` for an id no client can have: it is refused as late as any other.
    pub client: Option<ClientId>,
    /// The secret.
    pub secret: ClientSecret,
    /// Where it stands: in the header or in the form.
    pub method: AuthenticationMethod,
}

/// A client that proved who it is.
#[derive(Debug)]
pub struct AuthenticatedClient {
    /// The client.
    pub client: Client,
    /// The method by which it really did (threat T20).
    pub method: AuthenticationMethod,
    /// What it said under its signature, where it signed.
    pub assertion: Option<VerifiedAssertion>,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateClientError {
    /// Unknown client, wrong or expired secret, disabled client, another method than the
    /// registered one: the caller must not learn which (threat T22).
    #[error("client authentication failed")]
    Failed,
    /// This assertion does not prove that the client is asking, and the caller may learn why.
    #[error(transparent)]
    AssertionRefused(#[from] AssertionRefusal),
    /// The keys of the client cannot be fetched: it may be who it says it is.
    #[error("the keys of the client cannot be fetched")]
    KeysOut(#[source] Fault),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AuthenticateClient {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`AuthenticateClientError`].
    pub async fn execute(
        &self,
        presented: PresentedCredentials,
    ) -> Result<AuthenticatedClient, AuthenticateClientError> {
        let authenticated = self.identify(presented).await?;
        self.burn(&authenticated).await?;
        Ok(authenticated)
    }

    /// The first half: everything but the single use of an assertion. Whoever calls this calls
    /// [`AuthenticateClient::burn`] before anything is given away.
    ///
    /// # Errors
    ///
    /// See [`AuthenticateClientError`].
    #[tracing::instrument(level = "debug", name = "authenticate_client", skip_all)]
    pub(crate) async fn identify(
        &self,
        presented: PresentedCredentials,
    ) -> Result<AuthenticatedClient, AuthenticateClientError> {
        match presented {
            PresentedCredentials::Secret(readings) => {
                for reading in readings {
                    let method = reading.method;
                    if let Some(client) = self.by_secret(reading).await? {
                        return Ok(AuthenticatedClient { client, method, assertion: None });
                    }
                }
                Err(AuthenticateClientError::Failed)
            }
            PresentedCredentials::Assertion { client, assertion } => {
                self.by_assertion(client, assertion.expose()).await
            }
        }
    }

    /// The second half: burns the assertion, if there is one. It comes after every other check, so
    /// that a request that is refused can be mended and sent again (threat T18).
    ///
    /// # Errors
    ///
    /// [`AssertionRefusal::Replayed`], and any [`Fault`]: then a replay cannot be ruled out.
    pub(crate) async fn burn(
        &self,
        authenticated: &AuthenticatedClient,
    ) -> Result<(), AuthenticateClientError> {
        let AuthenticatedClient { client, assertion: Some(assertion), .. } = authenticated else {
            return Ok(());
        };
        let (id, until) = (&assertion.id, assertion.remember_until);
        let is_first = self.replay.burn(&client.id, id, until, self.clock.now()).await?;
        if is_first { Ok(()) } else { Err(AssertionRefusal::Replayed.into()) }
    }

    /// A secret that verified before is let in on what is remembered. Whoever needs a hash first
    /// has both stores looked into, whether they were remembered or not: so whoever is refused
    /// pays for the same things in the same order, and nobody can tell an unknown client, a
    /// disabled one and a wrong secret apart (threat T22). It also lets in a secret that was made
    /// a moment ago on another node.
    async fn by_secret(&self, presented: PresentedSecret) -> Result<Option<Client>, Fault> {
        let PresentedSecret { client: id, secret, method } = presented;
        let Some(id) = id else {
            self.hasher.verify(&secret, None).await?;
            return Ok(None);
        };
        let (client, known) = join(self.clients.look_up(&id), self.credentials.look_up(&id)).await;
        let client = client?;
        let (known, is_remembered) = match known {
            Ok(known) => (Ok(known.value), known.is_remembered),
            Err(fault) => (Err(fault), false),
        };
        let candidates = self.candidates(client.value.as_ref(), method, known.as_deref(), &secret);
        for it in &candidates {
            if self.hasher.recalls(&secret, &it.hash).await {
                self.note_use(&id, &it.id);
                return Ok(client.value);
            }
        }

        let mut faults = Vec::new();
        let client = match client {
            Known { value, is_remembered: false } => value,
            Known { value, is_remembered: true } => {
                kept_if_out(self.clients.look_again(&id).await, value, &mut faults)?
            }
        };
        let known = match known {
            Ok(known) if is_remembered => {
                kept_if_out(self.credentials.look_again(&id).await, known, &mut faults)?
            }
            Ok(known) => known,
            Err(fault) => kept_if_out(Err(fault), Vec::new(), &mut faults)?,
        };
        let candidates = self.candidates(client.as_ref(), method, Ok(&known), &secret);
        if candidates.is_empty() {
            self.hasher.verify(&secret, None).await?;
        }
        if self.is_one_of(&id, &candidates, &secret).await? {
            return Ok(client);
        }
        // On old data a client is let in; it is refused only by a store that answers. One that is
        // not there, or may not be used, is refused whatever its secrets would say.
        let may_use = |it: &Client| may_use_secrets(it, method);
        match faults.pop().filter(|_| client.as_ref().is_some_and(may_use)) {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }

    /// The hashes that a secret can have: none for a client that may not use any.
    fn candidates(
        &self,
        client: Option<&Client>,
        method: AuthenticationMethod,
        known: Result<&[Credential], &Fault>,
        secret: &ClientSecret,
    ) -> Vec<Credential> {
        let (Some(_), Ok(known)) = (client.filter(|it| may_use_secrets(it, method)), known) else {
            return Vec::new();
        };
        let now = self.clock.now();
        let selector = self.digester.digest(secret.expose()).selector();
        known.iter().filter(|it| it.is_live(now) && it.may_be(selector)).cloned().collect()
    }

    /// Whether the secret is one of `candidates`.
    async fn is_one_of(
        &self,
        client: &ClientId,
        candidates: &[Credential],
        secret: &ClientSecret,
    ) -> Result<bool, Fault> {
        for credential in candidates {
            let verdict = self.hasher.verify(secret, Some(&credential.hash)).await?;
            if verdict == Verdict::Mismatch {
                continue;
            }
            if verdict == Verdict::MatchOutdated {
                self.renew(client, credential, secret).await;
            }
            self.note_use(client, &credential.id);
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn note_use(&self, client: &ClientId, secret: &SecretId) {
        let (client, secret) = (client.clone(), secret.clone());
        self.last_use.note_secret(SecretUse { client, secret, at: self.clock.now() });
    }

    /// Hashes the secret as the configuration wants it now. Whatever fails, the client is who it
    /// says it is, and the next use tries again.
    async fn renew(&self, client: &ClientId, credential: &Credential, secret: &ClientSecret) {
        let renewed = match self.hasher.hash(secret).await {
            Ok(hash) => {
                self.credentials.rehash(client, &credential.id, &credential.hash, &hash).await
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = renewed {
            tracing::warn!(client.id = %client, error = %fault, "a secret was not hashed anew");
        }
    }
}

/// What a store says, or, while it is out, what was known before.
pub(super) fn kept_if_out<T>(
    said: Result<T, Fault>,
    known: T,
    faults: &mut Vec<Fault>,
) -> Result<T, Fault> {
    match said {
        Ok(value) => Ok(value),
        Err(fault) if fault.is_passing() => {
            faults.push(fault);
            Ok(known)
        }
        Err(fault) => Err(fault),
    }
}

/// Whether a client may authenticate with a secret that stands there. Header and form are one
/// family, unless the client is strict (threat T21).
fn may_use_secrets(client: &Client, method: AuthenticationMethod) -> bool {
    let is_registered = client.authentication == method;
    client.is_enabled()
        && client.authentication.sends_secret()
        && (is_registered || !client.settings.is_method_strict)
}
