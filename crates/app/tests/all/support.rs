//! Everything the use-cases need, in memory, on a clock that stands still.

mod catalogue;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_memory::testing::{
    Faulty, ManualClock, PlainDigester, PlainHasher, PlainMacs, PlainSigner, PublishedKeys,
    SeededEntropy,
};
use adapter_memory::{
    MemoryBootstrap, MemoryCatalogue, MemoryClients, MemoryCredentials, MemoryReferenceTokens,
    MemoryReplayGuard, MemoryTokens,
};
use app::{
    AddSecret, AuthenticateClient, Authority, CatalogueInUse, ChangeState, DeleteClient,
    IntrospectToken, IssueToken, IssueTokenError, IssueTokenRequest, IssuedToken, NewClient,
    PresentedCredentials, PresentedSecret, RegisterClient, RegisterClientError, RegisteredClient,
    RegistrationRules, RevokeToken, TokenInfo, UndoRegistrations, Unfinished, UpdateClient,
};
use domain::management::Mandate;
use domain::port::{Clock as _, LastUse};
use domain::{
    AssertionPolicy, AuthenticationMethod, CatalogueMode, ClaimsShape, ClientSecret,
    DefaultAudience, GrantRequest, Issuer, Login, ReferenceStyle, SecretUse, SigningAlgorithm,
    TokenFormat, TokenPolicy, TokenProfile,
};
use serde_json::{Value, json};

pub(crate) use catalogue::CATALOGUE_GOOD_FOR;

/// How long tokens live here.
pub(crate) const LIFETIME: Duration = Duration::from_mins(5);

/// Notes what it is told.
#[derive(Default)]
pub(crate) struct Notebook {
    pub(crate) logins: Mutex<Vec<Login>>,
    pub(crate) secrets: Mutex<Vec<SecretUse>>,
}

impl LastUse for Notebook {
    fn note_login(&self, login: Login) {
        self.logins.lock().unwrap().push(login);
    }

    fn note_secret(&self, secret_use: SecretUse) {
        self.secrets.lock().unwrap().push(secret_use);
    }
}

/// The world of one test.
pub(crate) struct House {
    pub(crate) clients: Arc<Faulty<MemoryClients>>,
    pub(crate) credentials: Arc<Faulty<MemoryCredentials>>,
    pub(crate) tokens: Arc<Faulty<MemoryTokens>>,
    pub(crate) replay: Arc<Faulty<MemoryReplayGuard>>,
    pub(crate) references: Arc<MemoryReferenceTokens>,
    pub(crate) unfinished: Arc<Unfinished>,
    pub(crate) catalogue: Arc<Faulty<MemoryCatalogue>>,
    pub(crate) catalogue_in_use: Arc<CatalogueInUse>,
    pub(crate) catalogue_mode: CatalogueMode,
    pub(crate) bootstrap: Arc<MemoryBootstrap>,
    pub(crate) hasher: Arc<PlainHasher>,
    pub(crate) published: Arc<PublishedKeys>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) notebook: Arc<Notebook>,
    pub(crate) is_audience_required: bool,
}

pub(crate) fn issuer() -> Issuer {
    "https://issuer.example".parse().unwrap()
}

pub(crate) fn rules() -> RegistrationRules {
    RegistrationRules {
        methods: AuthenticationMethod::ALL.to_vec(),
        key_algorithms: vec![SigningAlgorithm::Rs256],
        is_key_id_required: true,
        token_algorithms: vec![SigningAlgorithm::Rs256, SigningAlgorithm::Es256],
        longest_token_lifetime: Duration::from_hours(24),
    }
}

