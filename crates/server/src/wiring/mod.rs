//! The one place that knows every adapter: options in, ports out.

mod client_keys;
mod database;
mod keys;
mod samples;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use adapter_hashing::{
    Hasher, HashingOptions, InvalidHashingOptions, OsEntropy, Pepper, PoolStatistics,
    RememberingHasher, RememberingOptions, Sha256Digester,
};
use adapter_jose::{ClientKeyVerifier, KeyFactory, KeyRing};
use adapter_memory::{
    CacheOptions, CachedClients, CachedCredentials, CachedReferences, CachedRemoteKeys,
    CachedTokens, CachedTransaction, Invalidation, SystemClock, UncachedReads, WriteBehind,
};
use app::{CatalogueInUse, RegistrationRules};
use domain::port::{
    CatalogueRepository, ChangeListener, ClientDirectory, ClientRepository, ClientTransaction,
    Clock, CredentialRepository, Entropy, KeyMaker, KeyRepository, KeyRingInstaller, LoginLedger,
    MacVerifier, ReferenceTokenRepository, ReplayGuard, SecretHasher, SignatureVerifier,
    TokenDigester, TokenRepository, TokenSigner, TokenVerifier,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

pub(crate) use client_keys::check_client_keys;
pub(crate) use database::check_stores;
pub(crate) use keys::check_keys;
use samples::{cache_samples, hashing_samples, note_samples};
pub(crate) use stores::{ChangeStores, Dependency, OpenError, Stores};

use crate::serve::SecretNumbers;
use crate::settings::{KeyStore, Scheme, Settings, Stores as StoreNames};
use crate::telemetry::{Logging, Measured, Metrics, Sample};

/// How many notes of last use may wait for a store that is out.
const NOTES_CAPACITY: usize = 100_000;
/// How long a store that is out is not asked again for what is remembered.
const RETRY: Duration = Duration::from_secs(5);
/// How long a verified secret is remembered that nobody presents.
const VERIFIED_SECRET_IDLE: Duration = Duration::from_hours(1);
/// How long it takes at most until a revocation made on another node bites here.
const REVOCATION_BOUND: Duration = Duration::from_secs(5);

/// The notes of last use.
pub(crate) type Notes = WriteBehind;

/// The clock of the machine.
pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// How tokens of ours, and whole stores, are told apart without being known.
pub(crate) fn digester() -> Arc<dyn TokenDigester> {
    Arc::new(Sha256Digester)
}

/// What is neither a store nor a use-case.
pub(crate) struct Tools {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) digester: Arc<dyn TokenDigester>,
    pub(crate) signatures: Arc<dyn SignatureVerifier>,
    pub(crate) macs: Arc<dyn MacVerifier>,
    pub(crate) remote_keys: Arc<CachedRemoteKeys>,
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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy::default());
        let (macs, methods) = client_keys::sealing(settings, entropy.as_ref())?;
        Ok(Self {
            remote_keys: client_keys::remote_keys(settings, &clock)?,
            macs,
            clock,
            entropy,
            digester: digester(),
            signatures: Arc::new(ClientKeyVerifier::new(settings.cache.capacity)),
            hashing: hasher.statistics(),
            hasher: Arc::new(hasher),
            key_maker: Arc::new(KeyFactory),
            ring: Ring::empty(),
            rules: RegistrationRules {
                methods,
                key_algorithms: settings.registration.key_algorithms.clone(),
                is_key_id_required: true,
                token_algorithms: settings.tokens.algorithms(),
                longest_token_lifetime: settings.tokens.longest_lifetime,
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
    pub(crate) changes: Option<ChangeStores>,
    pub(crate) credentials: Arc<dyn CredentialRepository>,
    pub(crate) measured_credentials: Arc<dyn CredentialRepository>,
    pub(crate) tokens: Arc<dyn TokenRepository>,
    pub(crate) replay: Arc<dyn ReplayGuard>,
    pub(crate) references: Arc<dyn ReferenceTokenRepository>,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) catalogue: Arc<dyn CatalogueRepository>,
    /// The catalogue that this node goes by.
    pub(crate) catalogue_in_use: Arc<CatalogueInUse>,
    pub(crate) hasher: Arc<dyn SecretHasher>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) metrics: Arc<Metrics>,
    /// How many secrets end.
    pub(crate) secret_numbers: Arc<SecretNumbers>,
    /// Hears of what others changed.
    pub(crate) listener: Arc<dyn ChangeListener>,
    /// Woken when others changed the keys.
    pub(crate) keys_changed: Arc<Notify>,
    /// Woken when others changed the catalogue.
    pub(crate) catalogue_changed: Arc<Notify>,
}

