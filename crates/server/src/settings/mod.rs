//! The configuration: read once, parsed into the words of the domain, handed out in pieces.

mod dialects;
mod published_keys;
mod reader;
mod sources;
mod stores;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{Audience, CatalogueMode, Issuer, KeyId, KeyState, SigningAlgorithm};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub(crate) use dialects::{DialectSettings, Dialects};
pub(crate) use published_keys::PublishedKeys;
pub(crate) use reader::Problem;
use reader::{Reader, unreadable};
pub(crate) use sources::Variables;
pub(crate) use stores::{Crud, KeyStore, Mongodb, Postgres, Redis, RedisMode, Store, Stores};

/// Everything an operator can choose. No field shows a secret in its `Debug` output.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// How many threads serve requests.
    pub(crate) workers: usize,
    /// The address others use, where it is not the one we listen on.
    pub(crate) public_url: Option<Url>,
    /// What stands before every path but those of the status routes; empty, or `/like/this`.
    pub(crate) service_prefix: String,
    /// What the status routes call our version.
    pub(crate) service_version: String,
    /// Where the embedded store and the keys made at first start lie.
    pub(crate) data_directory: PathBuf,
    /// Which store keeps what.
    pub(crate) stores: Stores,
    /// How to reach PostgreSQL; there whenever a store is PostgreSQL.
    pub(crate) postgres: Option<Postgres>,
    /// How to reach MongoDB; there whenever a store is MongoDB.
    pub(crate) mongodb: Option<Mongodb>,
    /// How to reach Redis; there whenever a store is Redis. Where it is not, it carries news.
    pub(crate) redis: Option<Redis>,
    /// How to reach the crud-service; there whenever clients are kept there.
    pub(crate) crud: Option<Crud>,
    /// What tokens are.
    pub(crate) tokens: Tokens,
    /// Whether only what is registered counts.
    pub(crate) catalogue_mode: CatalogueMode,
    /// How the service is spoken to.
    pub(crate) dialects: Dialects,
    /// How far the clocks of clients may differ from ours.
    pub(crate) clock_skew: Duration,
    /// The keys that sign tokens.
    pub(crate) keys: Keys,
    /// How secrets are hashed.
    pub(crate) secrets: Secrets,
    /// How keys are fetched that clients publish.
    pub(crate) published_keys: PublishedKeys,
    /// How much is remembered.
    pub(crate) cache: Cache,
    /// Who may register clients.
    pub(crate) registration: Registration,
    /// Who may manage them.
    pub(crate) management: Management,
    /// TLS, where we do it ourselves.
    pub(crate) tls: Option<Tls>,
    /// What is logged.
    pub(crate) log_level: LogLevel,
    /// Where traces go, if anywhere.
    pub(crate) otlp_endpoint: Option<Url>,
    /// How the process ends.
    pub(crate) shutdown: Shutdown,
    /// The bytes of the discovery document, where the operator wrote it.
    pub(crate) openid_configuration: Option<Vec<u8>>,
    /// What the operator should know, though it stops nothing.
    pub(crate) notices: Vec<String>,
}

/// What tokens are.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Who issues them; `None`: the address we are reached at.
    pub(crate) issuer: Option<Issuer>,
    /// How long they live.
    pub(crate) lifetime: Duration,
    /// How they are signed.
    pub(crate) algorithm: SigningAlgorithm,
    /// Whether a request must name an audience.
    pub(crate) is_audience_required: bool,
    /// Which audiences `/tokeninfo` accepts; empty: not checked.
    pub(crate) accepted_audiences: Vec<Audience>,
    /// Whom they are meant for where a request names nobody, in the dialects that have that.
    pub(crate) default_audience: Vec<Audience>,
    /// The algorithms that clients may be given beside `algorithm`.
    pub(crate) additional_algorithms: Vec<SigningAlgorithm>,
    /// How long they may live at most, whatever is chosen for a client or a dialect.
    pub(crate) longest_lifetime: Duration,
}

impl Tokens {
    /// Every algorithm that tokens are signed with, the usual one first.
    pub(crate) fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let mut all = vec![self.algorithm];
        for algorithm in &self.additional_algorithms {
            if !all.contains(algorithm) {
                all.push(*algorithm);
            }
        }
        all
    }
}

