//! The one file that knows every adapter: options in, use-cases out.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use adapter_hashing::{
    Hasher, HashingOptions, InvalidHashingOptions, MemoryStatistics, OsEntropy, Pepper,
    PoolStatistics, RememberingHasher, RememberingOptions, Sha256Digester,
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
use app::RegistrationRules;
use domain::port::{
    BootstrapRepository, ClientDirectory, ClientRepository, Clock, CredentialRepository, Entropy,
    HealthProbe, KeyMaker, KeyRepository, KeyRingInstaller, LoginLedger, ReplayGuard, SecretHasher,
    SignatureVerifier, TokenDigester, TokenRepository, TokenSigner, TokenVerifier,
};
use domain::{Fault, KeyState, Timestamp};
use secrecy::ExposeSecret as _;

use crate::settings::{KeyStore, Scheme, Settings, Store, Stores as StoreNames};
use crate::telemetry::{Logging, Measured, Metrics, Sample};

/// How many notes of last use may wait for a store that is out.
const NOTES_CAPACITY: usize = 100_000;
/// How long a store that is out is not asked again for what is remembered.
const RETRY: Duration = Duration::from_secs(5);
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
    #[error("the embedded store {0} cannot be opened: {1}")]
    Sqlite(String, String),
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
    Sqlite(Arc<SqliteStores>),
    Postgres(Arc<PgStores>),
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
            databases.push(Database::Sqlite(Arc::clone(sqlite)));
        }
        if let Some(postgres) = &opened.postgres {
            probes.push(Arc::clone(postgres) as _);
            databases.push(Database::Postgres(Arc::clone(postgres)));
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
            let path = settings.data_directory.join("tokenwright.sqlite");
            let opened = SqliteStores::open(&SqliteOptions::new(&path)).await;
            Some(Arc::new(opened.map_err(|fault| {
                OpenError::Sqlite(path.display().to_string(), fault.explained())
            })?))
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
pub(crate) struct Tools {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) digester: Arc<dyn TokenDigester>,
    pub(crate) signatures: Arc<dyn SignatureVerifier>,
    pub(crate) hasher: Arc<dyn SecretHasher>,
    pub(crate) key_maker: Arc<dyn KeyMaker>,
    pub(crate) ring: Ring,
    pub(crate) rules: RegistrationRules,
    hashing: Arc<PoolStatistics>,
}

/// The keys in use, by what is done with them.
pub(crate) struct Ring {
    pub(crate) signer: Arc<dyn TokenSigner>,
    pub(crate) verifier: Arc<dyn TokenVerifier>,
    pub(crate) installer: Arc<dyn KeyRingInstaller>,
    /// The JWKS document.
    pub(crate) jwks: Arc<dyn Fn() -> Bytes + Send + Sync>,
}

impl Ring {
    fn empty() -> Self {
        let ring = Arc::new(KeyRing::empty());
        Self {
            signer: ring.clone(),
            verifier: ring.clone(),
            installer: ring.clone(),
            jwks: Arc::new(move || Bytes::copy_from_slice(ring.published().document())),
        }
    }
}

impl Tools {
    pub(crate) fn new(settings: &Settings) -> Result<Self, OpenError> {
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
            hashing: hasher.statistics(),
            hasher: Arc::new(hasher),
            key_maker: Arc::new(KeyFactory),
            ring: Ring::empty(),
            rules: RegistrationRules {
                key_algorithms: settings.registration.key_algorithms.clone(),
                is_key_id_required: true,
            },
        })
    }
}

/// The stores behind their decorators.
pub(crate) struct Cached {
    /// What requests read.
    pub(crate) clients: Arc<dyn ClientRepository>,
    /// What operators read and change: they see what is stored, and what they change bites here
    /// at once.
    pub(crate) managed_clients: Arc<dyn ClientRepository>,
    pub(crate) directory: Arc<dyn ClientDirectory>,
    pub(crate) credentials: Arc<dyn CredentialRepository>,
    pub(crate) measured_credentials: Arc<dyn CredentialRepository>,
    pub(crate) tokens: Arc<dyn TokenRepository>,
    pub(crate) replay: Arc<dyn ReplayGuard>,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) hasher: Arc<dyn SecretHasher>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) metrics: Arc<Metrics>,
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
    pub(crate) fn new(
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
        let remembered = RememberingOptions {
            capacity: settings.cache.capacity,
            time_to_idle: VERIFIED_SECRET_IDLE,
        };
        let remembering = RememberingHasher::new(tools.hasher.clone(), remembered);
        let remembering = Arc::new(remembering.map_err(|it| OpenError::Hashing(it.explained()))?);
        let metrics = Arc::new(Metrics::new());
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
        let mut samples = cache_samples(&clients, &credentials, &tokens);
        samples.extend(note_samples(&notes));
        samples.extend(hashing_samples(&tools.hashing, &remembering.statistics()));
        let logging = logging.clone();
        let read = Box::new(move || logging.dropped_lines());
        let help = "Log lines nobody read fast enough";
        samples.push(Sample::Counter("log_lines_dropped", help, read));
        metrics.watch(samples);
        let managed_clients = Arc::new(UncachedReads::new(measured_clients, Arc::clone(&clients)));
        Ok(Self {
            clients,
            managed_clients,
            keys: measured_keys(stores, names, &metrics),
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

/// How the caches fare.
fn cache_samples(
    clients: &CachedClients,
    credentials: &CachedCredentials,
    tokens: &CachedTokens,
) -> Vec<Sample> {
    let all = [
        (clients.statistics(), ["client_cache_hits", "client_cache_misses", "client_cache_stale"]),
        (
            credentials.statistics(),
            ["credential_cache_hits", "credential_cache_misses", "credential_cache_stale"],
        ),
        (
            tokens.statistics(),
            ["revocation_cache_hits", "revocation_cache_misses", "revocation_cache_stale"],
        ),
    ];
    let mut samples = Vec::new();
    for (statistics, [hits, misses, stale]) in all {
        let (it, other) = (Arc::clone(&statistics), Arc::clone(&statistics));
        samples.extend([
            Sample::Counter(hits, "Answers without asking the store", Box::new(move || it.hits())),
            Sample::Counter(
                misses,
                "Answers the store was asked for",
                Box::new(move || other.misses()),
            ),
            Sample::Counter(
                stale,
                "Answers kept because the store was out",
                Box::new(move || statistics.stale()),
            ),
        ]);
    }
    samples
}

/// How the notes of last use fare.
fn note_samples(notes: &Arc<WriteBehind>) -> [Sample; 2] {
    let (waiting, dropped) = (Arc::clone(notes), Arc::clone(notes));
    [
        Sample::Gauge(
            "last_use_waiting",
            "Notes of last use that wait to be written",
            Box::new(move || waiting.waiting() as u64),
        ),
        Sample::Counter(
            "last_use_dropped",
            "Notes of last use that were dropped",
            Box::new(move || dropped.dropped()),
        ),
    ]
}

/// How the hashing of secrets fares.
fn hashing_samples(pool: &Arc<PoolStatistics>, memory: &Arc<MemoryStatistics>) -> [Sample; 6] {
    let [queued, running, total, rejected] = [(); 4].map(|()| Arc::clone(pool));
    let [hits, misses] = [(); 2].map(|()| Arc::clone(memory));
    [
        Sample::Gauge(
            "hashing_queued",
            "Hashes that wait for a worker",
            Box::new(move || queued.queued() as u64),
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
    ]
}