/// A public key of the right shape; the plain signer believes whoever names it.
pub(crate) fn public_key() -> Value {
    // 2048 bits, and odd.
    let n = "w".repeat(342);
    json!({"kty": "RSA", "kid": "k1", "n": n, "e": "AQAB"})
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self {
            clients: Arc::new(Faulty::new(Arc::new(MemoryClients::default()))),
            credentials: Arc::new(Faulty::new(Arc::new(MemoryCredentials::default()))),
            tokens: Arc::new(Faulty::new(Arc::new(MemoryTokens::new(clock.clone())))),
            replay: Arc::new(Faulty::new(Arc::new(MemoryReplayGuard::default()))),
            references: Arc::new(MemoryReferenceTokens::new(clock.clone())),
            unfinished: Arc::default(),
            catalogue: Arc::new(Faulty::new(Arc::new(MemoryCatalogue::default()))),
            catalogue_in_use: Self::in_use(CatalogueMode::Open, &clock),
            catalogue_mode: CatalogueMode::Open,
            bootstrap: Arc::new(MemoryBootstrap::default()),
            hasher: Arc::new(PlainHasher::default()),
            published: Arc::default(),
            clock,
            entropy: Arc::new(SeededEntropy::default()),
            notebook: Arc::new(Notebook::default()),
            is_audience_required: false,
        }
    }

    pub(crate) fn authenticate(&self) -> AuthenticateClient {
        AuthenticateClient {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            hasher: self.hasher.clone(),
            digester: Arc::new(PlainDigester),
            signatures: Arc::new(PlainSigner),
            macs: Arc::new(PlainMacs),
            remote_keys: self.published.clone(),
            replay: self.replay.clone(),
            last_use: self.notebook.clone(),
            clock: self.clock.clone(),
            assertions: AssertionPolicy {
                audience: issuer(),
                token_endpoint: None,
                clock_skew: Duration::ZERO,
                max_lifetime: Duration::from_hours(24),
                is_key_id_required: true,
                tells_who_is_known: true,
            },
        }
    }

    pub(crate) fn issue_token(&self) -> IssueToken {
        IssueToken {
            authenticate: self.authenticate(),
            signer: Arc::new(PlainSigner),
            references: self.references.clone(),
            digester: Arc::new(PlainDigester),
            entropy: self.entropy.clone(),
            last_use: self.notebook.clone(),
            clock: self.clock.clone(),
            catalogue: self.catalogue_in_use.clone(),
            policy: self.policy(),
        }
    }

    pub(crate) fn policy(&self) -> TokenPolicy {
        TokenPolicy {
            issuer: issuer(),
            lifetime: LIFETIME,
            longest_lifetime: Duration::from_hours(24 * 7),
            algorithm: SigningAlgorithm::Rs256,
            is_audience_required: self.is_audience_required,
            default_audience: DefaultAudience::Nobody,
            format: TokenFormat::Jwt,
            profile: TokenProfile::Jwt,
            shape: ClaimsShape::MIA,
            reference_style: ReferenceStyle::Prefixed,
            catalogue_mode: self.catalogue_mode,
        }
    }

    /// As another dialect has it: opaque tokens.
    pub(crate) fn issue_reference(&self, reference_style: ReferenceStyle) -> IssueToken {
        let mut issue_token = self.issue_token();
        issue_token.policy.format = TokenFormat::Reference;
        issue_token.policy.reference_style = reference_style;
        issue_token.policy.shape = ClaimsShape::PLAIN;
        issue_token
    }

    pub(crate) fn introspect_token(&self) -> IntrospectToken {
        IntrospectToken {
            authenticate: self.authenticate(),
            token_info: self.token_info(),
            signer: Arc::new(PlainSigner),
            catalogue: self.catalogue_in_use.clone(),
            clock: self.clock.clone(),
            algorithm: SigningAlgorithm::Rs256,
        }
    }

    pub(crate) fn token_info(&self) -> TokenInfo {
        TokenInfo {
            verifier: Arc::new(PlainSigner),
            references: self.references.clone(),
            digester: Arc::new(PlainDigester),
            tokens: self.tokens.clone(),
            clients: self.clients.clone(),
            clock: self.clock.clone(),
            issuer: issuer(),
            accepted_audiences: Vec::new(),
        }
    }

    pub(crate) fn revoke_token(&self) -> RevokeToken {
        RevokeToken {
            authenticate: self.authenticate(),
            token_info: self.token_info(),
            tokens: self.tokens.clone(),
        }
    }

    pub(crate) fn register_client(&self) -> RegisterClient {
        RegisterClient {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            hasher: self.hasher.clone(),
            macs: Arc::new(PlainMacs),
            digester: Arc::new(PlainDigester),
            signatures: Arc::new(PlainSigner),
            remote_keys: self.published.clone(),
            entropy: self.entropy.clone(),
            catalogue: self.catalogue_in_use.clone(),
            clock: self.clock.clone(),
            unfinished: self.unfinished.clone(),
        }
    }

    pub(crate) fn undo_registrations(&self) -> UndoRegistrations {
        UndoRegistrations {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            unfinished: self.unfinished.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn update_client(&self) -> UpdateClient {
        UpdateClient {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            signatures: Arc::new(PlainSigner),
            catalogue: self.catalogue_in_use.clone(),
            remote_keys: self.published.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn change_state(&self) -> ChangeState {
        ChangeState {
            clients: self.clients.clone(),
            tokens: self.tokens.clone(),
            clock: self.clock.clone(),
            longest_lifetime: LIFETIME,
        }
    }

    pub(crate) fn delete_client(&self) -> DeleteClient {
        DeleteClient {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            tokens: self.tokens.clone(),
            clock: self.clock.clone(),
            longest_lifetime: LIFETIME,
        }
    }

    pub(crate) fn add_secret(&self) -> AddSecret {
        AddSecret {
            clients: self.clients.clone(),
            credentials: self.credentials.clone(),
            hasher: self.hasher.clone(),
            macs: Arc::new(PlainMacs),
            digester: Arc::new(PlainDigester),
            entropy: self.entropy.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Registers a client by the right of `authority`.
    pub(crate) async fn register(
        &self,
        authority: Authority,
        metadata: Value,
    ) -> Result<RegisteredClient, RegisterClientError> {
        let object = metadata.as_object().unwrap().clone();
        let new = NewClient::parse(object, authority, &rules())?;
        self.register_client().execute(new, &Mandate::Unlimited).await
    }

    /// A client with a secret, made by an operator.
    pub(crate) async fn client(&self, mut metadata: Value) -> (String, String) {
        metadata["client_name"] = json!("a client");
        let made = self.register(Authority::Management, metadata).await.unwrap();
        (made.client.id.to_string(), made.secret.unwrap().expose().to_owned())
    }

    /// A client with a key, made by an operator.
    pub(crate) async fn key_client(&self, mut metadata: Value) -> String {
        metadata["client_name"] = json!("a client with a key");
        metadata["token_endpoint_auth_method"] = json!("private_key_jwt");
        metadata["public_key"] = public_key();
        let made = self.register(Authority::Management, metadata).await.unwrap();
        assert!(made.secret.is_none());
        made.client.id.to_string()
    }

    /// An assertion of `client` that is good now, with some claims changed.
    pub(crate) fn assertion(&self, client: &str, changes: &Value) -> PresentedCredentials {
        let now = self.clock.now().as_unix_seconds();
        let mut claims = json!({
            "iss": client, "sub": client, "aud": issuer().as_str(), "jti": "1",
            "iat": now - 10, "exp": now + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"alg": "RS256", "kid": "k1"});
        PresentedCredentials::Assertion {
            client: Some(client.parse().unwrap()),
            assertion: ClientSecret::new(PlainSigner::compact(&header, &claims)),
        }
    }

    /// Asks for a token.
    pub(crate) async fn issue(
        &self,
        credentials: PresentedCredentials,
        grant: GrantRequest,
    ) -> Result<IssuedToken, IssueTokenError> {
        self.issue_token().execute(IssueTokenRequest { credentials, grant }).await
    }

    /// Asks for a token with a secret.
    pub(crate) async fn issue_for(
        &self,
        id: &str,
        secret: &str,
    ) -> Result<IssuedToken, IssueTokenError> {
        self.issue(with_secret(id, secret), GrantRequest::default()).await
    }
}

/// A client id and a secret, read in one way.
pub(crate) fn with_secret(id: &str, secret: &str) -> PresentedCredentials {
    with_secret_by(AuthenticationMethod::ClientSecretBasic, id, secret)
}

/// The same, in the header or in the form.
pub(crate) fn with_secret_by(
    method: AuthenticationMethod,
    id: &str,
    secret: &str,
) -> PresentedCredentials {
    PresentedCredentials::Secret(vec![PresentedSecret {
        client: id.parse().ok(),
        secret: ClientSecret::new(secret.to_owned()),
        method,
    }])
}

/// The kind of an error, by its `Debug` name.
pub(crate) fn kind(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