/// The keys that sign tokens.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The files, where the operator brings the keys.
    pub(crate) files: Vec<KeyFile>,
    /// What keys made by us are encrypted with, where they lie in files.
    pub(crate) password: Option<SecretString>,
    /// How long a key is published before it signs, and how long others may cache the JWKS.
    pub(crate) publish_before_use: Duration,
    /// How often the keys are read again.
    pub(crate) refresh: Duration,
    /// How long a key signs until the next one takes its turn; `None`: until it is told to.
    pub(crate) rotate_every: Option<Duration>,
    /// How far the clocks of nodes may be apart.
    pub(crate) clock_skew: Duration,
}

/// A key the operator brings.
#[derive(Debug)]
pub(crate) struct KeyFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its name.
    pub(crate) id: KeyId,
    /// What it is for.
    pub(crate) algorithm: SigningAlgorithm,
    /// What it is doing.
    pub(crate) state: KeyState,
    /// What it is encrypted with, if it is.
    pub(crate) password: Option<SecretString>,
}

/// How secrets are hashed.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The scheme of new hashes.
    pub(crate) scheme: Scheme,
    /// The key of `keyed` hashes.
    pub(crate) pepper: Option<SecretString>,
    /// The key of secrets that are sealed.
    pub(crate) sealing_key: Option<SecretString>,
    /// How many hashes are computed at a time.
    pub(crate) workers: usize,
    /// How many may wait.
    pub(crate) queue: usize,
    /// How long before their end secrets are warned of; `None`: never.
    pub(crate) warn_before: Option<Duration>,
}

/// The scheme of new hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// bcrypt.
    Bcrypt {
        /// The binary logarithm of the number of rounds.
        cost: u32,
    },
    /// Argon2id.
    Argon2id {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over it.
        iterations: u32,
        /// Lanes.
        parallelism: u32,
    },
    /// HMAC-SHA-256 under a pepper.
    Keyed,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cache {
    /// How many clients.
    pub(crate) capacity: u64,
    /// For how long without asking the store: the bound for changes made by others.
    pub(crate) fresh: Duration,
    /// For how long while the store is out.
    pub(crate) stale: Duration,
}

/// Who may register clients.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Who may.
    pub(crate) mode: RegistrationMode,
    /// The algorithms a client's key may be for.
    pub(crate) key_algorithms: Vec<SigningAlgorithm>,
    /// Whether clients manage what they registered at `/oauth2/register` (RFC 7592).
    pub(crate) is_managed: bool,
    /// How many registrations one address may make in a minute, and how many wrong tokens it may bring
    /// to registrations; 0: as many as it likes.
    pub(crate) per_minute: u32,
}

/// Who may register clients.
#[derive(Debug)]
pub(crate) enum RegistrationMode {
    /// Anybody.
    Open,
    /// Whoever brings this token (RFC 7591 section 3).
    Token(SecretString),
    /// Nobody.
    Off,
}

/// Who may manage clients.
#[derive(Debug)]
pub(crate) enum Management {
    /// Whoever brings the token of the first start, or one of ours with the scope.
    Bootstrap,
    /// Whoever brings this token, or one of ours with the scope.
    Token(SecretString),
    /// Anybody who reaches the routes.
    None,
}

