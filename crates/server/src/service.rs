//! The use-cases, built of ports: their dependencies, named one by one.

mod keys;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use app::{
    AddSecret, AuthenticateClient, AuthorizeManagement, CatalogueInUse, ChangeState,
    ClaimBootstrapToken, DeleteClient, EditCatalogue, EnsureKeys, FindClient, IntrospectToken,
    IssueToken, ListClients, ListSecrets, ManageRegistration, ManagementAuthentication,
    PreviewToken, ReadCatalogue, RefreshCatalogue, RefreshKeys, RegisterClient, RegistrationRules,
    ReplaceBootstrapToken, RevokeKey, RevokeSecret, RevokeToken, RotateKeys, RotateSecret, Staging,
    SurveySecrets, TendKeys, TokenInfo, UpdateClient,
};
use domain::port::{
    ChangeListener, ClientDirectory, ClientRepository, Clock, CredentialRepository, KeyRepository,
    SecretHasher, TokenDigester, TokenRepository,
};
use domain::{
    AssertionPolicy, ClaimsShape, DefaultAudience, Issuer, ReferenceStyle, TokenPolicy,
    TokenProfile,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

use keys::{ensure_keys, revoke_key, rotate_keys, secrets_watch, tend_keys};

use crate::command::CommandError;
use crate::http::{
    self, Api, Changes, Dialect, DialectName, Dialects, Discovery, Phase, RegistrationAccess,
};
use crate::serve::SecretNumbers;
use crate::settings::{DialectSettings, Management, RegistrationMode, Settings, Store};
use crate::telemetry::{Logging, RequestLog};
use crate::wiring::{Cached, ChangeStores, Notes, OpenError, Stores, Tools, catalogue_in_use};

/// How long the tokens of a client stay revoked: longer than any token can live, whatever this
/// process, another node or an earlier configuration says of their lifetime.
const LONGEST_TOKEN: Duration = Duration::from_hours(366 * 24);
/// How long an assertion may live, and so how long its `jti` is remembered at most.
const LONGEST_ASSERTION: Duration = Duration::from_hours(24);

/// Everything a running server has.
pub(crate) struct Service {
    pub(crate) api: Api,
    pub(crate) stores: Stores,
    pub(crate) notes: Arc<Notes>,
    pub(crate) ensure_keys: EnsureKeys,
    pub(crate) tend_keys: TendKeys,
    /// There where secrets are warned of before they end.
    pub(crate) secrets_watch: Option<(SurveySecrets, Arc<SecretNumbers>)>,
    pub(crate) refresh_catalogue: RefreshCatalogue,
    /// There where the first start makes a bootstrap token.
    pub(crate) claim_bootstrap_token: Option<ClaimBootstrapToken>,
    pub(crate) phase: Arc<Phase>,
    /// Hears of what other nodes changed.
    pub(crate) listener: Arc<dyn ChangeListener>,
    /// Woken when they changed the keys.
    pub(crate) keys_changed: Arc<Notify>,
    /// Woken when they changed the catalogue.
    pub(crate) catalogue_changed: Arc<Notify>,
}

impl Service {
    /// Builds the stores, their decorators, the use-cases and what the handlers need.
    pub(crate) async fn build(
        settings: &Settings,
        issuer: Issuer,
        logging: Logging,
    ) -> Result<Self, OpenError> {
        let stores = Stores::open(settings).await?;
        let tools = Tools::new(settings)?;
        let cached = Cached::new(settings, &stores, &tools, &logging)?;
        let phase = Arc::new(Phase::default());
        let tend_keys = tend_keys(settings, &tools, &cached.keys);
        let secrets_watch = secrets_watch(settings, &tools, &cached);
        let state = (Arc::clone(&phase), tend_keys.refresh_keys.clone());
        let api = api(settings, &issuer, logging, &stores, &tools, &cached, state);
        let claim_bootstrap_token = match settings.management {
            Management::Bootstrap => Some(ClaimBootstrapToken {
                bootstrap: Arc::clone(&stores.bootstrap),
                digester: Arc::clone(&tools.digester),
                entropy: Arc::clone(&tools.entropy),
            }),
            Management::Token(_) | Management::None => None,
        };
        Ok(Self {
            api,
            notes: cached.notes,
            ensure_keys: ensure_keys(settings, &tools, &cached.keys),
            tend_keys,
            secrets_watch,
            refresh_catalogue: RefreshCatalogue {
                catalogue: cached.catalogue,
                in_use: cached.catalogue_in_use,
                clock: Arc::clone(&tools.clock),
            },
            stores,
            claim_bootstrap_token,
            phase,
            listener: cached.listener,
            keys_changed: cached.keys_changed,
            catalogue_changed: cached.catalogue_changed,
        })
    }
}

/// What the handlers may call.
fn api(
    settings: &Settings,
    issuer: &Issuer,
    logging: Logging,
    stores: &Stores,
    tools: &Tools,
    cached: &Cached,
    (phase, refresh_keys): (Arc<Phase>, RefreshKeys),
) -> Api {
    let token_info = token_info(settings, issuer, tools, cached);
    let managed = &cached.managed_clients;
    Api {
        dialects: dialects(settings, issuer, tools, cached),
        any_token_info: TokenInfo { accepted_audiences: Vec::new(), ..token_info.clone() },
        register_client: registering(tools, managed, cached),
        manage_registration: settings.registration.is_managed.then(|| ManageRegistration {
            register_client: registering(tools, managed, cached),
            delete_client: delete_client(tools, managed, cached),
        }),
        find_client: FindClient { clients: Arc::clone(managed) },
        list_clients: ListClients { directory: cached.directory.clone() },
        update_client: UpdateClient {
            clients: Arc::clone(managed),
            credentials: cached.credentials.clone(),
            signatures: Arc::clone(&tools.signatures),
            catalogue: Arc::clone(&cached.catalogue_in_use),
            remote_keys: tools.remote_keys.clone(),
            clock: Arc::clone(&tools.clock),
        },
        preview_token: PreviewToken {
            clients: Arc::clone(managed),
            catalogue: Arc::clone(&cached.catalogue_in_use),
            clock: Arc::clone(&tools.clock),
        },
        read_catalogue: ReadCatalogue { catalogue: Arc::clone(&cached.catalogue) },
        edit_catalogue: EditCatalogue {
            catalogue: Arc::clone(&cached.catalogue),
            in_use: Arc::clone(&cached.catalogue_in_use),
            clock: Arc::clone(&tools.clock),
        },
        catalogue: Arc::clone(&cached.catalogue_in_use),
        change_state: ChangeState {
            clients: Arc::clone(managed),
            tokens: cached.tokens.clone(),
            clock: Arc::clone(&tools.clock),
            longest_lifetime: LONGEST_TOKEN,
        },
        delete_client: delete_client(tools, managed, cached),
        changes: cached.changes.as_ref().map(|it| {
            let around = Around {
                clients: managed,
                credentials: &cached.credentials,
                tokens: &cached.tokens,
                hasher: &cached.hasher,
                catalogue: &cached.catalogue_in_use,
            };
            Changes::new(staging(settings, tools, it, &around))
        }),
        list_secrets: ListSecrets {
            clients: Arc::clone(managed),
            credentials: cached.measured_credentials.clone(),
        },
        add_secret: add_secret(tools, managed, &cached.credentials, &cached.hasher),
        rotate_secret: RotateSecret {
            add_secret: add_secret(tools, managed, &cached.credentials, &cached.hasher),
        },
        revoke_secret: RevokeSecret {
            clients: Arc::clone(managed),
            credentials: cached.credentials.clone(),
        },
        authorize_management: AuthorizeManagement {
            authentication: management(settings, stores, tools.digester.as_ref()),
            token_info: token_info.clone(),
            clients: Arc::clone(managed),
            digester: Arc::clone(&tools.digester),
        },
        token_info,
        rules: tools.rules.clone(),
        registration: registration(settings, &tools.digester),
        jwks: Arc::clone(&tools.ring.jwks),
        list_keys: Arc::clone(&cached.keys),
        rotate_keys: rotate_keys(settings, tools, &cached.keys),
        revoke_key: revoke_key(settings, tools, &cached.keys),
        refresh_keys,
        discovery: discovery(settings, issuer),
        dependencies: stores.dependencies.clone(),
        forwarded_headers: forwarded_headers(settings),
        phase,
        clock: Arc::clone(&tools.clock),
        metrics: Arc::clone(&cached.metrics),
        log: RequestLog(logging),
    }
}

fn delete_client(
    tools: &Tools,
    clients: &Arc<dyn ClientRepository>,
    cached: &Cached,
) -> DeleteClient {
    DeleteClient {
        clients: Arc::clone(clients),
        credentials: cached.credentials.clone(),
        tokens: cached.tokens.clone(),
        clock: Arc::clone(&tools.clock),
        longest_lifetime: LONGEST_TOKEN,
    }
}

fn forwarded_headers(settings: &Settings) -> Option<Vec<String>> {
    let crud = settings.crud.as_ref().filter(|_| settings.stores.uses(Store::Crud));
    crud.map(|it| it.forwarded_headers.clone())
}

/// The dialects that are spoken, each with the use-cases as it wants them.
fn dialects(settings: &Settings, issuer: &Issuer, tools: &Tools, cached: &Cached) -> Dialects {
    let all = [
        (DialectName::Standard, &settings.dialects.standard),
        (DialectName::Mia, &settings.dialects.mia),
        (DialectName::Curity, &settings.dialects.curity),
        (DialectName::IdService, &settings.dialects.id_service),
    ];
    let spoken = all.into_iter().filter_map(|(name, chosen)| Some((name, (*chosen)?)));
    Dialects::new(
        spoken
            .map(|(name, chosen)| dialect(name, chosen, settings, issuer, tools, cached))
            .collect(),
    )
}

fn dialect(
    name: DialectName,
    chosen: DialectSettings,
    settings: &Settings,
    issuer: &Issuer,
    tools: &Tools,
    cached: &Cached,
) -> Dialect {
    let policy = token_policy(name, chosen, settings, issuer);
    let authenticate = authenticate(name, settings, issuer, tools, cached);
    let token_info = token_info(settings, issuer, tools, cached);
    Dialect {
        name,
        introspect_token: IntrospectToken {
            authenticate: authenticate.clone(),
            token_info: TokenInfo { accepted_audiences: Vec::new(), ..token_info.clone() },
            signer: Arc::clone(&tools.ring.signer),
            catalogue: Arc::clone(&cached.catalogue_in_use),
            clock: Arc::clone(&tools.clock),
            algorithm: policy.algorithm,
        },
        revoke_token: RevokeToken {
            authenticate: authenticate.clone(),
            token_info,
            tokens: cached.tokens.clone(),
        },
        issue_token: IssueToken {
            authenticate,
            signer: Arc::clone(&tools.ring.signer),
            references: cached.references.clone(),
            digester: Arc::clone(&tools.digester),
            entropy: Arc::clone(&tools.entropy),
            last_use: cached.notes.clone(),
            catalogue: Arc::clone(&cached.catalogue_in_use),
            clock: Arc::clone(&tools.clock),
            policy,
        },
        has_query: name == DialectName::IdService && settings.dialects.has_query_parameters,
    }
}

/// What tokens are in a dialect, where nothing else is chosen for the client.
fn token_policy(
    name: DialectName,
    chosen: DialectSettings,
    settings: &Settings,
    issuer: &Issuer,
) -> TokenPolicy {
    let tokens = &settings.tokens;
    let default = &tokens.default_audience;
    // RFC 9068 section 2.2 demands one.
    let issuer_itself = || issuer.as_str().parse().into_iter().collect();
    let (shape, profile, reference_style, default_audience) = match name {
        DialectName::Standard => (
            ClaimsShape::STANDARD,
            TokenProfile::AtJwt,
            ReferenceStyle::Prefixed,
            DefaultAudience::Chosen(match default.as_slice() {
                [] => issuer_itself(),
                [..] => default.clone(),
            }),
        ),
        DialectName::Mia => {
            (ClaimsShape::MIA, TokenProfile::Jwt, ReferenceStyle::Prefixed, DefaultAudience::Nobody)
        }
        DialectName::Curity => (
            ClaimsShape::PLAIN,
            TokenProfile::AtJwt,
            ReferenceStyle::Uuid,
            DefaultAudience::Chosen(default.clone()),
        ),
        DialectName::IdService => (
            ClaimsShape::PLAIN,
            TokenProfile::Jwt,
            ReferenceStyle::Alphanumeric,
            DefaultAudience::Client,
        ),
    };
    TokenPolicy {
        issuer: issuer.clone(),
        lifetime: chosen.lifetime.unwrap_or(tokens.lifetime),
        longest_lifetime: tokens.longest_lifetime,
        algorithm: tokens.algorithm,
        is_audience_required: tokens.is_audience_required,
        default_audience,
        format: chosen.format,
        profile,
        shape,
        reference_style,
        catalogue_mode: settings.catalogue_mode,
    }
}

fn token_info(settings: &Settings, issuer: &Issuer, tools: &Tools, cached: &Cached) -> TokenInfo {
    TokenInfo {
        verifier: Arc::clone(&tools.ring.verifier),
        references: cached.references.clone(),
        digester: Arc::clone(&tools.digester),
        tokens: cached.tokens.clone(),
        clients: cached.clients.clone(),
        clock: Arc::clone(&tools.clock),
        issuer: issuer.clone(),
        accepted_audiences: settings.tokens.accepted_audiences.clone(),
    }
}

fn authenticate(
    name: DialectName,
    settings: &Settings,
    issuer: &Issuer,
    tools: &Tools,
    cached: &Cached,
) -> AuthenticateClient {
    AuthenticateClient {
        clients: cached.clients.clone(),
        credentials: cached.credentials.clone(),
        hasher: cached.hasher.clone(),
        digester: Arc::clone(&tools.digester),
        signatures: Arc::clone(&tools.signatures),
        macs: Arc::clone(&tools.macs),
        remote_keys: tools.remote_keys.clone(),
        replay: cached.replay.clone(),
        last_use: cached.notes.clone(),
        clock: Arc::clone(&tools.clock),
        assertions: AssertionPolicy {
            audience: issuer.clone(),
            token_endpoint: token_endpoint(name, settings, issuer),
            clock_skew: settings.clock_skew,
            max_lifetime: LONGEST_ASSERTION,
            is_key_id_required: name == DialectName::Mia,
            tells_who_is_known: name == DialectName::Mia,
        },
    }
}

/// The URL of the token endpoint, where it is known without a request.
fn token_endpoint(name: DialectName, settings: &Settings, issuer: &Issuer) -> Option<Box<str>> {
    let Discovery { base_url, prefix, .. } = discovery(settings, issuer);
    Some(format!("{}{prefix}{}", base_url?, name.paths().token).into())
}

/// The use-cases that the command line needs, on the same stores as the server's.
pub(crate) struct Commands {
    pub(crate) register_client: RegisterClient,
    pub(crate) find_client: FindClient,
    pub(crate) list_clients: ListClients,
    pub(crate) change_state: ChangeState,
    pub(crate) delete_client: DeleteClient,
    pub(crate) rotate_secret: RotateSecret,
    pub(crate) list_secrets: ListSecrets,
    pub(crate) rotate_keys: RotateKeys,
    pub(crate) revoke_key: RevokeKey,
    pub(crate) replace_bootstrap_token: ReplaceBootstrapToken,
    pub(crate) edit_catalogue: EditCatalogue,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) rules: RegistrationRules,
    pub(crate) clock: Arc<dyn Clock>,
    /// There where the store of clients may be able to change several at once.
    pub(crate) staging: Option<Staging>,
    pub(crate) directory: Arc<dyn ClientDirectory>,
    stores: Stores,
}