/// How long a catalogue is good, at least, that cannot be read again: a store that is slow once is no
/// reason to refuse everybody.
const CATALOGUE_GRACE: Duration = Duration::from_secs(5);

/// The catalogue that this process goes by, once it has read it: for as long as a client is good
/// that was read once.
pub(crate) fn catalogue_in_use(settings: &Settings) -> Arc<CatalogueInUse> {
    let good_for = settings.cache.fresh + settings.cache.stale.max(CATALOGUE_GRACE);
    Arc::new(CatalogueInUse::new(settings.catalogue_mode, good_for))
}

fn measured_keys(
    stores: &Stores,
    names: StoreNames,
    metrics: &Arc<Metrics>,
) -> Arc<dyn KeyRepository> {
    let store = match names.keys {
        KeyStore::Directory => "directory",
        KeyStore::In(store) => store.name(),
    };
    Arc::new(Measured { inner: Arc::clone(&stores.keys), store, metrics: Arc::clone(metrics) })
}

fn cached_changes(
    stores: &Stores,
    names: StoreNames,
    metrics: &Arc<Metrics>,
    clients: &Arc<CachedClients>,
) -> Option<ChangeStores> {
    let store = names.clients.name();
    let ChangeStores { sets, transaction } = stores.changes.clone()?;
    let transaction: Arc<dyn ClientTransaction> =
        Arc::new(Measured { inner: transaction, store, metrics: Arc::clone(metrics) });
    Some(ChangeStores {
        sets: Arc::new(Measured { inner: sets, store, metrics: Arc::clone(metrics) }),
        transaction: Arc::new(CachedTransaction::new(transaction, Arc::clone(clients))),
    })
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
                    store: $store.name(),
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
        let measured_references: Arc<dyn ReferenceTokenRepository> =
            measured!(stores.references, names.tokens);
        let references = Arc::new(CachedReferences::new(
            measured_references,
            settings.cache.capacity,
            Arc::clone(&tools.clock),
        ));
        let notes =
            Arc::new(WriteBehind::new(logins, Arc::clone(&measured_credentials), NOTES_CAPACITY));
        let remote_keys = &tools.remote_keys;
        let mut samples = cache_samples(&clients, &credentials, &tokens, &references, remote_keys);
        samples.extend(note_samples(&notes));
        samples.extend(hashing_samples(&tools.hashing, &remembering.statistics()));
        let secret_numbers: Arc<SecretNumbers> = Arc::default();
        if settings.secrets.warn_before.is_some() {
            samples.extend(secret_numbers.samples());
        }
        let logging = logging.clone();
        let read = Box::new(move || logging.dropped_lines());
        let help = "Log lines nobody read fast enough";
        samples.push(Sample::Counter("log_lines_dropped", help, read));
        metrics.watch(samples);
        let keys_changed: Arc<Notify> = Arc::default();
        let catalogue_changed: Arc<Notify> = Arc::default();
        let listener = Arc::new(Invalidation {
            clients: Arc::clone(&clients),
            credentials: Arc::clone(&credentials),
            tokens: Arc::clone(&tokens),
            keys: Arc::clone(&keys_changed),
            catalogue: Arc::clone(&catalogue_changed),
        });
        let changes = cached_changes(stores, names, &metrics, &clients);
        let managed_clients = Arc::new(UncachedReads::new(measured_clients, Arc::clone(&clients)));
        Ok(Self {
            clients,
            managed_clients,
            keys: measured_keys(stores, names, &metrics),
            catalogue: measured!(stores.catalogue, names.credentials),
            catalogue_in_use: catalogue_in_use(settings),
            directory: measured!(stores.directory, names.clients),
            changes,
            credentials,
            measured_credentials,
            tokens,
            replay: measured!(stores.replay, names.replay),
            references,
            hasher: remembering,
            notes,
            metrics,
            secret_numbers,
            listener,
            keys_changed,
            catalogue_changed,
        })
    }
}
