//! Empty stores for one test, and a server on them.

use std::path::PathBuf;

use crud_service::{CrudService, Definition, State};
use tempfile::TempDir;
use testbed::forwarder::{Forwarder, Mood};

use crate::support::jwt::{KeyClient, Pair, RSA};
use crate::support::postgres::{Database, on_postgres, upstream};
use crate::support::{Options, Server};

/// Who issues tokens on every stack.
pub(super) const ISSUER: &str = "https://tokens.example";

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    Sqlite,
    Postgres,
    PostgresRedis,
    Mia,
}

/// The ways from the server to its stores, which can be closed.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) postgres: Option<Forwarder>,
    pub(super) redis: Option<Forwarder>,
    pub(super) mongodb: Option<Forwarder>,
    pub(super) crud: Option<Forwarder>,
}

impl Ways {
    /// The way to a store, by the name that the status routes have for it.
    pub(super) fn to(&self, store: &str) -> &Forwarder {
        let way = match store {
            "postgres" => &self.postgres,
            "redis" => &self.redis,
            "mongodb" => &self.mongodb,
            "crud" => &self.crud,
            other => panic!("there is no way to {other}"),
        };
        way.as_ref().unwrap_or_else(|| panic!("the stack has no {store}"))
    }
}

/// Empty stores, gone with this.
pub(super) struct Ground {
    pub(super) stack: Stack,
    pub(super) options: Options,
    pub(super) ways: Ways,
    pub(super) database: Option<Database>,
    pub(super) crud: Option<CrudService>,
    pub(super) mongodb_database: String,
    directory: TempDir,
}

impl Ground {
    /// Stores that the server reaches directly.
    pub(super) async fn of(stack: Stack) -> Self {
        Self::lay(stack, None, extended()).await
    }

    /// Stores that the server reaches by ways which can be closed, and are in this mood.
    pub(super) async fn behind(stack: Stack, mood: Mood) -> Self {
        Self::lay(stack, Some(mood), extended()).await
    }

    /// The vendor's stores, with this collection of clients.
    pub(super) async fn of_vendor(definition: Definition) -> Self {
        Self::lay(Stack::Mia, None, definition).await
    }

    async fn lay(stack: Stack, mood: Option<Mood>, definition: Definition) -> Self {
        let mut ground = Self {
            stack,
            options: Options::default(),
            ways: Ways::default(),
            database: None,
            crud: None,
            mongodb_database: format!("tokenwright_it_{}", uuid::Uuid::new_v4().simple()),
            directory: TempDir::new().unwrap(),
        };
        let options = Options::default().with("DELAY_SHUTDOWN_SECONDS", "0");
        let options = match stack {
            Stack::Sqlite => options
                .with("TOKENWRIGHT__TOKENS__ISSUER", ISSUER)
                .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"),
            Stack::Postgres => {
                options.and(ground.postgres(mood).await).with("TOKENWRIGHT__TOKENS__ISSUER", ISSUER)
            }
            Stack::PostgresRedis => {
                let redis = ground.redis(mood.clone());
                options
                    .and(ground.postgres(mood).await)
                    .with("TOKENWRIGHT__TOKENS__ISSUER", ISSUER)
                    .with("TOKENWRIGHT__STORES__TOKENS", "redis")
                    .with("TOKENWRIGHT__STORES__REPLAY", "redis")
                    .with("TOKENWRIGHT__REDIS__HOSTS", &redis)
                    .with("TOKENWRIGHT__REDIS__KEY_PREFIX", &ground.prefix())
            }
            Stack::Mia => options.and(ground.mia(mood, definition)),
        };
        ground.options = match stack {
            // One file for every server of the test.
            Stack::Sqlite => options.in_directory(ground.directory.path()),
            Stack::Postgres | Stack::PostgresRedis | Stack::Mia => options,
        };
        ground
    }

    async fn postgres(&mut self, mood: Option<Mood>) -> Options {
        let database = Database::empty().await;
        let url = match mood {
            None => database.url(),
            Some(mood) => {
                let way = self.ways.postgres.insert(Forwarder::start(upstream(), mood));
                database.url_through(way.port)
            }
        };
        self.database = Some(database);
        on_postgres(&url)
    }

