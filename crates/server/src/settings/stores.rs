//! Which store keeps what, and how each is reached.

use std::fs;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reader::{Reader, unreadable};
use super::to_u32;

/// A place to keep things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// One file in the data directory.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
    /// A MongoDB database.
    Mongodb,
    /// Redis: for what is short-lived.
    Redis,
    /// A collection of a crud-service: for clients.
    Crud,
    /// This process: gone when it ends.
    Memory,
}

impl Store {
    /// Its name in the configuration, and in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mongodb => "mongodb",
            Self::Redis => "redis",
            Self::Crud => "crud",
            Self::Memory => "memory",
        }
    }
}

/// A place to keep keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStore {
    /// PEM files in the data directory, made at first start.
    Directory,
    /// One of the stores.
    In(Store),
}

/// Which store keeps what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stores {
    /// Where clients are kept.
    pub(crate) clients: Store,
    /// Where the hashes of secrets are kept.
    pub(crate) credentials: Store,
    /// Where revocations are kept.
    pub(crate) tokens: Store,
    /// Where used assertions are kept.
    pub(crate) replay: Store,
    /// Where keys are kept, unless `keys.files` names them.
    pub(crate) keys: KeyStore,
}

impl Stores {
    /// Whether anything is kept in `store`.
    pub(crate) fn uses(self, store: Store) -> bool {
        [self.clients, self.credentials, self.tokens, self.replay].contains(&store)
            || self.keys == KeyStore::In(store)
    }

    pub(super) fn read(reader: &mut Reader) -> Self {
        let named = |stores: &[Store]| stores.iter().map(|it| (it.name(), *it)).collect::<Vec<_>>();
        let general = named(&[Store::Sqlite, Store::Postgres, Store::Mongodb, Store::Memory]);
        let clients =
            named(&[Store::Sqlite, Store::Postgres, Store::Mongodb, Store::Crud, Store::Memory]);
        let short_lived =
            named(&[Store::Sqlite, Store::Postgres, Store::Mongodb, Store::Redis, Store::Memory]);
        let mut keys = vec![("directory", KeyStore::Directory)];
        keys.extend(general.iter().map(|(name, store)| (*name, KeyStore::In(*store))));
        let default = reader.choice("stores.default", &general, Store::Sqlite);
        // Several nodes share a database and must share their keys; one node has a directory.
        let default_keys =
            if default == Store::Sqlite { KeyStore::Directory } else { KeyStore::In(default) };
        Self {
            clients: reader.choice("stores.clients", &clients, default),
            credentials: reader.choice("stores.credentials", &general, default),
            tokens: reader.choice("stores.tokens", &short_lived, default),
            replay: reader.choice("stores.replay", &short_lived, default),
            keys: reader.choice("stores.keys", &keys, default_keys),
        }
    }
}

/// How to reach PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// The connection URL, which may hold a password.
    pub(crate) url: SecretString,
    /// The most connections.
    pub(crate) max_connections: u32,
    /// How long a statement, or a connection, may take.
    pub(crate) timeout: Duration,
}

impl Postgres {
    pub(super) fn read(reader: &mut Reader, is_used: bool) -> Option<Self> {
        const FORM: &str = "postgres://user:password@host:5432/database";
        let url = reader.secret("postgres.url");
        let max_connections = to_u32(reader.number("postgres.max_connections", 1..=1_000, 10));
        let timeout = Duration::from_secs(reader.number("postgres.timeout_seconds", 1..=6, 5));
        require(reader, "postgres.url", is_used && url.is_none(), "postgres", FORM);
        let url = with_scheme(reader, "postgres.url", url, &["postgres", "postgresql"], FORM)?;
        Some(Self { url, max_connections, timeout })
    }
}

/// How to reach MongoDB.
#[derive(Debug)]
pub(crate) struct Mongodb {
    /// The connection URL, which may hold a password.
    pub(crate) url: SecretString,
    /// The database, where it is not the URL's.
    pub(crate) database: Option<String>,
    /// The collection of the hashes of secrets.
    pub(crate) credentials_collection: String,
    /// What client ids are hashed with there, if they are.
    pub(crate) client_id_salt: Option<SecretString>,
    /// How long a call may take.
    pub(crate) timeout: Duration,
}