/// TLS, where we do it ourselves.
#[derive(Debug)]
pub(crate) struct Tls {
    /// The certificate chain, PEM.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    /// Everything, each request when it comes in.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What the server does, each request when it is done.
    Info,
    /// What works less well than it should.
    Warn,
    /// What somebody must act on.
    Error,
    /// What ends the process.
    Fatal,
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shutdown {
    /// How long requests are still taken after SIGTERM, while we say that we are not ready.
    pub(crate) delay: Duration,
    /// How long requests may take to finish after that.
    pub(crate) drain: Duration,
}

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

const ALGORITHMS: [(&str, SigningAlgorithm); 4] = [
    ("RS256", SigningAlgorithm::Rs256),
    ("PS256", SigningAlgorithm::Ps256),
    ("ES256", SigningAlgorithm::Es256),
    ("EdDSA", SigningAlgorithm::EdDsa),
];

impl Settings {
    /// Reads the configuration from `file` (`tokenwright.toml` in the working directory, if it is
    /// there and none is named) and the environment.
    ///
    /// # Errors
    ///
    /// Every mistake there is, not only the first.
    pub(crate) fn read(file: Option<&Path>, environment: &Variables) -> Result<Self, Vec<Problem>> {
        let sources::Merged { root, mut problems, notices } = sources::merged(file, environment);
        let mut reader = Reader::new(root);
        let settings = Self::from_reader(&mut reader, notices);
        // What a variable of the vendor would have set is told by that name, and once.
        let told: Vec<_> = problems.iter().filter_map(|it| sources::key_of(&it.key)).collect();
        let is_news = |it: &Problem| it.origin.is_some() || !told.contains(&it.key.as_str());
        problems.extend(reader.finish().into_iter().filter(is_news));
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn from_reader(reader: &mut Reader, mut notices: Vec<String>) -> Self {
        let stores = Stores::read(reader);
        let tokens = tokens(reader);
        let dialects = Dialects::read(reader, tokens.longest_lifetime);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let clock_skew = reader.number("assertions.clock_skew_seconds", 0..=300, 0);
        Self {
            listen: listen(reader, &mut notices),
            workers: to_usize(reader.number("workers", 1..=1_024, cores as u64)),
            public_url: http_url(reader, "public_url"),
            service_prefix: service_prefix(reader),
            service_version: reader
                .text("service_version")
                .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            data_directory: reader
                .text("data_directory")
                .unwrap_or_else(|| "tokenwright-data".to_owned())
                .into(),
            stores,
            postgres: Postgres::read(reader, stores.uses(Store::Postgres)),
            mongodb: Mongodb::read(reader, stores.uses(Store::Mongodb)),
            redis: Redis::read(reader, stores.uses(Store::Redis), &mut notices),
            crud: Crud::read(reader, stores.uses(Store::Crud)),
            tokens,
            catalogue_mode: reader.choice(
                "catalogue.mode",
                &[("open", CatalogueMode::Open), ("registered", CatalogueMode::Registered)],
                CatalogueMode::Open,
            ),
            dialects,
            clock_skew: Duration::from_secs(clock_skew),
            keys: keys(reader, &mut notices),
            secrets: secrets(reader, cores),
            published_keys: PublishedKeys::read(reader),
            cache: Cache {
                capacity: reader.number("cache.capacity", 1..=100_000_000, 100_000),
                fresh: Duration::from_secs(reader.number("cache.fresh_seconds", 1..=30, 10)),
                stale: Duration::from_secs(reader.number("cache.stale_seconds", 0..=DAY, 900)),
            },
            registration: registration(reader),
            management: management(reader, &mut notices),
            tls: tls(reader),
            log_level: reader.choice(
                "log.level",
                &[
                    ("trace", LogLevel::Trace),
                    ("debug", LogLevel::Debug),
                    ("info", LogLevel::Info),
                    ("warn", LogLevel::Warn),
                    ("error", LogLevel::Error),
                    ("fatal", LogLevel::Fatal),
                ],
                LogLevel::Info,
            ),
            otlp_endpoint: http_url(reader, "telemetry.otlp_endpoint"),
            shutdown: Shutdown {
                delay: Duration::from_secs(reader.number("shutdown.delay_seconds", 0..=600, 10)),
                drain: Duration::from_secs(reader.number("shutdown.drain_seconds", 1..=600, 30)),
            },
            openid_configuration: openid_configuration(reader),
            notices,
        }
    }

    /// Who issues tokens, if `address` is where we listen.
    #[must_use]
    pub(crate) fn issuer(&self, address: SocketAddr) -> Issuer {
        if let Some(issuer) = &self.tokens.issuer {
            return issuer.clone();
        }
        // RFC 8414 section 3.3: the metadata stand where the issuer says they do.
        let base_url = self.base_url(address);
        let prefix = self.service_prefix.as_str();
        let prefix = if base_url.ends_with(prefix) { "" } else { prefix };
        format!("{base_url}{prefix}").parse().unwrap_or_else(|_| {
            // A URL that parsed holds visible ASCII only, and ours are shorter than the limit.
            unreachable!("a base URL is always an issuer")
        })
    }

    /// The address others use: `public_url`, or the one we listen on, without a slash at its end.
    #[must_use]
    pub(crate) fn base_url(&self, address: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let port = address.port();
        match address.ip() {
            ip if ip.is_unspecified() => format!("{scheme}://localhost:{port}"),
            IpAddr::V4(ip) => format!("{scheme}://{ip}:{port}"),
            IpAddr::V6(ip) => format!("{scheme}://[{ip}]:{port}"),
        }
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn listen(reader: &mut Reader, notices: &mut Vec<String>) -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 3_000));
    let port = reader.has("http_port").then(|| reader.number("http_port", 0..=65_535, 3_000));
    match (listen_address(reader), port.and_then(|it| u16::try_from(it).ok())) {
        (Some(listen), Some(_)) if reader.origin("http_port") == Some("HTTP_PORT") => {
            notices.push(format!("HTTP_PORT has no effect, since listen is set to {listen}"));
            listen
        }
        (Some(listen), _) => listen,
        // Whoever sets the vendor's port expects the vendor's address: every interface.
        (None, Some(port)) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        (None, None) => default,
    }
}

fn listen_address(reader: &mut Reader) -> Option<SocketAddr> {
    let address = reader.text("listen")?.trim().parse().ok();
    if address.is_none() {
        reader.refuse("listen", "must be an address with a port: 127.0.0.1:3000 or [::1]:3000");
    }
    address
}

fn http_url(reader: &mut Reader, key: &str) -> Option<Url> {
    let is_fine = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.as_str().len() <= 500
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(reader.text(key)?.trim()).ok().filter(is_fine);
    if url.is_none() {
        reader.refuse(key, "must be an http or https URL without credentials, query and fragment");
    }
    url
}

fn service_prefix(reader: &mut Reader) -> String {
    let raw = reader.text("service_prefix").unwrap_or_default();
    let prefix = raw.trim().trim_matches('/');
    let is_fine = prefix.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~')
    });
    if !is_fine || prefix.split('/').any(|part| part == "..") || prefix.contains("//") {
        reader.refuse("service_prefix", "must be a path of letters, digits, - _ . ~ and /");
        return String::new();
    }
    if prefix.is_empty() { String::new() } else { format!("/{prefix}") }
}

