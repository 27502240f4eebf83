//! The connections to what is in use, and what is done with each.

use std::sync::Arc;
use std::time::Duration;

use adapter_crud::{CrudClients, CrudOptions};
use adapter_mongodb::{MongoOptions, MongoStores};
use adapter_redis::{
    ClientCertificate, RedisOptions, RedisStores, ReplicasToWaitFor, TlsOptions, Topology,
};
use adapter_sql::{MigrationError, PgOptions, PgStores, SqliteOptions, SqliteStores};
use domain::port::{ChangeAnnouncer, ChangeFeed};
use domain::{Fault, Timestamp};
use secrecy::ExposeSecret as _;

use super::stores::{Dependency, OpenError, make_directory};
use crate::http::forwarded_headers;
use crate::settings::{
    Crud, KeyStore, Mongodb, Postgres, Redis, RedisMode, Settings, Store, Stores as StoreNames,
};

/// The stores that are in use.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) sqlite: Option<Arc<SqliteStores>>,
    pub(super) postgres: Option<Arc<PgStores>>,
    pub(super) mongodb: Option<Arc<MongoStores>>,
    /// Whether revocations and reference tokens, used assertions, secrets, and clients are in MongoDB.
    pub(super) in_mongodb: [bool; 4],
    pub(super) redis: Option<Arc<RedisStores>>,
    pub(super) crud: Option<Arc<CrudClients>>,
}

impl Opened {
    /// Opens what `names` names.
    pub(super) async fn open(settings: &Settings, names: StoreNames) -> Result<Self, OpenError> {
        let brings_keys = !settings.keys.files.is_empty();
        let uses = |store| {
            [names.clients, names.credentials, names.tokens, names.replay].contains(&store)
                || (names.keys == KeyStore::In(store) && !brings_keys)
        };
        if uses(Store::Sqlite) || (names.keys == KeyStore::Directory && !brings_keys) {
            make_directory(&settings.data_directory)?;
        }
        let mut opened = Self::default();
        if uses(Store::Sqlite) {
            opened.sqlite = Some(Arc::new(sqlite(settings).await?));
        }
        if let Some(it) = settings.postgres.as_ref().filter(|_| uses(Store::Postgres)) {
            opened.postgres = Some(Arc::new(postgres(it)?));
        }
        if let Some(it) = settings.mongodb.as_ref().filter(|_| uses(Store::Mongodb)) {
            opened.mongodb = Some(Arc::new(mongodb(it).await?));
            let is_there = |store| store == Store::Mongodb;
            opened.in_mongodb =
                [names.tokens, names.replay, names.credentials, names.clients].map(is_there);
        }
        if let Some(it) = settings.crud.as_ref().filter(|_| uses(Store::Crud)) {
            opened.crud = Some(Arc::new(crud(it)?));
        }
        // Where nothing is kept in it, it carries the news.
        if let Some(it) = &settings.redis {
            opened.redis = Some(Arc::new(redis(it)?));
        }
        Ok(opened)
    }

    /// What the status routes ask. Without Redis secrets still work.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let mut all = Vec::new();
        macro_rules! depends {
            ($store:expr, $is_essential:expr) => {
                if let Some(it) = &$store {
                    let probe = Arc::clone(it) as _;
                    all.push(Dependency { probe, is_essential: $is_essential });
                }
            };
        }
        depends!(self.sqlite, true);
        depends!(self.postgres, true);
        depends!(self.crud, true);
        depends!(self.mongodb, true);
        depends!(self.redis, false);
        all
    }

    /// Where news of other nodes come from.
    pub(super) fn feeds(&self) -> Vec<(&'static str, Arc<dyn ChangeFeed>)> {
        let mut feeds: Vec<(&'static str, Arc<dyn ChangeFeed>)> = Vec::new();
        if let Some(it) = &self.postgres {
            feeds.push(("postgres", Arc::clone(it) as _));
        }
        if let Some(it) = &self.mongodb {
            feeds.push(("mongodb", Arc::clone(it) as _));
        }
        if let Some(it) = &self.redis {
            feeds.push(("redis", Arc::clone(it) as _));
        }
        feeds
    }

    /// Who tells others what this node changed. The databases tell by themselves.
    pub(super) fn announcer(&self) -> Option<Arc<dyn ChangeAnnouncer>> {
        self.redis.as_ref().map(|it| Arc::clone(it) as _)
    }

    pub(super) fn databases(&self) -> Vec<Database> {
        let sqlite = self.sqlite.iter().map(|it| Database::Sqlite(Arc::clone(it)));
        let postgres = self.postgres.iter().map(|it| Database::Postgres(Arc::clone(it)));
        let mongodb =
            self.mongodb.iter().map(|it| Database::Mongodb(Arc::clone(it), self.in_mongodb));
        sqlite.chain(postgres).chain(mongodb).collect()
    }
}

/// A store with a schema of ours.
pub(super) enum Database {
    Sqlite(Arc<SqliteStores>),
    Postgres(Arc<PgStores>),
    /// With what is kept in it of what needs indexes: tokens, used assertions, secrets, and clients
    /// (and so change sets).
    Mongodb(Arc<MongoStores>, [bool; 4]),
}

/// The collection may be another program's, in which we may make no index: then secrets that end are
/// looked for without one.
async fn prepare_credentials(stores: &MongoStores) -> Result<(), Fault> {
    match stores.prepare_credentials().await {
        Err(fault) if !fault.is_passing() => {
            let error = fault.explained();
            tracing::warn!(error, "secrets that end are looked for without an index");
            Ok(())
        }
        outcome => outcome,
    }
}

