//! The one file that knows every adapter: options in, use-cases out.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::web::Bytes;
use adapter_hashing::{
    Hasher, HashingOptions, InvalidHashingOptions, OsEntropy, Pepper, RememberingHasher,
    RememberingOptions, Sha256Digester,
};
use adapter_jose::{
    ClientKeyVerifier, DirectoryKeys, KeyFactory, KeyRing, PemFileKeys, PemKeyFile,
};
use adapter_memory::{
    CacheOptions, CachedClients, CachedCredentials, CachedTokens, MemoryBootstrap, MemoryClients,
    MemoryCredentials, MemoryKeys, MemoryReplayGuard, MemoryTokens, SystemClock, UncachedReads,
    WriteBehind,
};
use adapter_sql::{MigrationError, PgOptions, PgStores, SqliteOptions, SqliteStores};
use app::{
    AddSecret, AuthenticateClient, AuthorizeManagement, ChangeState, ClaimBootstrapToken,
    DeleteClient, EnsureKeys, FindClient, IssueToken, ListClients, ListSecrets,
    ManagementAuthentication, RefreshKeys, RegisterClient, RegistrationRules,
    ReplaceBootstrapToken, RevokeSecret, RevokeToken, RotateKeys, RotateSecret, TokenInfo,
    UpdateClient,
};
use domain::port::{
    BootstrapRepository, ClientDirectory, ClientRepository, Clock, CredentialRepository, Entropy,
    HealthProbe, KeyRepository, LastUse, LoginLedger, ReplayGuard, SecretHasher, SignatureVerifier,
    TokenDigester, TokenRepository,
};
use domain::{
    AssertionPolicy, Fault, Issuer, KeyPolicy, KeyState, Timestamp, TokenPolicy, TokenProfile,
};
use secrecy::ExposeSecret as _;

use crate::http::{self, Api, Discovery, Phase, RegistrationAccess};
use crate::settings::{
    KeyStore, Management, RegistrationMode, Scheme, Settings, Store, Stores as StoreNames,
};
use crate::telemetry::{Logging, Measured, Metrics, RequestLog, Sample};

/// How long an assertion may live, and so how long its `jti` is remembered at most.
const LONGEST_ASSERTION: Duration = Duration::from_hours(24);
/// How many notes of last use may wait for a store that is out.
const NOTES_CAPACITY: usize = 100_000;
/// How long a store that is out is not asked again for what is remembered.
const RETRY: Duration = Duration::from_secs(1);
/// How long a verified secret is remembered that nobody presents.
const VERIFIED_SECRET_IDLE: Duration = Duration::from_hours(1);
/// How far the clocks of nodes may be apart before something is forgotten too early.
const CLOCKS_APART: Duration = Duration::from_mins(15);
/// How long it takes at most until a revocation made on another node bites here.
const REVOCATION_BOUND: Duration = Duration::from_secs(5);

/// Why a store cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The data directory cannot be made.
    #[error("the data directory {0} cannot be made: {1}")]
    DataDirectory(String, std::io::Error),
    /// The embedded store cannot be opened.
    #[error("the embedded store cannot be opened: {0}")]
    Sqlite(String),
    /// The address of PostgreSQL is none.
    #[error("postgres.url is not the address of a PostgreSQL database")]
    Postgres,
    /// A schema is newer than this program, or was changed by somebody.
    #[error("{store}: {what}")]
    Schema {
        /// Which store.
        store: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A configured key cannot be used.
    #[error("{0}")]
    Key(String),
    /// The hashing cannot be set up.
    #[error("{0}")]
    Hashing(String),
}

/// The notes of last use.
pub(crate) type Notes = WriteBehind;

/// The clock of the machine.
pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Where everything is kept.
pub(crate) struct Stores {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) directory: Arc<dyn ClientDirectory>,
    pub(crate) logins: Arc<dyn LoginLedger>,
    pub(crate) credentials: Arc<dyn CredentialRepository>,
    pub(crate) tokens: Arc<dyn TokenRepository>,
    pub(crate) replay: Arc<dyn ReplayGuard>,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) bootstrap: Arc<dyn BootstrapRepository>,
    pub(crate) probes: Vec<Arc<dyn HealthProbe>>,
    databases: Vec<Database>,
    names: StoreNames,
}