impl Mongodb {
    pub(super) fn read(reader: &mut Reader, is_used: bool) -> Option<Self> {
        const FORM: &str = "mongodb://user:password@host:27017/database?replicaSet=rs0";
        let url = reader.secret("mongodb.url");
        let database = reader.text("mongodb.database");
        let collection = reader.text("mongodb.credentials_collection");
        let client_id_salt = reader.secret("mongodb.client_id_salt");
        let timeout = Duration::from_secs(reader.number("mongodb.timeout_seconds", 1..=4, 4));
        require(reader, "mongodb.url", is_used && url.is_none(), "mongodb", FORM);
        // What MongoDB itself forbids in such names, and what only makes trouble.
        let is_name = |name: &str| {
            name.len() <= 63
                && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        };
        let is_collection = |name: &str| {
            is_name(&name.replace('.', "_"))
                && !name.starts_with("system.")
                && !name.starts_with('.')
        };
        if database.as_deref().is_some_and(|it| !is_name(it)) {
            reader.refuse("mongodb.database", "may have 63 letters, digits, - and _");
        }
        if collection.as_deref().is_some_and(|it| !is_collection(it)) {
            reader.refuse(
                "mongodb.credentials_collection",
                "may have 63 letters, digits, - _ and . (not at its start, and not system.)",
            );
        }
        let url = with_scheme(reader, "mongodb.url", url, &["mongodb", "mongodb+srv"], FORM)?;
        let credentials_collection = collection.unwrap_or_else(|| "credentials".to_owned());
        Some(Self { url, database, credentials_collection, client_id_salt, timeout })
    }
}

/// How to reach Redis.
#[derive(Debug)]
pub(crate) struct Redis {
    /// `host:port` of the server, of the sentinels, or of nodes of the cluster.
    pub(crate) hosts: Vec<String>,
    /// What they are.
    pub(crate) mode: RedisMode,
    /// The user of the servers.
    pub(crate) username: Option<String>,
    /// The user's password.
    pub(crate) password: Option<SecretString>,
    /// The number of the database.
    pub(crate) database: u32,
    /// TLS, where it is on.
    pub(crate) tls: Option<RedisTls>,
    /// What every key and channel begins with.
    pub(crate) key_prefix: String,
    /// The most connections.
    pub(crate) max_connections: usize,
    /// How many replicas must have a write before it counts; `None`: all that could take over.
    pub(crate) replicas_to_wait_for: Option<u32>,
}

/// What the hosts of Redis are.
#[derive(Debug)]
pub(crate) enum RedisMode {
    /// One server.
    Standalone,
    /// Sentinels, which know the master.
    Sentinel {
        /// What they call it.
        master_name: String,
        /// The sentinels' own user.
        username: Option<String>,
        /// That user's password.
        password: Option<SecretString>,
    },
    /// Nodes of a cluster.
    Cluster,
}

/// How Redis is spoken to over TLS.
#[derive(Debug)]
pub(crate) struct RedisTls {
    /// The authorities that may vouch for the servers, PEM; `None`: those of the system.
    pub(crate) authorities: Option<Vec<u8>>,
    /// Our own certificate and its key, PEM.
    pub(crate) identity: Option<(Vec<u8>, SecretString)>,
}

impl Redis {
    pub(super) fn read(
        reader: &mut Reader,
        is_used: bool,
        notices: &mut Vec<String>,
    ) -> Option<Self> {
        let hosts = hosts(reader);
        require(reader, "redis.hosts", is_used && !reader.has("redis.hosts"), "redis", "host:6379");
        let mode = mode(reader, notices);
        let (database, is_cluster) =
            (reader.number("redis.database", 0..=1_000_000, 0), matches!(mode, RedisMode::Cluster));
        if is_cluster && database != 0 {
            reader.refuse("redis.database", "must be 0: a cluster has no other");
        }
        if hosts.len() > 1 && matches!(mode, RedisMode::Standalone) {
            reader.refuse(
                "redis.hosts",
                "several hosts need redis.mode (REDIS_MODE) sentinel or cluster",
            );
        }
        let (username, password) = (reader.text("redis.username"), reader.secret("redis.password"));
        if username.is_some() && password.is_none() {
            reader.refuse("redis.username", "needs redis.password (REDIS_PASSWORD), too");
        }
        let redis = Self {
            username,
            password,
            database: to_u32(database),
            tls: redis_tls(reader, notices),
            key_prefix: key_prefix(reader),
            max_connections: super::to_usize(reader.number("redis.max_connections", 1..=1_000, 8)),
            replicas_to_wait_for: replicas_to_wait_for(reader),
            hosts,
            mode,
        };
        (!redis.hosts.is_empty()).then_some(redis)
    }
}