fn tokens(reader: &mut Reader) -> Tokens {
    let lifetime = reader.number("tokens.lifetime_seconds", 1..=YEAR, 3_600);
    let longest = reader.number("tokens.longest_lifetime_seconds", 1..=YEAR, lifetime.max(7 * DAY));
    if longest < lifetime {
        reader.refuse(
            "tokens.longest_lifetime_seconds",
            "must not be less than tokens.lifetime_seconds",
        );
    }
    Tokens {
        issuer: reader.parsed("tokens.issuer"),
        lifetime: Duration::from_secs(lifetime),
        algorithm: reader.choice("tokens.algorithm", &ALGORITHMS, SigningAlgorithm::Rs256),
        is_audience_required: reader.boolean("tokens.audience_required", false),
        accepted_audiences: reader.list("tokens.accepted_audiences"),
        default_audience: reader.list("tokens.default_audience"),
        additional_algorithms: algorithms(reader, "tokens.additional_algorithms"),
        longest_lifetime: Duration::from_secs(longest),
    }
}

fn algorithms(reader: &mut Reader, key: &str) -> Vec<SigningAlgorithm> {
    let mut algorithms = Vec::new();
    for name in reader.list::<String>(key) {
        match SigningAlgorithm::from_name(&name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => reader.refuse(key, "must be some of RS256, PS256, ES256, EdDSA"),
        }
    }
    algorithms
}

fn keys(reader: &mut Reader, notices: &mut Vec<String>) -> Keys {
    const STATES: [(&str, KeyState); 3] =
        [("next", KeyState::Next), ("active", KeyState::Active), ("retired", KeyState::Retired)];
    let mut files = reader.tables("keys.files", |reader, at| {
        let key = |name: &str| format!("{at}.{name}");
        let (path, id) = (reader.text(&key("path")), reader.parsed(&key("kid")));
        for (name, is_there) in [("path", path.is_some()), ("kid", id.is_some())] {
            if !is_there && !reader.has(&key(name)) {
                reader.refuse(&key(name), "is required");
            }
        }
        let algorithm = reader.choice(&key("algorithm"), &ALGORITHMS, SigningAlgorithm::Rs256);
        let state = reader.choice(&key("state"), &STATES, KeyState::Active);
        let password = reader.secret(&key("password"));
        Some(KeyFile { path: path?.into(), id: id?, algorithm, state, password })
    });
    files.extend(vendor_key(reader));
    for (index, file) in files.iter().enumerate() {
        if files.iter().skip(index + 1).any(|other| other.id == file.id) {
            reader.refuse("keys.files", format!("two keys have the kid {}", file.id));
        }
    }
    if !files.is_empty() && reader.has("keys.rotate_every_seconds") {
        notices.push(
            "keys.rotate_every_seconds has no effect, since the keys are files: rotate them in \
             keys.files"
                .to_owned(),
        );
    }
    let rotate_every = reader.number("keys.rotate_every_seconds", 0..=5 * YEAR, 90 * DAY);
    Keys {
        files,
        rotate_every: (rotate_every != 0).then(|| Duration::from_secs(rotate_every)),
        clock_skew: Duration::from_secs(reader.number("keys.clock_skew_seconds", 0..=3_600, 300)),
        password: reader.secret("keys.password"),
        publish_before_use: Duration::from_secs(reader.number(
            "keys.publish_seconds",
            0..=30 * DAY,
            300,
        )),
        refresh: Duration::from_secs(reader.number("keys.refresh_seconds", 1..=300, 5)),
    }
}