#[derive(Clone)]
enum Database {
    Sqlite(SqliteStores),
    Postgres(PgStores),
}

/// The stores that are in use.
struct Opened {
    sqlite: Option<Arc<SqliteStores>>,
    postgres: Option<Arc<PgStores>>,
    memory: Arc<MemoryClients>,
}

/// One port on the store that was chosen for it.
macro_rules! on {
    ($opened:expr, $store:expr, $memory:expr) => {
        match ($store, &$opened.sqlite, &$opened.postgres) {
            (Store::Sqlite, Some(sqlite), _) => Arc::clone(sqlite) as _,
            (Store::Postgres, _, Some(postgres)) => Arc::clone(postgres) as _,
            (_, _, _) => $memory,
        }
    };
}

impl Stores {
    /// Opens what the settings name. PostgreSQL need not be up for that.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let names = settings.stores;
        let opened = Opened::open(settings).await?;
        let mut probes: Vec<Arc<dyn HealthProbe>> = Vec::new();
        let mut databases = Vec::new();
        if let Some(sqlite) = &opened.sqlite {
            probes.push(Arc::clone(sqlite) as _);
            databases.push(Database::Sqlite(sqlite.as_ref().clone()));
        }
        if let Some(postgres) = &opened.postgres {
            probes.push(Arc::clone(postgres) as _);
            databases.push(Database::Postgres(postgres.as_ref().clone()));
        }
        Ok(Self {
            clients: on!(opened, names.clients, Arc::clone(&opened.memory) as _),
            directory: on!(opened, names.clients, Arc::clone(&opened.memory) as _),
            logins: on!(opened, names.clients, Arc::clone(&opened.memory) as _),
            credentials: on!(opened, names.credentials, Arc::new(MemoryCredentials::default())),
            tokens: on!(opened, names.tokens, Arc::new(MemoryTokens::new(Arc::new(SystemClock)))),
            replay: on!(opened, names.replay, Arc::new(MemoryReplayGuard::default())),
            keys: keys(settings, &opened),
            bootstrap: on!(opened, names.credentials, Arc::new(MemoryBootstrap::default())),
            probes,
            databases,
            names,
        })
    }

    /// Brings every schema up to date; says what was applied where.
    ///
    /// # Errors
    ///
    /// A [`Fault`] that is passing while a database is out, and `Corrupt` where its schema is not
    /// one that this program knows.
    pub(crate) async fn migrate(&self) -> Result<Vec<(&'static str, Vec<String>)>, Fault> {
        let mut done = Vec::new();
        for database in &self.databases {
            let (name, migrated) = match database {
                Database::Sqlite(it) => ("sqlite", migrate(it).await),
                Database::Postgres(it) => ("postgres", migrate(it).await),
            };
            let applied = migrated.map_err(|error| match error {
                MigrationError::Fault(fault) => fault,
                other @ (MigrationError::Newer { .. } | MigrationError::Changed { .. }) => {
                    Fault::corrupt(OpenError::Schema { store: name, what: other.to_string() })
                }
            })?;
            done.push((name, applied));
        }
        Ok(done)
    }

    /// Forgets what has ended, and ended long enough ago that no node's clock says otherwise
    /// (threat T45).
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<u64, Fault> {
        let now = now.before(CLOCKS_APART);
        let mut swept = 0;
        for database in &self.databases {
            swept += match database {
                Database::Sqlite(it) => it.sweep(now).await?,
                Database::Postgres(it) => it.sweep(now).await?,
            };
        }
        Ok(swept)
    }

    /// Ends every connection.
    pub(crate) async fn close(&self) {
        for database in &self.databases {
            match database {
                Database::Sqlite(it) => it.close().await,
                Database::Postgres(it) => it.close().await,
            }
        }
    }
}

async fn migrate<E: adapter_sql::Engine>(
    stores: &adapter_sql::Stores<E>,
) -> Result<Vec<String>, MigrationError> {
    let pending = stores.pending_migrations().await?;
    stores.migrate().await?;
    Ok(pending.into_iter().map(|it| format!("{:04} {}", it.version, it.description)).collect())
}

