//! How Redis is reached.

use std::time::Duration;

use secrecy::{SecretSlice, SecretString};

/// How Redis is reached, and what is asked of it.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Which servers there are.
    pub topology: Topology,
    /// Who we are to the servers that hold the data; `None` is the default user.
    pub username: Option<String>,
    /// The password of that user.
    pub password: Option<SecretString>,
    /// The number of the database. A cluster has only database 0.
    pub database: u32,
    /// TLS, to the sentinels as well; `None` is plain TCP.
    pub tls: Option<TlsOptions>,
    /// Connections at most: to the master, or to each master of a cluster. News of changes come
    /// through one more.
    pub max_connections: usize,
    /// How long it may take to connect, which includes TLS and the password.
    pub connect_timeout: Duration,
    /// How long an answer may take, which includes the replicas that are waited for.
    pub response_timeout: Duration,
    /// How long a call may take in all, which includes the wait for a connection and a second try.
    pub patience: Duration,
    /// How many replicas must have what is written before it counts as written. See the
    /// documentation of this crate for what that guarantees.
    pub replicas_to_wait_for: ReplicasToWaitFor,
    /// What the names of all keys and channels begin with.
    pub key_prefix: String,
}

impl RedisOptions {
    /// The usual options.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            username: None,
            password: None,
            database: 0,
            tls: None,
            max_connections: 16,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(1_500),
            patience: Duration::from_secs(4),
            replicas_to_wait_for: ReplicasToWaitFor::Automatic,
            key_prefix: "tokenwright:".to_owned(),
        }
    }
}

/// How many replicas must have what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicasToWaitFor {
    /// Every replica that could take over from the master just then, and none for a server that is
    /// alone.
    #[default]
    Automatic,
    /// That many, whatever happens to the servers.
    Number(u32),
}

/// Which servers there are. A host is `name`, `name:port` or `[ipv6]:port`.
#[derive(Clone, Debug)]
pub enum Topology {
    /// One server, or one address behind which the master always is.
    Standalone {
        /// Where it listens.
        host: String,
    },
    /// A master and its replicas, watched by sentinels.
    Sentinel {
        /// Where the sentinels listen. One that answers is enough.
        hosts: Vec<String>,
        /// What the sentinels call the master.
        master_name: String,
        /// Who we are to the sentinels; it has nothing to do with who we are to the master.
        username: Option<String>,
        /// The password of that user.
        password: Option<SecretString>,
    },
    /// A cluster.
    Cluster {
        /// Where some of its nodes listen. One that answers is enough: it names the others.
        hosts: Vec<String>,
    },
}

/// How TLS is spoken. The names in the servers' certificates are verified, unless nothing is.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Who may vouch for the servers, in PEM; `None` is whom browsers trust.
    pub certificate_authority: Option<Vec<u8>>,
    /// What we show to the servers.
    pub client: Option<ClientCertificate>,
    /// Any certificate is believed: whoever stands between us and a server reads and changes what
    /// is said. For tests only.
    pub believes_anybody: bool,
}

/// What we show to servers that ask for a certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, followed by those who vouch for it, in PEM.
    pub certificates: Vec<u8>,
    /// Its private key, in PEM.
    pub key: SecretSlice<u8>,
}

/// Why options cannot be used. Nothing of them is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisOptions {
    /// There is no host to ask.
    #[error("no host is named")]
    NoHost,
    /// A host is not `name`, `name:port` or `[ipv6]:port`.
    #[error("host number {0} is not `name`, `name:port` or `[ipv6]:port`")]
    Host(usize),
    /// What the sentinels call the master is not said.
    #[error("the name of the master is missing")]
    NoMasterName,
    /// Redis asks no user for a name alone.
    #[error("a user is named without a password")]
    UsernameWithoutPassword,
    /// A cluster has no other database.
    #[error("a cluster has only database 0")]
    DatabaseOfCluster,
    /// Nobody could ever be served.
    #[error("the number of connections and every timeout must be above zero")]
    Zero,
    /// It is not PEM, holds no certificate, or one that cannot be trusted.
    #[error("the certificate authority cannot be read")]
    CertificateAuthority,
    /// It is not PEM, or holds no certificate.
    #[error("the client certificate cannot be read")]
    ClientCertificate,
    /// It is not PEM, holds no private key, or is encrypted.
    #[error("the key of the client certificate cannot be read")]
    ClientKey,
    /// The two do not belong together.
    #[error("the client certificate and its key cannot be used together")]
    ClientPair,
}
