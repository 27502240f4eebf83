//! The stores that the settings name, opened, and each port on its own.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{
    Announced, MemoryBootstrap, MemoryCatalogue, MemoryClients, MemoryCredentials,
    MemoryReferenceTokens, MemoryReplayGuard, MemoryTokens, News, SystemClock,
};
use domain::port::{
    BootstrapRepository, CatalogueRepository, ChangeAnnouncer, ChangeFeed, ChangeSetRepository,
    ClientDirectory, ClientRepository, ClientTransaction, CredentialRepository, HealthProbe,
    KeyRepository, LoginLedger, ReferenceTokenRepository, ReplayGuard, TokenRepository,
};
use domain::{Fault, Timestamp};

use super::database::{Database, Opened};
use super::keys::keys;
use crate::settings::{Settings, Store, Stores as StoreNames};

/// How far the clocks of nodes may be apart before something is forgotten too early.
const CLOCKS_APART: Duration = Duration::from_mins(15);

/// How long it may take to tell others of the last changes.
const ANNOUNCING: Duration = Duration::from_secs(3);

/// Why a store cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The data directory cannot be made.
    #[error("the data directory {0} cannot be made: {1}")]
    DataDirectory(String, std::io::Error),
    /// The embedded store cannot be opened.
    #[error("the embedded store {0} cannot be opened: {1}")]
    Sqlite(String, String),
    /// How a store is to be reached makes no sense.
    #[error("{0}: {1}")]
    Address(&'static str, String),
    /// A store was chosen for something that it does not keep.
    #[error("the store {0} is not there for that")]
    NotThere(&'static str),
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

/// Whether a dependency answers, and whether nothing works without it.
#[derive(Clone)]
pub(crate) struct Dependency {
    pub(crate) probe: Arc<dyn HealthProbe>,
    /// Without it the server is not ready.
    pub(crate) is_essential: bool,
}

/// Where everything is kept.
pub(crate) struct Stores {
    pub(crate) clients: Arc<dyn ClientRepository>,
    pub(crate) directory: Arc<dyn ClientDirectory>,
    pub(crate) logins: Arc<dyn LoginLedger>,
    /// There where the store of clients can change several of them at once, or might.
    pub(crate) changes: Option<ChangeStores>,
    pub(crate) credentials: Arc<dyn CredentialRepository>,
    pub(crate) tokens: Arc<dyn TokenRepository>,
    pub(crate) replay: Arc<dyn ReplayGuard>,
    pub(crate) references: Arc<dyn ReferenceTokenRepository>,
    pub(crate) keys: Arc<dyn KeyRepository>,
    pub(crate) bootstrap: Arc<dyn BootstrapRepository>,
    pub(crate) catalogue: Arc<dyn CatalogueRepository>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Where this node hears of what others changed, each by its name.
    pub(crate) feeds: Vec<(&'static str, Arc<dyn ChangeFeed>)>,
    /// What this node has to tell, where its stores do not tell it by themselves.
    pub(crate) announcements: Option<Announcements>,
    pub(super) names: StoreNames,
    databases: Vec<Database>,
}

/// Where staged changes are kept, and how they take effect.
#[derive(Clone)]
pub(crate) struct ChangeStores {
    pub(crate) sets: Arc<dyn ChangeSetRepository>,
    pub(crate) transaction: Arc<dyn ClientTransaction>,
}

/// What this node has to tell others, and by which way.
#[derive(Clone)]
pub(crate) struct Announcements {
    news: Arc<News>,
    announcer: Arc<dyn ChangeAnnouncer>,
}

impl Announcements {
    /// Waits until there is something to tell.
    pub(crate) async fn come(&self) {
        self.news.come().await;
    }

    /// Tells all of it.
    pub(crate) async fn deliver(&self) -> Result<(), Fault> {
        self.news.deliver(self.announcer.as_ref()).await
    }
}

/// One port on the store that was chosen for it. A store that is chosen is opened; one that is not
/// never stands in for it.
macro_rules! on {
    ($port:ty: $opened:expr, $store:expr, $memory:expr, $($variant:ident in $field:ident),+ $(,)?) => {
        match ($store, $opened) {
            (Store::Memory, _) => Ok($memory as Arc<$port>),
            $((Store::$variant, Opened { $field: Some(it), .. }) => Ok(Arc::clone(it) as Arc<$port>),)+
            (other, _) => Err(OpenError::NotThere(other.name())),
        }
    };
}
pub(super) use on;

impl Stores {
    /// Opens what the settings name. No server need be up for that.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        Self::open_as(settings, settings.stores).await
    }

    /// Opens other stores than the settings name, as the settings say how each is reached.
    pub(crate) async fn open_as(settings: &Settings, names: StoreNames) -> Result<Self, OpenError> {
        let opened = Opened::open(settings, names).await?;
        let memory = Arc::new(MemoryClients::default());
        macro_rules! of_clients {
            ($port:ty) => {
                on!($port: &opened, names.clients, Arc::clone(&memory), Sqlite in sqlite,
                    Postgres in postgres, Mongodb in mongodb, Crud in crud)?
            };
        }
        macro_rules! of_changes {
            ($port:ty) => {
                on!($port: &opened, names.clients, Arc::clone(&memory), Sqlite in sqlite,
                    Postgres in postgres, Mongodb in mongodb)?
            };
        }
        macro_rules! of_credentials {
            ($port:ty, $memory:expr) => {
                on!($port: &opened, names.credentials, $memory, Sqlite in sqlite, Postgres in postgres,
                    Mongodb in mongodb)?
            };
        }
        macro_rules! short_lived {
            ($port:ty, $store:expr, $memory:expr) => {
                on!($port: &opened, $store, $memory, Sqlite in sqlite, Postgres in postgres,
                    Mongodb in mongodb, Redis in redis)?
            };
        }
        let stores = Self {
            clients: of_clients!(dyn ClientRepository),
            directory: of_clients!(dyn ClientDirectory),
            logins: of_clients!(dyn LoginLedger),
            changes: match names.clients {
                Store::Memory | Store::Sqlite | Store::Postgres | Store::Mongodb => {
                    Some(ChangeStores {
                        sets: of_changes!(dyn ChangeSetRepository),
                        transaction: of_changes!(dyn ClientTransaction),
                    })
                }
                Store::Crud | Store::Redis => None,
            },
            credentials: of_credentials!(
                dyn CredentialRepository,
                Arc::new(MemoryCredentials::default())
            ),
            bootstrap: of_credentials!(
                dyn BootstrapRepository,
                Arc::new(MemoryBootstrap::default())
            ),
            catalogue: of_credentials!(
                dyn CatalogueRepository,
                Arc::new(MemoryCatalogue::default())
            ),
            tokens: short_lived!(
                dyn TokenRepository,
                names.tokens,
                Arc::new(MemoryTokens::new(Arc::new(SystemClock)))
            ),
            replay: short_lived!(
                dyn ReplayGuard,
                names.replay,
                Arc::new(MemoryReplayGuard::default())
            ),
            references: short_lived!(
                dyn ReferenceTokenRepository,
                names.tokens,
                Arc::new(MemoryReferenceTokens::new(Arc::new(SystemClock)))
            ),
            keys: keys(settings, names.keys, &opened)?,
            dependencies: opened.dependencies(),
            feeds: opened.feeds(),
            announcements: None,
            databases: opened.databases(),
            names,
        };
        Ok(match opened.announcer() {
            Some(announcer) => stores.announced_by(announcer),
            None => stores,
        })
    }

    /// The same stores, whose changes `announcer` tells others of.
    fn announced_by(self, announcer: Arc<dyn ChangeAnnouncer>) -> Self {
        let news: Arc<News> = Arc::default();
        macro_rules! announced {
            ($inner:expr) => {
                Arc::new(Announced::new($inner, Arc::clone(&news)))
            };
        }
        Self {
            clients: announced!(self.clients),
            changes: self
                .changes
                .map(|it| ChangeStores { transaction: announced!(it.transaction), ..it }),
            credentials: announced!(self.credentials),
            tokens: announced!(self.tokens),
            keys: announced!(self.keys),
            catalogue: announced!(self.catalogue),
            announcements: Some(Announcements { news, announcer }),
            ..self
        }
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
            done.push((database.name(), database.migrate().await?));
        }
        Ok(done)
    }

    /// Whether every schema is up to date.
    pub(crate) async fn is_migrated(&self) -> Result<bool, Fault> {
        for database in &self.databases {
            if !database.is_migrated().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tells running servers what was changed here. They find out by themselves, too, a little
    /// later: so it is no failure if nobody can be told.
    pub(crate) async fn announce(&self) {
        if let Some(announcements) = &self.announcements {
            drop(tokio::time::timeout(ANNOUNCING, announcements.deliver()).await);
        }
    }

    /// Forgets what has ended, and ended long enough ago that no node's clock says otherwise
    /// (threat T45). Stores that forget by themselves have nothing to do.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<u64, Fault> {
        let now = now.before(CLOCKS_APART);
        let mut swept = 0;
        for database in &self.databases {
            swept += database.sweep(now).await?;
        }
        Ok(swept)
    }

    /// Ends every connection.
    pub(crate) async fn close(&self) {
        for database in &self.databases {
            database.close().await;
        }
    }
}

/// Makes the data directory, for its owner alone.
pub(super) fn make_directory(path: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| OpenError::DataDirectory(path.display().to_string(), error))
}