/// The one key of the vendor's environment: `PRIVATE_RSA_KEY_FILE_PATH` and its companions.
fn vendor_key(reader: &mut Reader) -> Option<KeyFile> {
    let path = reader.text("keys.rsa_path");
    let id = reader.parsed("keys.rsa_kid");
    let password = reader.secret("keys.rsa_password");
    let (has_path, has_id) = (reader.has("keys.rsa_path"), reader.has("keys.rsa_kid"));
    if has_path && !has_id {
        reader.refuse("keys.rsa_kid", "PRIVATE_RSA_KEY_ID is required beside the key file");
    }
    if has_id && !has_path {
        reader.refuse("keys.rsa_path", "PRIVATE_RSA_KEY_FILE_PATH is required beside the key id");
    }
    let (algorithm, state) = (SigningAlgorithm::Rs256, KeyState::Active);
    Some(KeyFile { path: path?.into(), id: id?, algorithm, state, password })
}

fn secrets(reader: &mut Reader, cores: usize) -> Secrets {
    #[derive(Clone, Copy, PartialEq)]
    enum Name {
        Bcrypt,
        Argon2id,
        Keyed,
    }
    let names = [("bcrypt", Name::Bcrypt), ("argon2id", Name::Argon2id), ("keyed", Name::Keyed)];
    let name = reader.choice("secrets.scheme", &names, Name::Bcrypt);
    let cost = to_u32(reader.number("secrets.bcrypt_cost", 4..=15, 10));
    let memory_kib =
        to_u32(reader.number("secrets.argon2id_memory_kib", 8_192..=1_048_576, 19_456));
    let iterations = to_u32(reader.number("secrets.argon2id_iterations", 1..=100, 2));
    let parallelism = to_u32(reader.number("secrets.argon2id_parallelism", 1..=64, 1));
    let pepper = reader.secret("secrets.pepper");
    if pepper.as_ref().is_some_and(|it| it.expose_secret().len() < 32) {
        reader.refuse("secrets.pepper", "must have at least 32 characters: openssl rand -hex 32");
    }
    if name == Name::Keyed && pepper.is_none() {
        reader.refuse(
            "secrets.pepper",
            "is required for secrets.scheme = \"keyed\": openssl rand -hex 32",
        );
    }
    let sealing_key = reader.secret("secrets.sealing_key");
    if sealing_key.as_ref().is_some_and(|it| it.expose_secret().len() < 32) {
        reader.refuse(
            "secrets.sealing_key",
            "must have at least 32 characters: openssl rand -hex 32",
        );
    }
    Secrets {
        scheme: match name {
            Name::Bcrypt => Scheme::Bcrypt { cost },
            Name::Argon2id => Scheme::Argon2id { memory_kib, iterations, parallelism },
            Name::Keyed => Scheme::Keyed,
        },
        pepper,
        sealing_key,
        workers: to_usize(reader.number("hashing.workers", 1..=1_024, cores as u64)),
        queue: to_usize(reader.number("hashing.queue", 1..=100_000, 64)),
        warn_before: match reader.number("secrets.warn_before_seconds", 0..=YEAR, 7 * DAY) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        },
    }
}

