//! How other people's servers are reached.

use std::time::Duration;

use secrecy::SecretSlice;
use url::Url;

use crate::AssertionKey;

/// How other people's servers are reached.
#[derive(Clone, Debug)]
pub struct OauthClientOptions {
    /// How long one try may take, the body included.
    pub timeout: Duration,
    /// How long all tries may take together, with the pauses between them.
    pub total_timeout: Duration,
    /// How many more tries follow the first one.
    pub max_retries: u32,
    /// The pause before the second try; each further one is twice as long, up to 30 seconds.
    pub first_pause: Duration,
    /// Who may vouch for the servers.
    pub trust: Trust,
    /// What we show to the servers.
    pub client_certificate: Option<ClientCertificate>,
    /// Connections are kept for the next request.
    pub keep_alive: bool,
    /// An HTTP proxy on the way to the servers.
    pub proxy: Option<Url>,
    /// What signs assertions for `private_key_jwt`.
    pub assertion_key: Option<AssertionKey>,
    /// How assertions are made for `client_secret_jwt`.
    pub secret_assertions: HmacAlgorithm,
}

impl Default for OauthClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            max_retries: 3,
            first_pause: Duration::from_secs(1),
            trust: Trust::System,
            client_certificate: None,
            keep_alive: true,
            proxy: None,
            assertion_key: None,
            secret_assertions: HmacAlgorithm::Hs256,
        }
    }
}

/// Who may vouch for a server.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Whom the system trusts.
    System,
    /// Whom the system trusts, and these, in PEM.
    Also(Vec<u8>),
    /// Anybody: whoever stands between us and the server reads the secrets. For tests only.
    Anybody,
}

/// What we show to a server that asks who we are.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate and those that lead from it to an authority, in PEM.
    pub certificates: Vec<u8>,
    /// Its private key, in PEM.
    pub key: SecretSlice<u8>,
}

/// How an assertion is made with a secret (RFC 7518 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl HmacAlgorithm {
    /// The algorithm of that registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hs256, Self::Hs384, Self::Hs512].into_iter().find(|it| it.name() == name)
    }

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }
}