impl Commands {
    /// Opens the stores, and brings their schema up to date.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, CommandError> {
        let stores = Stores::open(settings).await?;
        stores.migrate().await?;
        let tools = Tools::new(settings)?;
        let clients = Arc::clone(&stores.clients);
        let credentials = Arc::clone(&stores.credentials);
        let hasher = Arc::clone(&tools.hasher);
        let edit_catalogue = EditCatalogue {
            catalogue: Arc::clone(&stores.catalogue),
            in_use: catalogue_in_use(settings),
            clock: Arc::clone(&tools.clock),
        };
        let in_use = &edit_catalogue.in_use;
        Ok(Self {
            register_client: register_client(&tools, &clients, &credentials, &hasher, in_use),
            find_client: FindClient { clients: Arc::clone(&clients) },
            list_clients: ListClients { directory: Arc::clone(&stores.directory) },
            change_state: ChangeState {
                clients: Arc::clone(&clients),
                tokens: Arc::clone(&stores.tokens),
                clock: Arc::clone(&tools.clock),
                longest_lifetime: LONGEST_TOKEN,
            },
            delete_client: DeleteClient {
                clients: Arc::clone(&clients),
                credentials: Arc::clone(&credentials),
                tokens: Arc::clone(&stores.tokens),
                clock: Arc::clone(&tools.clock),
                longest_lifetime: LONGEST_TOKEN,
            },
            list_secrets: ListSecrets {
                clients: Arc::clone(&clients),
                credentials: Arc::clone(&credentials),
            },
            rotate_secret: RotateSecret {
                add_secret: add_secret(&tools, &clients, &credentials, &hasher),
            },
            rotate_keys: rotate_keys(settings, &tools, &stores.keys),
            revoke_key: revoke_key(settings, &tools, &stores.keys),
            replace_bootstrap_token: ReplaceBootstrapToken {
                bootstrap: Arc::clone(&stores.bootstrap),
                digester: Arc::clone(&tools.digester),
                entropy: Arc::clone(&tools.entropy),
            },
            keys: Arc::clone(&stores.keys),
            staging: stores.changes.as_ref().map(|it| {
                let around = Around {
                    clients: &clients,
                    credentials: &credentials,
                    tokens: &stores.tokens,
                    hasher: &hasher,
                    catalogue: in_use,
                };
                staging(settings, &tools, it, &around)
            }),
            edit_catalogue,
            directory: Arc::clone(&stores.directory),
            rules: tools.rules,
            clock: tools.clock,
            stores,
        })
    }

    /// Tells running servers what this command changed.
    pub(crate) async fn announce(&self) {
        self.stores.announce().await;
    }
}

