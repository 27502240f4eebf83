//! How servers are reached, and where tokens are kept.

use std::fmt;
use std::time::Duration;

use domain::ClientSecret;
use url::Url;

use super::section::Section;

/// How an authorization server is reached.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Where this stands in the configuration, for what the adapter finds wrong with certificates.
    pub path: String,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long all tries may take.
    pub total_timeout: Duration,
    /// How many tries follow the first.
    pub max_retries: u32,
    /// Authorities beside those of the system, in PEM.
    pub certificate_authorities: Option<Box<str>>,
    /// What we show to the server.
    pub client_certificate: Option<CertificateSettings>,
    /// The server's certificate is verified.
    pub verifies_certificates: bool,
    /// Connections are kept.
    pub keeps_alive: bool,
    /// An HTTP proxy on the way.
    pub proxy: Option<Url>,
}

/// A certificate with its key, both in PEM.
#[derive(Clone, Debug)]
pub struct CertificateSettings {
    /// The certificate, and those that lead to an authority.
    pub certificates: Box<str>,
    /// Its private key.
    pub key: ClientSecret,
}

/// Where tokens are kept.
#[derive(Clone, Debug)]
pub enum CachingSettings {
    /// Nowhere: one call a request.
    Off,
    /// In this process.
    Memory,
    /// In Redis, for all gateways, and in this process before it.
    Store(Box<StoreSettings>),
}

/// A store that gateways share.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// What the names of all keys begin with.
    pub key_prefix: Box<str>,
    /// What tokens are encrypted with: 16, 24 or 32 bytes.
    pub secret: ClientSecret,
    /// The store.
    pub redis: RedisSettings,
}

/// How Redis is reached.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Where it listens, `host:port`; of sentinels, where they listen.
    pub endpoints: Vec<Box<str>>,
    /// Who we are to the data nodes.
    pub username: Option<Box<str>>,
    /// The password of that user.
    pub password: Option<ClientSecret>,
    /// The database; 0 in a cluster.
    pub database: u32,
    /// One server, a cluster, or sentinels.
    pub topology: RedisTopology,
    /// TLS, where it is spoken.
    pub tls: Option<RedisTlsSettings>,
}

/// How the servers of Redis stand to each other.
#[derive(Clone, Debug)]
pub enum RedisTopology {
    /// One server.
    Standalone,
    /// A cluster.
    Cluster,
    /// Behind sentinels.
    Sentinel {
        /// What they call the master.
        master_set: Box<str>,
        /// Who we are to the sentinels.
        username: Option<Box<str>>,
        /// The password of that user.
        password: Option<ClientSecret>,
    },
}

/// How TLS is spoken with Redis.
#[derive(Clone, Debug)]
pub struct RedisTlsSettings {
    /// Authorities, in PEM.
    pub certificate_authorities: Option<Box<str>>,
    /// What we show to the servers.
    pub client_certificate: Option<CertificateSettings>,
    /// The servers' certificates are verified.
    pub verifies_certificates: bool,
}

/// A proxy's URL may hold credentials.
impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings")
            .field("timeout", &self.timeout)
            .field("total_timeout", &self.total_timeout)
            .field("max_retries", &self.max_retries)
            .field("verifies_certificates", &self.verifies_certificates)
            .finish_non_exhaustive()
    }
}

impl ConnectionSettings {
    /// Reads `clientConfig`.
    pub(super) fn camel_case(section: Option<Section<'_>>, path: String) -> Self {
        let mut settings = Self::usual(path);
        let Some(section) = section else {
            return settings;
        };
        let seconds = |key| section.number(key, 1).map(Duration::from_secs);
        settings.timeout = seconds("timeoutSeconds").unwrap_or(settings.timeout);
        settings.total_timeout = seconds("totalTimeoutSeconds").unwrap_or(settings.total_timeout);
        let retries = section.number("maxRetries", 0).and_then(|it| u32::try_from(it).ok());
        settings.max_retries = retries.unwrap_or(settings.max_retries);
        if let Some(tls) = section.section("tls") {
            settings.certificate_authorities = authorities(&tls, "ca");
            settings.client_certificate = certificate(&tls, "cert", "key");
            settings.verifies_certificates = !tls.flag("insecureSkipVerify", false);
            if !settings.verifies_certificates {
                tls.findings().warn(tls.path("insecureSkipVerify"), UNVERIFIED);
            }
            tls.finish();
        }
        section.finish();
        settings
    }