impl Opened {
    async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let names = settings.stores;
        let uses = |store| {
            [names.clients, names.credentials, names.tokens, names.replay].contains(&store)
                || (names.keys == KeyStore::In(store) && settings.keys.files.is_empty())
        };
        let uses_directory = names.keys == KeyStore::Directory && settings.keys.files.is_empty();
        if uses(Store::Sqlite) || uses_directory {
            make_directory(&settings.data_directory)?;
        }
        let sqlite = if uses(Store::Sqlite) {
            let options = SqliteOptions::new(settings.data_directory.join("tokenwright.sqlite"));
            let opened = SqliteStores::open(&options).await;
            Some(Arc::new(opened.map_err(|fault| OpenError::Sqlite(fault.explained()))?))
        } else {
            None
        };
        let postgres = match &settings.postgres {
            Some(it) if uses(Store::Postgres) => {
                let options = PgOptions {
                    max_connections: it.max_connections,
                    acquire_timeout: it.timeout.min(Duration::from_secs(3)),
                    statement_timeout: it.timeout,
                    ..PgOptions::new(it.url.clone())
                };
                Some(Arc::new(PgStores::new(&options).map_err(|_| OpenError::Postgres)?))
            }
            Some(_) | None => None,
        };
        Ok(Self { sqlite, postgres, memory: Arc::new(MemoryClients::default()) })
    }
}

/// Makes the data directory, for its owner alone.
fn make_directory(path: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| OpenError::DataDirectory(path.display().to_string(), error))
}

fn keys(settings: &Settings, opened: &Opened) -> Arc<dyn KeyRepository> {
    if !settings.keys.files.is_empty() {
        return Arc::new(key_files(settings));
    }
    match settings.stores.keys {
        KeyStore::Directory => Arc::new(DirectoryKeys::new(
            settings.data_directory.join("keys"),
            settings.keys.password.clone(),
        )),
        KeyStore::In(store) => on!(opened, store, Arc::new(MemoryKeys::default())),
    }
}

fn key_files(settings: &Settings) -> PemFileKeys {
    PemFileKeys::new(
        settings
            .keys
            .files
            .iter()
            .map(|file| PemKeyFile {
                path: file.path.clone(),
                key_id: file.id.clone(),
                algorithm: file.algorithm,
                state: file.state,
                password: file.password.clone(),
            })
            .collect(),
    )
}

/// Reads the configured keys once, so that a wrong one is told before anything starts. Says what
/// the operator should know.
pub(crate) fn check_keys(settings: &Settings) -> Result<Vec<String>, OpenError> {
    if settings.keys.files.is_empty() {
        return Ok(Vec::new());
    }
    let needless = key_files(settings);
    let needless = needless.check().map_err(|error| OpenError::Key(error.to_string()))?;
    let algorithm = settings.tokens.algorithm;
    let has_active = settings
        .keys
        .files
        .iter()
        .any(|file| file.algorithm == algorithm && file.state == KeyState::Active);
    if !has_active {
        return Err(OpenError::Key(format!(
            "keys.files: no active key is for {}, which tokens.algorithm asks for",
            algorithm.name()
        )));
    }
    let note = |path: &&Path| {
        format!("the key {} is not encrypted: its password is ignored", path.display())
    };
    Ok(needless.iter().map(note).collect())
}

/// What is neither a store nor a use-case.
struct Tools {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    digester: Arc<dyn TokenDigester>,
    signatures: Arc<dyn SignatureVerifier>,
    hasher: Arc<Hasher>,
    rules: RegistrationRules,
}

impl Tools {
    fn new(settings: &Settings) -> Result<Self, OpenError> {
        let unusable = |error: InvalidHashingOptions| OpenError::Hashing(error.to_string());
        let pepper = settings.secrets.pepper.as_ref();
        let pepper = pepper.map(|it| Pepper::new(it.expose_secret().as_bytes())).transpose();
        let options = HashingOptions {
            scheme: match settings.secrets.scheme {
                Scheme::Bcrypt { cost } => adapter_hashing::Scheme::Bcrypt { cost },
                Scheme::Argon2id { memory_kib, iterations, parallelism } => {
                    adapter_hashing::Scheme::Argon2id { memory_kib, iterations, parallelism }
                }
                Scheme::Keyed => adapter_hashing::Scheme::Keyed,
            },
            pepper: pepper.map_err(unusable)?,
            workers: settings.secrets.workers,
            queue: settings.secrets.queue,
        };
        let hasher = Hasher::new(options).map_err(unusable)?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy::default()),
            digester: Arc::new(Sha256Digester),
            signatures: Arc::new(ClientKeyVerifier::new(settings.cache.capacity)),
            hasher: Arc::new(hasher),
            rules: RegistrationRules {
                key_algorithms: settings.registration.key_algorithms.clone(),
                is_key_id_required: true,
            },
        })
    }
}