fn registration(reader: &mut Reader) -> Registration {
    #[derive(Clone, Copy, PartialEq)]
    enum Name {
        Open,
        Token,
        Off,
    }
    let names = [("open", Name::Open), ("token", Name::Token), ("off", Name::Off)];
    let name = reader.choice("registration.mode", &names, Name::Open);
    let token = reader.secret("registration.token");
    if token.as_ref().is_some_and(|it| !is_bearer_token(it) || it.expose_secret().len() < 16) {
        reader.refuse(
            "registration.token",
            format!("must have at least 16 characters, and {NOT_BEARER}"),
        );
    }
    let mode = match (name, token) {
        (Name::Open, _) => RegistrationMode::Open,
        (Name::Off, _) => RegistrationMode::Off,
        (Name::Token, Some(token)) => RegistrationMode::Token(token),
        (Name::Token, None) => {
            reader.refuse("registration.token", "is required for registration.mode = \"token\"");
            RegistrationMode::Off
        }
    };
    let mut key_algorithms = algorithms(reader, "registration.key_algorithms");
    if key_algorithms.is_empty() {
        key_algorithms.push(SigningAlgorithm::Rs256);
    }
    Registration {
        mode,
        key_algorithms,
        is_managed: reader.boolean("registration.management", true),
        per_minute: to_u32(reader.number("limits.registrations_per_minute", 0..=1_000_000, 120)),
    }
}

/// A text that can be sent as a bearer token (`b64token`, RFC 6750 section 2.1).
fn is_bearer_token(token: &SecretString) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    !token.expose_secret().is_empty() && token.expose_secret().bytes().all(is_allowed)
}

const NOT_BEARER: &str =
    "may hold letters, digits and - . _ ~ + / = only, since it is sent as a bearer token";

fn management(reader: &mut Reader, notices: &mut Vec<String>) -> Management {
    let is_open =
        reader.choice("management.authentication", &[("token", false), ("none", true)], false);
    let token = reader.secret("management.token");
    if token.as_ref().is_some_and(|it| !is_bearer_token(it)) {
        reader.refuse("management.token", NOT_BEARER);
    }
    if token.as_ref().is_some_and(|it| it.expose_secret().len() < 16) {
        reader.refuse("management.token", "must have at least 16 characters: openssl rand -hex 32");
    }
    match (is_open, token) {
        (true, _) => {
            notices.push(
                "management.authentication is none: whoever reaches /clients can make, change and \
                 delete every client and register what they like, and whoever reaches /keys can \
                 replace the signing keys"
                    .to_owned(),
            );
            Management::None
        }
        (false, Some(token)) => Management::Token(token),
        (false, None) => Management::Bootstrap,
    }
}

fn tls(reader: &mut Reader) -> Option<Tls> {
    let (certificate, key) = (reader.text("tls.certificate"), reader.text("tls.key"));
    match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some(Tls { certificate: certificate.into(), key: key.into() })
        }
        (Some(_), None) => {
            reader.refuse("tls.key", "is required beside tls.certificate: a PEM file");
            None
        }
        (None, Some(_)) => {
            reader.refuse("tls.certificate", "is required beside tls.key: a PEM file");
            None
        }
    }
}

/// The members a discovery document must have (OpenID Connect Discovery section 3).
const REQUIRED: [&str; 6] = [
    "issuer",
    "token_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
];