    /// Reads the keys of `openid_connect`.
    pub(super) fn snake_case(section: &Section<'_>, path: String) -> Self {
        let usual = Self::usual(path);
        let timeout = Duration::from_millis(section.number("timeout", 1).unwrap_or(10_000));
        let verifies_certificates = section.flag("ssl_verify", true);
        if !verifies_certificates {
            section.findings().warn(section.path("ssl_verify"), UNVERIFIED);
        }
        Self {
            timeout,
            total_timeout: usual.total_timeout.max(timeout),
            certificate_authorities: authorities(section, "ca"),
            client_certificate: certificate(section, "client_certificate", "client_key"),
            verifies_certificates,
            keeps_alive: section.flag("keepalive", true),
            proxy: section.parsed("http_proxy", proxy),
            ..usual
        }
    }

    fn usual(path: String) -> Self {
        Self {
            path,
            timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            max_retries: 3,
            certificate_authorities: None,
            client_certificate: None,
            verifies_certificates: true,
            keeps_alive: true,
            proxy: None,
        }
    }

    /// Keeps tokens that were fetched without looking at certificates apart from all others.
    pub(super) fn salted(&self, salt: &str) -> Box<str> {
        let trust = if self.verifies_certificates { "" } else { "certificates are not verified; " };
        format!("{trust}{salt}").into()
    }
}

const UNVERIFIED: &str = "certificates are not verified: whoever stands between reads the secrets";

impl CachingSettings {
    /// Reads `cache` and `store`.
    pub(super) fn camel_case(section: &Section<'_>) -> Self {
        let is_on = section.choice("cache", &[("memory", true), ("off", false)]).unwrap_or(true);
        let store = section.section("store").and_then(store);
        match store {
            _ if !is_on => Self::Off,
            Some(store) => Self::Store(Box::new(store)),
            None => Self::Memory,
        }
    }

    /// Reads `cache_tokens` and `cluster_cache_redis`.
    pub(super) fn snake_case(section: &Section<'_>) -> Self {
        let is_on = section.flag("cache_tokens", true);
        let store = section.section("cluster_cache_redis").and_then(store);
        match store {
            _ if !is_on => Self::Off,
            Some(store) => Self::Store(Box::new(store)),
            None => Self::Memory,
        }
    }

    /// Whether tokens are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        match self {
            Self::Off => false,
            Self::Memory | Self::Store(_) => true,
        }
    }
}

fn store(section: Section<'_>) -> Option<StoreSettings> {
    let key_prefix = section.text("keyPrefix").unwrap_or_default().into();
    let secret = section.required("secret").and_then(|secret| {
        if matches!(secret.len(), 16 | 24 | 32) {
            return Some(ClientSecret::new(secret.to_owned()));
        }
        let length = secret.len();
        section.mistake("secret", format!("must have 16, 24 or 32 bytes, and has {length}"));
        None
    });
    let redis = section.section("redis");
    if redis.is_none() {
        section.mistake("redis", "is required: a store without endpoints is nowhere");
    }
    let redis = redis.and_then(redis_settings);
    section.finish();
    Some(StoreSettings { key_prefix, secret: secret?, redis: redis? })
}