/// The use-cases that the command line needs, on the same stores as the server's.
pub(crate) struct Commands {
    pub(crate) register_client: RegisterClient,
    pub(crate) find_client: FindClient,
    pub(crate) list_clients: ListClients,
    pub(crate) change_state: ChangeState,
    pub(crate) delete_client: DeleteClient,
    pub(crate) rotate_secret: RotateSecret,
    pub(crate) rotate_keys: RotateKeys,
    pub(crate) replace_bootstrap_token: ReplaceBootstrapToken,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) rules: RegistrationRules,
}

impl Commands {
    /// Opens the stores, and brings their schema up to date.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, crate::command::CommandError> {
        let stores = Stores::open(settings).await?;
        stores.migrate().await?;
        let tools = Tools::new(settings)?;
        let clients = Arc::clone(&stores.clients);
        let credentials = Arc::clone(&stores.credentials);
        let hasher: Arc<dyn SecretHasher> = tools.hasher.clone();
        Ok(Self {
            register_client: register_client(&tools, &clients, &credentials, &hasher),
            find_client: FindClient { clients: Arc::clone(&clients) },
            list_clients: ListClients { directory: Arc::clone(&stores.directory) },
            change_state: ChangeState {
                clients: Arc::clone(&clients),
                tokens: Arc::clone(&stores.tokens),
                clock: Arc::clone(&tools.clock),
                longest_lifetime: settings.tokens.lifetime,
            },
            delete_client: DeleteClient {
                clients: Arc::clone(&clients),
                credentials: Arc::clone(&credentials),
                tokens: Arc::clone(&stores.tokens),
                clock: Arc::clone(&tools.clock),
                longest_lifetime: settings.tokens.lifetime,
            },
            rotate_secret: RotateSecret {
                add_secret: add_secret(&tools, &clients, &credentials, &hasher),
            },
            rotate_keys: RotateKeys {
                ensure_keys: ensure_keys(&tools, &stores.keys),
                policy: KeyPolicy {
                    publish_before_use: settings.keys.publish_before_use,
                    keep_retired: settings.tokens.lifetime,
                },
            },
            replace_bootstrap_token: ReplaceBootstrapToken {
                bootstrap: Arc::clone(&stores.bootstrap),
                digester: Arc::clone(&tools.digester),
                entropy: Arc::clone(&tools.entropy),
            },
            keys: stores.keys,
            rules: tools.rules,
        })
    }
}

fn register_client(
    tools: &Tools,
    clients: &Arc<dyn ClientRepository>,
    credentials: &Arc<dyn CredentialRepository>,
    hasher: &Arc<dyn SecretHasher>,
) -> RegisterClient {
    RegisterClient {
        clients: Arc::clone(clients),
        credentials: Arc::clone(credentials),
        hasher: Arc::clone(hasher),
        digester: Arc::clone(&tools.digester),
        signatures: Arc::clone(&tools.signatures),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
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
        digester: Arc::clone(&tools.digester),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
    }
}

fn ensure_keys(tools: &Tools, keys: &Arc<dyn KeyRepository>) -> EnsureKeys {
    EnsureKeys {
        keys: Arc::clone(keys),
        maker: Arc::new(KeyFactory),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
    }
}

/// Everything a running server has.
pub(crate) struct Service {
    pub(crate) api: Api,
    pub(crate) stores: Stores,
    pub(crate) notes: Arc<WriteBehind>,
    pub(crate) ensure_keys: EnsureKeys,
    pub(crate) refresh_keys: RefreshKeys,
    /// There where the first start makes a bootstrap token.
    pub(crate) claim_bootstrap_token: Option<ClaimBootstrapToken>,
    pub(crate) phase: Arc<Phase>,
    pub(crate) clock: Arc<dyn Clock>,
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
        let ring = Arc::new(KeyRing::empty());
        let phase = Arc::new(Phase::default());