fn replicas_to_wait_for(reader: &mut Reader) -> Option<u32> {
    const KEY: &str = "redis.replicas_to_wait_for";
    let text = reader.text(KEY)?;
    if text.trim() == "auto" {
        return None;
    }
    let number = text.trim().parse().ok().filter(|it| *it <= 100);
    if number.is_none() {
        reader.refuse(KEY, "must be auto, or a whole number from 0 to 100");
    }
    number
}

fn hosts(reader: &mut Reader) -> Vec<String> {
    let hosts: Vec<String> = reader.list("redis.hosts");
    let is_host = |host: &String| {
        host.rsplit_once(':').is_some_and(|(name, port)| {
            !name.is_empty()
                && name.bytes().all(|it| {
                    it.is_ascii_alphanumeric()
                        || matches!(it, b'.' | b'-' | b'_' | b':' | b'[' | b']')
                })
                && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
    };
    if !hosts.iter().all(is_host) || (hosts.is_empty() && reader.has("redis.hosts")) {
        reader.refuse("redis.hosts", "must be host:port, several with commas between them");
        return Vec::new();
    }
    hosts
}

fn mode(reader: &mut Reader, notices: &mut Vec<String>) -> RedisMode {
    #[derive(Clone, Copy, PartialEq)]
    enum Name {
        Normal,
        Sentinel,
        Cluster,
    }
    let names =
        [("normal", Name::Normal), ("sentinel", Name::Sentinel), ("cluster", Name::Cluster)];
    let name = reader.choice("redis.mode", &names, Name::Normal);
    let master_name = reader.text("redis.master_name");
    let username = reader.text("redis.sentinel_username");
    let password = reader.secret("redis.sentinel_password");
    if name != Name::Sentinel {
        for (key, is_set) in [
            ("redis.master_name (REDIS_MASTER_NAME)", master_name.is_some()),
            ("redis.sentinel_username (REDIS_SENTINEL_USERNAME)", username.is_some()),
            ("redis.sentinel_password (REDIS_SENTINEL_PASSWORD)", password.is_some()),
        ] {
            if is_set {
                notices
                    .push(format!("{key} has no effect: redis.mode (REDIS_MODE) is not sentinel"));
            }
        }
    }
    match (name, master_name) {
        (Name::Normal, _) => RedisMode::Standalone,
        (Name::Cluster, _) => RedisMode::Cluster,
        (Name::Sentinel, Some(master_name)) => {
            RedisMode::Sentinel { master_name, username, password }
        }
        (Name::Sentinel, None) => {
            reader.refuse(
                "redis.master_name",
                "REDIS_MASTER_NAME is required with sentinels: what they call the master",
            );
            RedisMode::Standalone
        }
    }
}

fn redis_tls(reader: &mut Reader, notices: &mut Vec<String>) -> Option<RedisTls> {
    let is_on = reader.boolean("redis.tls", false);
    let paths = ["redis.tls_ca", "redis.tls_certificate", "redis.tls_key"];
    let [ca, certificate, key] = paths.map(|path| reader.text(path).map(|it| (path, it)));
    if !is_on {
        for (path, _) in [ca, certificate, key].into_iter().flatten() {
            notices.push(format!("{path} has no effect without redis.tls (REDIS_TLS)"));
        }
        return None;
    }
    if certificate.is_some() != key.is_some() {
        reader.refuse("redis.tls_certificate", "and redis.tls_key are required together");
    }
    let mut file = |named: Option<(&str, String)>| {
        let (name, path) = named?;
        let read = fs::read(&path);
        read.map_err(|error| reader.refuse(name, unreadable(&path, &error))).ok()
    };
    let (authorities, certificate, key) = (file(ca), file(certificate), file(key));
    let key = key.and_then(|it| {
        let text = String::from_utf8(it);
        text.map_err(|_| reader.refuse("redis.tls_key", "is not a PEM file: it is no text")).ok()
    });
    let key = key.map(SecretString::from);
    Some(RedisTls { authorities, identity: certificate.zip(key) })
}

fn key_prefix(reader: &mut Reader) -> String {
    let prefix = reader.text("redis.key_prefix").unwrap_or_else(|| "tokenwright:".to_owned());
    let is_fine = |it: u8| it.is_ascii_graphic() && !matches!(it, b'{' | b'}' | b'*' | b'?');
    if prefix.len() > 64 || !prefix.bytes().all(is_fine) {
        reader.refuse("redis.key_prefix", "may have 64 visible characters, without { } * ?");
    }
    prefix
}

/// How to reach a crud-service.
#[derive(Debug)]
pub(crate) struct Crud {
    /// The collection of clients.
    pub(crate) base_url: Url,
    /// How long a call may take.
    pub(crate) timeout: Duration,
    /// The headers of a request that go on to the crud-service, in lower case.
    pub(crate) forwarded_headers: Vec<String>,
}

/// What always goes on to the crud-service.
const ALWAYS_FORWARDED: [&str; 5] =
    ["request-id", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

impl Crud {
    pub(super) fn read(reader: &mut Reader, is_used: bool) -> Option<Self> {
        const FORM: &str = "http://crud-service/clients";
        let timeout = Duration::from_secs(reader.number("crud.timeout_seconds", 1..=4, 3));
        let forwarded_headers = forwarded_headers(reader);
        let text = reader.text("crud.base_url");
        require(reader, "crud.base_url", is_used && text.is_none(), "crud", FORM);
        let is_fine = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.has_host()
                // Nothing sends them, and they would be seen where the address is told.
                && url.username().is_empty()
                && url.password().is_none()
        };
        let base_url = Url::parse(text?.trim()).ok().filter(is_fine);
        if base_url.is_none() {
            reader.refuse(
                "crud.base_url",
                format!("must be the URL of a collection, without user and password: {FORM}"),
            );
        }
        Some(Self { base_url: base_url?, timeout, forwarded_headers })
    }
}

fn forwarded_headers(reader: &mut Reader) -> Vec<String> {
    let user = reader.text("crud.user_id_header").unwrap_or_else(|| "miauserid".to_owned());
    let mut more: Vec<String> = reader.list("crud.forwarded_headers");
    if !reader.has("crud.forwarded_headers") {
        more = ["miauserid", "miausergroups", "miauserproperties"].map(str::to_owned).to_vec();
    }
    let is_name = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
    };
    // Whoever may send them on gives away what proves who is asking.
    let is_secret = |name: &String| {
        ["authorization", "cookie", "proxy-authorization"]
            .iter()
            .any(|it| name.eq_ignore_ascii_case(it))
    };
    for (key, names) in
        [("crud.user_id_header", std::slice::from_ref(&user)), ("crud.forwarded_headers", &more)]
    {
        if !names.iter().all(is_name) {
            reader.refuse(key, "must be names of headers");
        } else if names.iter().any(is_secret) {
            reader.refuse(key, "may not name Authorization, Proxy-Authorization or Cookie");
        }
    }
    let mut names: Vec<String> = ALWAYS_FORWARDED.map(str::to_owned).to_vec();
    names.extend(std::iter::once(user).chain(more).map(|it| it.trim().to_ascii_lowercase()));
    names.sort();
    names.dedup();
    names
}

fn require(reader: &mut Reader, key: &str, is_missing: bool, store: &str, form: &str) {
    if is_missing {
        reader.refuse(key, format!("is required while a store is {store}: {form}"));
    }
}

fn with_scheme(
    reader: &mut Reader,
    key: &str,
    url: Option<SecretString>,
    schemes: &[&str],
    form: &str,
) -> Option<SecretString> {
    let url = url?;
    // Several hosts with commas between them are no URL to anybody but MongoDB.
    let is_url = url
        .expose_secret()
        .split_once("://")
        .is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty());
    let is_parsed = schemes.contains(&"mongodb") || Url::parse(url.expose_secret()).is_ok();
    if !is_url || !is_parsed {
        reader.refuse(key, format!("must be a URL: {form}"));
        return None;
    }
    Some(url)
}