/// How requests register clients.
fn registering(
    tools: &Tools,
    clients: &Arc<dyn ClientRepository>,
    cached: &Cached,
) -> RegisterClient {
    let Cached { credentials, hasher, catalogue_in_use, .. } = cached;
    register_client(tools, clients, credentials, hasher, catalogue_in_use)
}

fn register_client(
    tools: &Tools,
    clients: &Arc<dyn ClientRepository>,
    credentials: &Arc<dyn CredentialRepository>,
    hasher: &Arc<dyn SecretHasher>,
    catalogue: &Arc<CatalogueInUse>,
) -> RegisterClient {
    RegisterClient {
        clients: Arc::clone(clients),
        credentials: Arc::clone(credentials),
        hasher: Arc::clone(hasher),
        macs: Arc::clone(&tools.macs),
        digester: Arc::clone(&tools.digester),
        signatures: Arc::clone(&tools.signatures),
        remote_keys: tools.remote_keys.clone(),
        entropy: Arc::clone(&tools.entropy),
        catalogue: Arc::clone(catalogue),
        clock: Arc::clone(&tools.clock),
        unfinished: Arc::default(),
    }
}

/// What change sets are about.
struct Around<'a> {
    clients: &'a Arc<dyn ClientRepository>,
    credentials: &'a Arc<dyn CredentialRepository>,
    tokens: &'a Arc<dyn TokenRepository>,
    hasher: &'a Arc<dyn SecretHasher>,
    catalogue: &'a Arc<CatalogueInUse>,
}