        let token_info = TokenInfo {
            verifier: ring.clone(),
            tokens: cached.tokens.clone(),
            clients: cached.clients.clone(),
            clock: Arc::clone(&tools.clock),
            issuer: issuer.clone(),
            accepted_audiences: settings.tokens.accepted_audiences.clone(),
        };
        let last_use: Arc<dyn LastUse> = cached.notes.clone();
        let authenticate = AuthenticateClient {
            clients: cached.clients.clone(),
            credentials: cached.credentials.clone(),
            hasher: cached.hasher.clone(),
            digester: Arc::clone(&tools.digester),
            signatures: Arc::clone(&tools.signatures),
            replay: cached.replay.clone(),
            last_use: Arc::clone(&last_use),
            clock: Arc::clone(&tools.clock),
            assertions: AssertionPolicy {
                audience: issuer.clone(),
                clock_skew: settings.clock_skew,
                max_lifetime: LONGEST_ASSERTION,
                is_key_id_required: true,
            },
        };
        let keys = measured_keys(&stores, settings.stores, &cached.metrics);
        // Operators see what is stored, and what they change bites here at once.
        let managed: Arc<dyn ClientRepository> =
            Arc::new(UncachedReads::new(cached.measured_clients.clone(), cached.clients.clone()));
        let longest_lifetime = settings.tokens.lifetime;
        let api = Api {
            issue_token: IssueToken {
                authenticate: authenticate.clone(),
                signer: ring.clone(),
                entropy: Arc::clone(&tools.entropy),
                last_use,
                clock: Arc::clone(&tools.clock),
                policy: TokenPolicy {
                    issuer: issuer.clone(),
                    lifetime: settings.tokens.lifetime,
                    algorithm: settings.tokens.algorithm,
                    is_audience_required: settings.tokens.is_audience_required,
                },
                profile: TokenProfile::Jwt,
            },
            revoke_token: RevokeToken {
                authenticate,
                token_info: token_info.clone(),
                tokens: cached.tokens.clone(),
            },
            register_client: register_client(&tools, &managed, &cached.credentials, &cached.hasher),
            find_client: FindClient { clients: Arc::clone(&managed) },
            list_clients: ListClients { directory: cached.directory.clone() },
            update_client: UpdateClient {
                clients: Arc::clone(&managed),
                signatures: Arc::clone(&tools.signatures),
                clock: Arc::clone(&tools.clock),
            },
            change_state: ChangeState {
                clients: Arc::clone(&managed),
                tokens: cached.tokens.clone(),
                clock: Arc::clone(&tools.clock),
                longest_lifetime,
            },
            delete_client: DeleteClient {
                clients: Arc::clone(&managed),
                credentials: cached.credentials.clone(),
                tokens: cached.tokens.clone(),
                clock: Arc::clone(&tools.clock),
                longest_lifetime,
            },
            list_secrets: ListSecrets {
                clients: Arc::clone(&managed),
                credentials: cached.measured_credentials.clone(),
            },
            add_secret: add_secret(&tools, &managed, &cached.credentials, &cached.hasher),
            revoke_secret: RevokeSecret { credentials: cached.credentials.clone() },
            authorize_management: AuthorizeManagement {
                authentication: management(settings, &stores, tools.digester.as_ref()),
                token_info: token_info.clone(),
                digester: Arc::clone(&tools.digester),
            },
            token_info,
            rules: tools.rules.clone(),
            registration: registration(settings, &tools.digester),
            jwks: jwks(&ring),
            jwks_max_age_seconds: settings.keys.publish_before_use.as_secs(),
            discovery: discovery(settings, &issuer),
            probes: stores.probes.clone(),
            phase: Arc::clone(&phase),
            clock: Arc::clone(&tools.clock),
            metrics: Arc::clone(&cached.metrics),
            log: RequestLog(logging),
        };
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
            ensure_keys: ensure_keys(&tools, &keys),
            refresh_keys: RefreshKeys { keys, ring, installed: Arc::new(AtomicU64::new(0)) },
            stores,
            claim_bootstrap_token,
            phase,
            clock: tools.clock,
        })
    }
}