impl Database {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => Store::Sqlite.name(),
            Self::Postgres(_) => Store::Postgres.name(),
            Self::Mongodb(..) => Store::Mongodb.name(),
        }
    }

    pub(super) async fn migrate(&self) -> Result<Vec<String>, Fault> {
        let migrated = match self {
            Self::Sqlite(it) => migrate(it).await,
            Self::Postgres(it) => migrate(it).await,
            // Indexes, and nothing else: made where they are missing.
            Self::Mongodb(it, [has_tokens, has_replay, has_secrets, has_clients]) => {
                domain::port::HealthProbe::check(it.as_ref()).await?;
                if *has_tokens {
                    it.prepare_tokens().await?;
                }
                if *has_replay {
                    it.prepare_replay().await?;
                }
                if *has_secrets {
                    prepare_credentials(it).await?;
                }
                if *has_clients {
                    prepare_change_sets(it).await?;
                }
                return Ok(Vec::new());
            }
        };
        migrated.map_err(|error| self.unmigrated(error))
    }

    /// Whether there is nothing left to migrate.
    pub(super) async fn is_migrated(&self) -> Result<bool, Fault> {
        let pending = match self {
            Self::Sqlite(it) => it.pending_migrations().await,
            Self::Postgres(it) => it.pending_migrations().await,
            Self::Mongodb(..) => return Ok(true),
        };
        pending.map(|it| it.is_empty()).map_err(|error| self.unmigrated(error))
    }

    fn unmigrated(&self, error: MigrationError) -> Fault {
        match error {
            MigrationError::Fault(fault) => fault,
            other @ (MigrationError::Newer { .. } | MigrationError::Changed { .. }) => {
                Fault::corrupt(OpenError::Schema { store: self.name(), what: other.to_string() })
            }
        }
    }

    pub(super) async fn sweep(&self, now: Timestamp) -> Result<u64, Fault> {
        match self {
            Self::Sqlite(it) => it.sweep(now).await,
            Self::Postgres(it) => it.sweep(now).await,
            Self::Mongodb(..) => Ok(0),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(it) => it.close().await,
            Self::Postgres(it) => it.close().await,
            Self::Mongodb(it, _) => it.close().await,
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

/// A user without a right on the collection of change sets can do all else: that is no reason not to
/// start.
async fn prepare_change_sets(stores: &MongoStores) -> Result<(), Fault> {
    match stores.prepare_change_sets().await {
        Err(fault) if !fault.is_passing() => {
            tracing::warn!(error = fault.explained(), "staged changes cannot be kept");
            Ok(())
        }
        outcome => outcome,
    }
}

async fn sqlite(settings: &Settings) -> Result<SqliteStores, OpenError> {
    let path = settings.data_directory.join("tokenwright.sqlite");
    let opened = SqliteStores::open(&SqliteOptions::new(&path)).await;
    opened.map_err(|fault| OpenError::Sqlite(path.display().to_string(), fault.explained()))
}

fn postgres(settings: &Postgres) -> Result<PgStores, OpenError> {
    let options = PgOptions {
        max_connections: settings.max_connections,
        acquire_timeout: settings.timeout.min(Duration::from_secs(3)),
        statement_timeout: settings.timeout,
        ..PgOptions::new(settings.url.clone())
    };
    PgStores::new(&options).map_err(|error| OpenError::Address("postgres.url", error.to_string()))
}

async fn mongodb(settings: &Mongodb) -> Result<MongoStores, OpenError> {
    let options = MongoOptions {
        database: settings.database.clone(),
        credentials_collection: settings.credentials_collection.clone(),
        client_id_salt: settings.client_id_salt.clone(),
        timeout: settings.timeout,
        ..MongoOptions::new(settings.url.clone())
    };
    let opened = MongoStores::new(&options).await;
    opened.map_err(|error| OpenError::Address("mongodb.url", error.to_string()))
}

/// Reads what stores are told, as far as that goes without reaching them.
pub(crate) fn check_stores(settings: &Settings) -> Result<(), OpenError> {
    settings.redis.as_ref().map_or(Ok(()), |it| redis(it).map(drop))
}

fn redis(settings: &Redis) -> Result<RedisStores, OpenError> {
    let hosts = settings.hosts.clone();
    let topology = match &settings.mode {
        RedisMode::Standalone => Topology::Standalone { host: hosts.concat() },
        RedisMode::Cluster => Topology::Cluster { hosts },
        RedisMode::Sentinel { master_name, username, password } => Topology::Sentinel {
            hosts,
            master_name: master_name.clone(),
            username: username.clone(),
            password: password.clone(),
        },
    };
    let tls = settings.tls.as_ref().map(|tls| TlsOptions {
        certificate_authority: tls.authorities.clone(),
        client: tls.identity.as_ref().map(|(certificates, key)| ClientCertificate {
            certificates: certificates.clone(),
            key: key.expose_secret().as_bytes().to_vec().into(),
        }),
        ..TlsOptions::default()
    });
    let options = RedisOptions {
        username: settings.username.clone(),
        password: settings.password.clone(),
        database: settings.database,
        tls,
        key_prefix: settings.key_prefix.clone(),
        max_connections: settings.max_connections,
        replicas_to_wait_for: match settings.replicas_to_wait_for {
            None => ReplicasToWaitFor::Automatic,
            Some(number) => ReplicasToWaitFor::Number(number),
        },
        ..RedisOptions::new(topology)
    };
    RedisStores::new(&options).map_err(|error| OpenError::Address("redis", error.to_string()))
}

fn crud(settings: &Crud) -> Result<CrudClients, OpenError> {
    let options = CrudOptions {
        timeout: settings.timeout,
        headers: Arc::new(forwarded_headers),
        ..CrudOptions::new(settings.base_url.clone())
    };
    CrudClients::new(&options)
        .map_err(|error| OpenError::Address("crud.base_url", error.to_string()))
}