fn staging(
    settings: &Settings,
    tools: &Tools,
    changes: &ChangeStores,
    around: &Around<'_>,
) -> Staging {
    Staging {
        sets: Arc::clone(&changes.sets),
        transaction: Arc::clone(&changes.transaction),
        clients: Arc::clone(around.clients),
        credentials: Arc::clone(around.credentials),
        tokens: Arc::clone(around.tokens),
        catalogue: Arc::clone(around.catalogue),
        hasher: Arc::clone(around.hasher),
        macs: Arc::clone(&tools.macs),
        digester: Arc::clone(&tools.digester),
        signatures: Arc::clone(&tools.signatures),
        remote_keys: tools.remote_keys.clone(),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
        rules: tools.rules.clone(),
        longest_lifetime: LONGEST_TOKEN,
        // Tokens count whole seconds.
        remembered_for: settings.cache.fresh + Duration::from_secs(1),
    }
}

fn add_secret(
    tools: &Tools,
    clients: &Arc<dyn ClientRepository>,
    credentials: &Arc<dyn CredentialRepository>,
    hasher: &Arc<dyn SecretHasher>,
) -> AddSecret {
    AddSecret {
        clients: Arc::clone(clients),
        credentials: Arc::clone(credentials),
        hasher: Arc::clone(hasher),
        macs: Arc::clone(&tools.macs),
        digester: Arc::clone(&tools.digester),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
    }
}