/// The decorators of the stores.
struct Cached {
    clients: Arc<CachedClients>,
    measured_clients: Arc<dyn ClientRepository>,
    directory: Arc<dyn ClientDirectory>,
    credentials: Arc<dyn CredentialRepository>,
    measured_credentials: Arc<dyn CredentialRepository>,
    tokens: Arc<dyn TokenRepository>,
    replay: Arc<dyn ReplayGuard>,
    hasher: Arc<dyn SecretHasher>,
    notes: Arc<WriteBehind>,
    metrics: Arc<Metrics>,
}

const fn store_name(store: Store) -> &'static str {
    match store {
        Store::Sqlite => "sqlite",
        Store::Postgres => "postgres",
        Store::Memory => "memory",
    }
}

fn measured_keys(
    stores: &Stores,
    names: StoreNames,
    metrics: &Arc<Metrics>,
) -> Arc<dyn KeyRepository> {
    let store = match names.keys {
        KeyStore::Directory => "directory",
        KeyStore::In(store) => store_name(store),
    };
    Arc::new(Measured { inner: Arc::clone(&stores.keys), store, metrics: Arc::clone(metrics) })
}

impl Cached {
    fn new(
        settings: &Settings,
        stores: &Stores,
        tools: &Tools,
        logging: &Logging,
    ) -> Result<Self, OpenError> {
        let names = stores.names;
        let options = CacheOptions {
            capacity: settings.cache.capacity,
            fresh_for: settings.cache.fresh,
            stale_for: settings.cache.stale,
            retry_after: RETRY,
        };
        // The numbers are read from what is built here, and what is built here is measured: the
        // statistics come first, the metrics second, the decorators last.
        let remembered = RememberingOptions {
            capacity: settings.cache.capacity,
            time_to_idle: VERIFIED_SECRET_IDLE,
        };
        let remembering = RememberingHasher::new(tools.hasher.clone(), remembered);
        let remembering = Arc::new(remembering.map_err(|it| OpenError::Hashing(it.explained()))?);
        let late = Arc::new(LateSamples::default());
        let metrics = Arc::new(Metrics::new(samples(&late, tools, &remembering, logging)));
        macro_rules! measured {
            ($inner:expr, $store:expr) => {
                Arc::new(Measured {
                    inner: Arc::clone(&$inner),
                    store: store_name($store),
                    metrics: Arc::clone(&metrics),
                })
            };
        }
        let measured_clients: Arc<dyn ClientRepository> = measured!(stores.clients, names.clients);
        let measured_credentials: Arc<dyn CredentialRepository> =
            measured!(stores.credentials, names.credentials);
        let measured_tokens: Arc<dyn TokenRepository> = measured!(stores.tokens, names.tokens);
        let logins: Arc<dyn LoginLedger> = measured!(stores.logins, names.clients);
        let clients = Arc::new(CachedClients::new(
            Arc::clone(&measured_clients),
            options,
            Arc::clone(&tools.clock),
        ));
        let credentials = Arc::new(CachedCredentials::new(
            Arc::clone(&measured_credentials),
            options,
            Arc::clone(&tools.clock),
        ));
        let tokens = Arc::new(CachedTokens::new(
            measured_tokens,
            settings.cache.capacity,
            REVOCATION_BOUND.min(settings.cache.fresh),
            Arc::clone(&tools.clock),
        ));
        let notes =
            Arc::new(WriteBehind::new(logins, Arc::clone(&measured_credentials), NOTES_CAPACITY));
        late.set(&clients, &credentials, &tokens, &notes);
        Ok(Self {
            clients,
            measured_clients,
            directory: measured!(stores.directory, names.clients),
            credentials,
            measured_credentials,
            tokens,
            replay: measured!(stores.replay, names.replay),
            hasher: remembering,
            notes,
            metrics,
        })
    }
}

/// Numbers of things that are built after the metrics.
#[derive(Default)]
struct LateSamples(std::sync::OnceLock<[Box<dyn Fn() -> u64 + Send + Sync>; 8]>);