fn openid_configuration(reader: &mut Reader) -> Option<Vec<u8>> {
    const KEY: &str = "openid_configuration_path";
    let path = reader.text(KEY)?;
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            reader.refuse(KEY, unreadable(&path, &error));
            return None;
        }
    };
    let Ok(document) = domain::parse_object(&bytes) else {
        reader.refuse(KEY, format!("the file {path} is not a JSON object"));
        return None;
    };
    let missing: Vec<_> =
        REQUIRED.into_iter().filter(|member| !document.contains_key(*member)).collect();
    if !missing.is_empty() {
        reader.refuse(KEY, format!("the file {path} lacks {}", missing.join(", ")));
        return None;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        let mut reader = Reader::new(config::Map::new());
        Settings::from_reader(&mut reader, Vec::new());
        let documented = include_str!("../../../../docs/configuration.md");

        let missing: Vec<&str> = reader
            .known_keys()
            // A secret has a file beside it, which the page says once for all.
            .filter(|key| !key.ends_with("_file"))
            .filter(|key| !documented.contains(&format!("`{key}`")))
            .collect();

        assert!(missing.is_empty(), "docs/configuration.md does not tell of {missing:?}");
    }

    #[test]
    fn every_name_of_the_vendor_is_documented() {
        let documented = include_str!("../../../../docs/configuration.md");
        for name in sources::known_names() {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn where_nothing_is_set_the_defaults_are_right() {
        let settings = Settings::read(None, &Variables::default()).unwrap();

        assert_eq!(settings.listen.to_string(), "127.0.0.1:3000");
        assert_eq!(settings.stores.clients, Store::Sqlite);
        assert_eq!(settings.stores.keys, KeyStore::Directory);
        assert_eq!(settings.issuer(settings.listen).as_str(), "http://127.0.0.1:3000");
    }

    #[test]
    fn with_the_vendors_variables_and_nothing_else_it_is_as_the_vendors_service() {
        let variables = Variables::from([
            ("CRUD_CLIENT_BASE_URL", "http://crud-service/clients"),
            ("CLIENT_ID_HASH_SALT", "salt"),
            ("CREDENTIALS_MONGODB_URL", "mongodb://mongo-1:27017,mongo-2:27017/db"),
            ("PRIVATE_RSA_KEY_FILE_PATH", "private.pem"),
            ("PRIVATE_RSA_KEY_ID", "kid"),
            ("MIA_JWT_ISSUER", "issuer"),
            ("MIA_JWT_EXPIRES_IN", "600"),
            ("REDIS_HOSTS", "sentinel-1:26379,sentinel-2:26379"),
            ("REDIS_MODE", "sentinel"),
            ("REDIS_MASTER_NAME", "mymaster"),
        ]);

        let settings = Settings::read(None, &variables).unwrap();

        assert_eq!(settings.listen.to_string(), "0.0.0.0:3000");
        let Stores { clients, credentials, tokens, replay, .. } = settings.stores;
        assert_eq!((clients, credentials), (Store::Crud, Store::Mongodb));
        assert_eq!((tokens, replay), (Store::Redis, Store::Redis));
        assert_eq!(settings.registration.per_minute, 0);
        let dialects = &settings.dialects;
        assert!(dialects.mia.is_some() && dialects.standard.is_some());
        assert!(dialects.curity.is_none() && dialects.id_service.is_none());
        let redis = settings.redis.unwrap();
        assert_eq!((redis.hosts.len(), redis.replicas_to_wait_for), (2, None));
        let forwarded = settings.crud.unwrap().forwarded_headers;
        for name in ["x-request-id", "request-id", "x-forwarded-host", "miauserid", "miausergroups"]
        {
            assert!(forwarded.iter().any(|it| it == name), "{name}");
        }
        assert_eq!(settings.mongodb.unwrap().credentials_collection, "credentials");
    }

    /// Whoever says more than the vendor's variables can is believed.
    #[test]
    fn what_is_said_wins_over_the_vendors_choices() {
        let variables = Variables::from([
            ("CRUD_CLIENT_BASE_URL", "http://crud-service/clients"),
            ("CLIENT_ID_HASH_SALT", "salt"),
            ("CREDENTIALS_MONGODB_URL", "mongodb://mongo/db"),
            ("PRIVATE_RSA_KEY_FILE_PATH", "private.pem"),
            ("PRIVATE_RSA_KEY_ID", "kid"),
            ("TOKENWRIGHT__TOKENS__ISSUER", "issuer"),
            ("MIA_JWT_EXPIRES_IN", "600"),
            ("REDIS_HOSTS", "redis:6379"),
            ("TOKENWRIGHT__STORES__TOKENS", "mongodb"),
            ("TOKENWRIGHT__LISTEN", "127.0.0.1:8080"),
        ]);

        let settings = Settings::read(None, &variables).unwrap();

        assert_eq!(
            (settings.stores.tokens, settings.stores.replay),
            (Store::Mongodb, Store::Redis)
        );
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert!(settings.notices.is_empty(), "{:?}", settings.notices);
    }

    #[test]
    fn the_environment_wins_over_the_vendors_names() {
        let variables = Variables::from([
            ("MIA_JWT_ISSUER", "the vendor's"),
            ("TOKENWRIGHT__TOKENS__ISSUER", "ours"),
            ("HTTP_PORT", "8080"),
            ("SERVICE_PREFIX", "/foo/"),
        ]);

        let settings = Settings::read(None, &variables).unwrap();

        assert_eq!(settings.tokens.issuer.unwrap().as_str(), "ours");
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(settings.service_prefix, "/foo");
    }
}