    /// Where Redis is, or the way to it.
    fn redis(&mut self, mood: Option<Mood>) -> String {
        let host = redis_host();
        match mood {
            None => host,
            Some(mood) => {
                let way = self.ways.redis.insert(Forwarder::start(host, mood));
                format!("127.0.0.1:{}", way.port)
            }
        }
    }

    fn prefix(&self) -> String {
        format!("{}:", self.mongodb_database)
    }

    /// The variables of the vendor, and nothing else.
    fn mia(&mut self, mood: Option<Mood>, definition: Definition) -> Options {
        let mongodb_url = mongodb_url();
        let crud = CrudService::start(crud_service::Options {
            database: self.mongodb_database.clone(),
            ..crud_service::Options::scratch(&mongodb_url, "clients", definition)
        });
        let crud = crud.unwrap();
        let (mut crud_port, mut mongodb) = (crud.port(), mongodb_host());
        if let Some(mood) = &mood {
            let way = Forwarder::start(format!("127.0.0.1:{crud_port}"), mood.clone());
            crud_port = self.ways.crud.insert(way).port;
            let way = Forwarder::start(mongodb, mood.clone());
            mongodb = format!("127.0.0.1:{}", self.ways.mongodb.insert(way).port);
        }
        self.crud = Some(crud);
        let redis = self.redis(mood);
        let key = self.directory.path().join("private.pem");
        std::fs::write(&key, RSA.pem()).unwrap();
        Options::default()
            .with("CRUD_CLIENT_BASE_URL", &format!("http://127.0.0.1:{crud_port}/clients"))
            .with("CLIENT_ID_HASH_SALT", SALT)
            .with("CLIENT_SECRET_HASH_COST", "4")
            .with("CREDENTIALS_MONGODB_URL", &format!("mongodb://{mongodb}/?directConnection=true"))
            .with("MONGODB_CREDENTIALS_DATABASE_NAME", &self.mongodb_database)
            .with("PRIVATE_RSA_KEY_FILE_PATH", key.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "the-rsa-key")
            .with("MIA_JWT_ISSUER", ISSUER)
            .with("MIA_JWT_EXPIRES_IN", "3600")
            .with("REDIS_HOSTS", &redis)
    }

    /// A server on these stores, ready.
    pub(super) fn server(&self) -> Server {
        self.server_with(Options::default())
    }

    /// A server on these stores, with more settings, ready.
    pub(super) fn server_with(&self, more: Options) -> Server {
        Server::start_with(self.options.clone().and(more))
    }

    /// What the status routes call the stores.
    pub(super) fn dependencies(&self) -> &'static [&'static str] {
        match self.stack {
            Stack::Sqlite => &["sqlite"],
            Stack::Postgres => &["postgres"],
            Stack::PostgresRedis => &["postgres", "redis"],
            Stack::Mia => &["crud", "mongodb", "redis"],
        }
    }

    /// A folder of the test.
    pub(super) fn folder(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.crud.take().is_none() {
            return;
        }
        let name = self.mongodb_database.clone();
        // The runtime of the test may be on its way out.
        let drop_it = async move {
            let client = mongodb::Client::with_uri_str(mongodb_url()).await.unwrap();
            client.database(&name).drop().await.unwrap();
        };
        let runtime = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(drop_it);
        };
        std::thread::spawn(runtime).join().unwrap();
    }
}

/// A collection with room for everything, whose documents are in use from the start.
fn extended() -> Definition {
    Definition::extended().starting_in(State::Public)
}

/// The vendor's salt of client ids.
pub(super) const SALT: &str = "the-salt-of-the-tests";

/// A client that signs for these servers.
pub(super) async fn key_client(server: &Server) -> KeyClient {
    KeyClient { issuer: ISSUER.to_owned(), ..server.key_client(pair()).await }
}

fn pair() -> &'static Pair {
    &RSA
}

#[expect(clippy::disallowed_methods, reason = "tests are told where the servers are")]
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, which starts the servers for the tests")
    })
}

/// The MongoDB that stands alone.
pub(super) fn mongodb_url() -> String {
    told("TOKENWRIGHT_TEST_MONGODB_URL")
}

fn mongodb_host() -> String {
    let url = mongodb_url();
    let host = url.trim_start_matches("mongodb://");
    host.split('/').next().unwrap().to_owned()
}

/// The Redis that stands alone, as `host:port`.
pub(super) fn redis_host() -> String {
    told("TOKENWRIGHT_TEST_REDIS_URL").trim_start_matches("redis://").to_owned()
}