impl LateSamples {
    fn set(
        &self,
        clients: &CachedClients,
        credentials: &CachedCredentials,
        tokens: &CachedTokens,
        notes: &Arc<WriteBehind>,
    ) {
        let (client, credential, token) =
            (clients.statistics(), credentials.statistics(), tokens.statistics());
        let (waiting, dropped) = (Arc::clone(notes), Arc::clone(notes));
        let (client_misses, credential_misses, token_misses) =
            (Arc::clone(&client), Arc::clone(&credential), Arc::clone(&token));
        let readers: [Box<dyn Fn() -> u64 + Send + Sync>; 8] = [
            Box::new(move || client.hits()),
            Box::new(move || client_misses.misses()),
            Box::new(move || credential.hits()),
            Box::new(move || credential_misses.misses()),
            Box::new(move || token.hits()),
            Box::new(move || token_misses.misses()),
            Box::new(move || waiting.waiting() as u64),
            Box::new(move || dropped.dropped()),
        ];
        drop(self.0.set(readers));
    }

    fn read(&self, index: usize) -> u64 {
        self.0.get().and_then(|readers| readers.get(index)).map_or(0, |read| read())
    }
}

fn samples(
    late: &Arc<LateSamples>,
    tools: &Tools,
    remembering: &Arc<RememberingHasher>,
    logging: &Logging,
) -> Vec<Sample> {
    const LATE: [(&str, &str); 8] = [
        ("client_cache_hits", "Clients found without asking their store"),
        ("client_cache_misses", "Clients that their store was asked for"),
        ("credential_cache_hits", "Credentials found without asking their store"),
        ("credential_cache_misses", "Credentials that their store was asked for"),
        ("revocation_cache_hits", "Revocations answered without asking their store"),
        ("revocation_cache_misses", "Revocations that their store was asked for"),
        ("last_use_waiting", "Notes of last use that wait to be written"),
        ("last_use_dropped", "Notes of last use that were dropped"),
    ];
    let mut samples = Vec::new();
    for (index, (name, help)) in LATE.into_iter().enumerate() {
        let late = Arc::clone(late);
        let read = Box::new(move || late.read(index));
        samples.push(match name {
            "last_use_waiting" => Sample::Gauge(name, help, read),
            _ => Sample::Counter(name, help, read),
        });
    }
    let (pool, rejected) = (tools.hasher.statistics(), tools.hasher.statistics());
    let (running, total) = (tools.hasher.statistics(), tools.hasher.statistics());
    let (hits, misses) = (remembering.statistics(), remembering.statistics());
    let logging = logging.clone();
    samples.extend([
        Sample::Gauge(
            "hashing_queued",
            "Hashes that wait for a worker",
            Box::new(move || pool.queued() as u64),
        ),
        Sample::Gauge(
            "hashing_running",
            "Hashes being computed",
            Box::new(move || running.running() as u64),
        ),
        Sample::Counter(
            "hashing_finished",
            "Hashes that were computed",
            Box::new(move || total.total()),
        ),
        Sample::Counter(
            "hashing_rejected",
            "Hashes refused because too many waited",
            Box::new(move || rejected.rejected()),
        ),
        Sample::Counter(
            "verified_secret_cache_hits",
            "Secrets that needed no hash",
            Box::new(move || hits.hits()),
        ),
        Sample::Counter(
            "verified_secret_cache_misses",
            "Secrets that needed a hash",
            Box::new(move || misses.misses()),
        ),
        Sample::Counter(
            "log_lines_dropped",
            "Log lines nobody read fast enough",
            Box::new(move || logging.dropped_lines()),
        ),
    ]);
    samples
}

fn jwks(ring: &Arc<KeyRing>) -> Arc<dyn Fn() -> Bytes + Send + Sync> {
    let ring = Arc::clone(ring);
    Arc::new(move || Bytes::copy_from_slice(ring.published().document()))
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
    }
}

fn discovery(settings: &Settings, issuer: &Issuer) -> Discovery {
    let public =
        settings.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let base_url = public
        .or_else(|| issuer.as_url().map(|_| issuer.as_str().trim_end_matches('/').to_owned()));
    Discovery {
        issuer: issuer.clone(),
        base_url,
        prefix: settings.service_prefix.clone(),
        version: settings.service_version.clone(),
        algorithm: settings.tokens.algorithm,
        has_registration: !matches!(settings.registration.mode, RegistrationMode::Off),
        openid_configuration: settings.openid_configuration.clone().map(Bytes::from),
    }
}