fn management(
    settings: &Settings,
    stores: &Stores,
    digester: &dyn TokenDigester,
) -> ManagementAuthentication {
    match &settings.management {
        Management::None => ManagementAuthentication::None,
        Management::Token(token) => {
            ManagementAuthentication::Configured(digester.digest(token.expose_secret()))
        }
        Management::Bootstrap => ManagementAuthentication::Bootstrap(Arc::clone(&stores.bootstrap)),
    }
}

fn registration(settings: &Settings, digester: &Arc<dyn TokenDigester>) -> RegistrationAccess {
    let token = match &settings.registration.mode {
        RegistrationMode::Token(token) => Some(digester.digest(token.expose_secret())),
        RegistrationMode::Open | RegistrationMode::Off => None,
    };
    RegistrationAccess {
        is_open: matches!(settings.registration.mode, RegistrationMode::Open),
        token,
        digester: Arc::clone(digester),
        limiter: http::limiter(settings.registration.per_minute),
        failures: http::limiter(settings.registration.per_minute),
    }
}

fn discovery(settings: &Settings, issuer: &Issuer) -> Discovery {
    let public =
        settings.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let base_url = public
        .or_else(|| issuer.as_url().map(|_| issuer.as_str().trim_end_matches('/').to_owned()));
    // An issuer or a public address that ends with the prefix has it already.
    let prefix = &settings.service_prefix;
    let base_url = base_url.map(|it| match it.strip_suffix(prefix.as_str()) {
        Some(rest) => rest.to_owned(),
        None => it,
    });
    Discovery {
        issuer: issuer.clone(),
        base_url,
        prefix: settings.service_prefix.clone(),
        version: settings.service_version.clone(),
        algorithms: settings.tokens.algorithms(),
        has_registration: !matches!(settings.registration.mode, RegistrationMode::Off),
        openid_configuration: settings.openid_configuration.clone().map(Bytes::from),
    }
}