fn redis_settings(section: Section<'_>) -> Option<RedisSettings> {
    let endpoints: Vec<Box<str>> =
        section.texts("endpoints").unwrap_or_default().into_iter().map(Into::into).collect();
    if endpoints.is_empty() {
        section.mistake("endpoints", "is required: name at least one host:port");
    }
    let database = section.number("database", 0).and_then(|it| u32::try_from(it).ok());
    let (cluster, sentinel) = (section.section("cluster"), section.section("sentinel"));
    let topology = match (cluster, sentinel) {
        (Some(_), Some(_)) => {
            section.mistake("sentinel", "stands beside cluster: keep one of them");
            None
        }
        (Some(cluster), None) => {
            if database.is_some_and(|it| it != 0) {
                section.findings().warn(section.path("database"), "is ignored: a cluster has one");
            }
            cluster.finish();
            Some(RedisTopology::Cluster)
        }
        (None, Some(sentinel)) => {
            let master_set = sentinel.required("masterSet").map(Into::into);
            let (username, password) = (user(&sentinel), password(&sentinel));
            sentinel.finish();
            master_set.map(|master_set| RedisTopology::Sentinel { master_set, username, password })
        }
        (None, None) => Some(RedisTopology::Standalone),
    };
    let tls = section.section("tls").map(|tls| {
        let bundle = authorities(&tls, "caBundle");
        let settings = RedisTlsSettings {
            certificate_authorities: authorities(&tls, "ca").or(bundle),
            client_certificate: certificate(&tls, "cert", "key"),
            verifies_certificates: !tls.flag("insecureSkipVerify", false),
        };
        if !settings.verifies_certificates {
            tls.findings().warn(tls.path("insecureSkipVerify"), UNVERIFIED);
        }
        tls.finish();
        settings
    });
    let (username, password) = (user(&section), password(&section));
    section.finish();
    let topology = topology?;
    let database = match topology {
        RedisTopology::Cluster => 0,
        RedisTopology::Standalone | RedisTopology::Sentinel { .. } => database.unwrap_or(0),
    };
    Some(RedisSettings { endpoints, username, password, database, topology, tls })
}

fn user(section: &Section<'_>) -> Option<Box<str>> {
    section.text("username").map(Into::into)
}

fn password(section: &Section<'_>) -> Option<ClientSecret> {
    section.text("password").map(|it| ClientSecret::new(it.to_owned()))
}

/// Certificates in PEM; the adapter looks at what is in them.
fn authorities(section: &Section<'_>, key: &'static str) -> Option<Box<str>> {
    section.parsed(key, |text| pem(text, "CERTIFICATE"))
}

fn certificate(
    section: &Section<'_>,
    certificate: &'static str,
    key: &'static str,
) -> Option<CertificateSettings> {
    let (has_certificate, has_key) = (section.has(certificate), section.has(key));
    if has_certificate != has_key {
        let (there, missing) = if has_key { (key, certificate) } else { (certificate, key) };
        section.mistake(missing, format!("is required beside {there}"));
    }
    let certificates = section.parsed(certificate, |text| pem(text, "CERTIFICATE"));
    let key = section.parsed(key, |text| pem(text, "PRIVATE KEY"));
    Some(CertificateSettings { certificates: certificates?, key: ClientSecret::new(key?.into()) })
}

fn pem(text: &str, what: &'static str) -> Result<Box<str>, impl fmt::Display + use<>> {
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(what);
    if text.lines().any(|line| begins(line.trim())) {
        Ok(text.into())
    } else {
        Err(format!("must be PEM with a line -----BEGIN {what}-----"))
    }
}

fn proxy(text: &str) -> Result<Url, &'static str> {
    Url::parse(text)
        .ok()
        .filter(|it| it.scheme() == "http" && it.has_host())
        .ok_or("must be a URL of an HTTP proxy: http://host:port")
}

/// The URL of an endpoint. Credentials have keys of their own: a URL is shown in logs.
pub(super) fn endpoint(text: &str) -> Result<Url, &'static str> {
    let is_plain = |it: &Url| {
        matches!(it.scheme(), "http" | "https")
            && it.has_host()
            && it.fragment().is_none()
            && it.username().is_empty()
            && it.password().is_none()
    };
    Url::parse(text)
        .ok()
        .filter(is_plain)
        .ok_or("must be an http or https URL without credentials and fragment")
}
