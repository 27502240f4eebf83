//! Makes policies of their settings. The one place of the gateway that knows adapters.

mod stores;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use adapter_hashing::OsEntropy;
use adapter_jose::ClientKeyVerifier;
use adapter_memory::{BackgroundTasks, SystemClock};
use adapter_oauth_client::{
    AesVault, AssertionKey, ClientCertificate, HmacAlgorithm, InvalidOauthClientOptions,
    KubernetesSecrets, OauthClient, OauthClientOptions, SecretDirectory, Trust,
};
use app::gateway::settings::{
    BearerSettings, ClientCredentialsSettings, ConnectionSettings, OpenidConnectSettings,
    PolicySettings, ResolveSecrets, read_policy,
};
use app::gateway::{
    BearerPolicy, ClientCredentialsPolicy, IntrospectionServer, Introspections,
    OpenidConnectPolicy, Policy, PolicyChain, Provider, ProviderParts, TokenSource,
    TokenSourceParts,
};
use domain::gateway::{HeaderName, SecretReference};
use domain::port::{Clock, SecretReader, TokenVault};
use domain::{CacheKey, Fault};
use secrecy::SecretSlice;
use serde_json::Value;
use url::Url;

use crate::settings::{Mistake, Settings};

/// How many tokens, and how many answers about tokens, are kept in memory.
const CAPACITY: usize = 10_000;
/// How many keys of providers are kept ready.
const KEYS: u64 = 1_024;
/// How many tokens are renewed at a time, with nobody waiting for them.
const RENEWALS: usize = 64;

/// What outlives a change of the configuration: what is remembered, and what is drawn from.
pub(crate) struct Shared {
    /// The API of the cluster that we run in.
    pub(crate) cluster: Option<Url>,
    clock: Arc<dyn Clock>,
    entropy: Arc<OsEntropy>,
    background: Arc<BackgroundTasks>,
    vault: Arc<AesVault>,
    memory: TokenSource,
    introspections: Introspections,
    verifier: Arc<ClientKeyVerifier>,
    /// Tokens that are shared with other gateways, by a digest of how the store is reached.
    stores: Mutex<HashMap<CacheKey, TokenSource>>,
}

/// All policies, by name.
pub(crate) struct Policies(BTreeMap<String, Policy>);

impl Shared {
    /// Remembers nothing yet.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no randomness.
    pub(crate) fn new(cluster: Option<Url>) -> Result<Self, Fault> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (entropy, background) = (Arc::new(OsEntropy::new()), BackgroundTasks::new(RENEWALS));
        let (vault, background) = (Arc::new(AesVault::of_this_process()?), Arc::new(background));
        let memory = TokenSource::new(TokenSourceParts {
            vault: vault.clone(),
            store: None,
            clock: clock.clone(),
            entropy: entropy.clone(),
            background: background.clone(),
            capacity: CAPACITY,
        });
        let introspections = Introspections::new(vault.clone(), clock.clone(), CAPACITY);
        Ok(Self {
            cluster,
            clock,
            entropy,
            background,
            vault,
            memory,
            introspections,
            verifier: Arc::new(ClientKeyVerifier::new(KEYS)),
            stores: Mutex::default(),
        })
    }

    fn digest(&self, about: &str, text: &str) -> CacheKey {
        self.vault.digest(about, text)
    }
}

/// Where the secrets are that a configuration refers to.
#[derive(Clone, Debug)]
pub(crate) enum Secrets {
    /// In a folder where they are mounted.
    Folder(PathBuf),
    /// In the cluster that we run in, whose API is there.
    Cluster(Url),
    /// Nowhere that we know of.
    Nowhere,
}

/// Where every pod finds out who it is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Puts the secrets in their places that a configuration refers to.
///
/// # Errors
///
/// Every reference that leads nowhere.
pub(crate) async fn resolved(document: Value, secrets: &Secrets) -> Result<Value, Vec<Mistake>> {
    let reader: Arc<dyn SecretReader> = match secrets {
        Secrets::Folder(folder) => Arc::new(SecretDirectory::new(folder.clone())),
        // Without a reference nobody asks, and a pod may well have no account.
        Secrets::Cluster(_) | Secrets::Nowhere if !refers_to_a_secret(&document) => {
            return Ok(document);
        }
        Secrets::Cluster(api) => {
            let account = Path::new(SERVICE_ACCOUNT);
            Arc::new(KubernetesSecrets::new(api.clone(), account).map_err(|error| {
                let why = format!("secrets are referred to, and {error}");
                vec![Mistake { path: String::new(), why }]
            })?)
        }
        Secrets::Nowhere => {
            let why = "is missing: say where the secrets are that `urn:k8s:secret:` refers to";
            let path = "secretsDirectory".to_owned();
            return Err(vec![Mistake { path, why: why.to_owned() }]);
        }
    };
    let resolved = ResolveSecrets { reader }.execute(document).await;
    resolved.map_err(|mistakes| {
        let mistakes = mistakes.into_iter();
        mistakes.map(|it| Mistake { path: it.path, why: it.message }).collect()
    })
}

fn refers_to_a_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(SecretReference::PREFIX),
        Value::Array(items) => items.iter().any(refers_to_a_secret),
        Value::Object(members) => members.values().any(refers_to_a_secret),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Policies {
    /// Makes them, and warns of what is allowed and unwise.
    ///
    /// # Errors
    ///
    /// Every mistake in their options.
    pub(crate) fn make(settings: &Settings, shared: &Shared) -> Result<Self, Vec<Mistake>> {
        let (mut policies, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (name, options) in &settings.policies {
            let path = format!("policies.{name}");
            let made = match read_policy(&path, options) {
                Ok((policy, warnings)) => {
                    for it in warnings {
                        tracing::warn!(path = it.path, why = it.message, "unwise");
                    }
                    Maker { name, shared, path: &path }.make(policy)
                }
                Err(found) => {
                    let found = found.into_iter();
                    Err(found.map(|it| Mistake { path: it.path, why: it.message }).collect())
                }
            };
            match made {
                Ok(policy) => _ = policies.insert(name.clone(), policy),
                Err(found) => mistakes.extend(found),
            }
        }
        if mistakes.is_empty() { Ok(Self(policies)) } else { Err(mistakes) }
    }

    /// The chain of those names.
    pub(crate) fn chain(&self, names: &[String]) -> PolicyChain {
        PolicyChain::new(names.iter().filter_map(|name| self.0.get(name)).cloned().collect())
    }

    /// The headers in which any policy says who a caller is, but not the one that carries
    /// credentials: a route without a policy may do with that as it likes.
    pub(crate) fn identity_headers(&self) -> Vec<HeaderName> {
        let every = PolicyChain::new(self.0.values().cloned().collect());
        let names = every.identity_headers().iter().cloned();
        names.filter(|it| *it != HeaderName::authorization()).collect()
    }
}

struct Maker<'a> {
    name: &'a str,
    shared: &'a Shared,
    path: &'a str,
}

type Made<T> = Result<T, Vec<Mistake>>;

impl Maker<'_> {
    fn make(&self, settings: PolicySettings) -> Made<Policy> {
        match settings {
            PolicySettings::ClientCredentials(it) => self.client_credentials(*it),
            PolicySettings::OpenidConnect(it) => self.openid_connect(*it),
            PolicySettings::Bearer(it) => self.bearer(*it),
        }
    }

    fn client_credentials(&self, settings: ClientCredentialsSettings) -> Made<Policy> {
        Ok(Policy::ClientCredentials(Box::new(ClientCredentialsPolicy {
            name: self.name.into(),
            endpoint: Arc::new(self.client(&settings.connection, OauthClientOptions::default())?),
            tokens: self.tokens(&settings.caching)?,
            rules: settings.rules,
        })))
    }

    fn openid_connect(&self, settings: OpenidConnectSettings) -> Made<Policy> {
        let mut options = OauthClientOptions::default();
        let algorithm = settings.client_algorithm;
        if let Some(jwk) = &settings.client_jwk {
            let key = AssertionKey::from_jwk(&jwk.0, algorithm);
            options.assertion_key =
                Some(key.map_err(|error| {
                    self.mistake("openid_connect.client_jwk", error.to_string())
                })?);
        } else if let Some(algorithm) = algorithm {
            options.secret_assertions = HmacAlgorithm::from_name(algorithm).ok_or_else(|| {
                let why = "must be HS256, HS384 or HS512, or there must be a client_jwk";
                self.mistake("openid_connect.client_alg", why.to_owned())
            })?;
        }
        let client = Arc::new(self.client(&settings.connection, options)?);
        let provider = Provider::new(ProviderParts {
            address: Some(settings.address),
            jwks_uri: None,
            documents: client.clone(),
            verifier: self.shared.verifier.clone(),
            clock: self.shared.clock.clone(),
            rediscovery: settings.rediscovery,
        });
        Ok(Policy::OpenidConnect(Box::new(OpenidConnectPolicy {
            rules: settings.rules,
            provider,
            endpoint: client.clone(),
            introspection: client,
            tokens: self.tokens(&settings.caching)?,
            introspections: self.shared.introspections.clone(),
            clock: self.shared.clock.clone(),
        })))
    }

    fn bearer(&self, settings: BearerSettings) -> Made<Policy> {
        let client = Arc::new(self.client(&settings.connection, OauthClientOptions::default())?);
        let has_provider = settings.address.is_some() || settings.jwks_uri.is_some();
        let provider = has_provider.then(|| {
            Provider::new(ProviderParts {
                address: settings.address,
                jwks_uri: settings.jwks_uri,
                documents: client.clone(),
                verifier: self.shared.verifier.clone(),
                clock: self.shared.clock.clone(),
                rediscovery: settings.rediscovery,
            })
        });
        let introspection = settings.introspection.map(|it| IntrospectionServer {
            endpoint: client,
            url: it.url,
            credentials: it.credentials,
            authentication: it.authentication,
            assertion_audience: None,
            is_cached: it.is_cached,
        });
        Ok(Policy::Bearer(Box::new(BearerPolicy {
            name: self.name.into(),
            rules: settings.rules,
            provider,
            introspection,
            introspections: self.shared.introspections.clone(),
            clock: self.shared.clock.clone(),
        })))
    }

    /// One way to reach other people's servers.
    fn client(
        &self,
        connection: &ConnectionSettings,
        options: OauthClientOptions,
    ) -> Made<OauthClient> {
        let trust = match (&connection.certificate_authorities, connection.verifies_certificates) {
            (_, false) => Trust::Anybody,
            (Some(pem), true) => Trust::Also(pem.as_bytes().to_vec()),
            (None, true) => Trust::System,
        };
        let certificate = connection.client_certificate.as_ref();
        let client_certificate = certificate.map(|it| ClientCertificate {
            certificates: it.certificates.as_bytes().to_vec(),
            key: SecretSlice::from(it.key.expose().as_bytes().to_vec()),
        });
        let options = OauthClientOptions {
            timeout: connection.timeout,
            total_timeout: connection.total_timeout,
            max_retries: connection.max_retries,
            trust,
            client_certificate,
            keep_alive: connection.keeps_alive,
            proxy: connection.proxy.clone(),
            ..options
        };
        OauthClient::new(options, self.shared.clock.clone()).map_err(|error| {
            let why = match &error {
                InvalidOauthClientOptions::Client(cause) => format!("{error}: {cause}"),
                InvalidOauthClientOptions::Authorities
                | InvalidOauthClientOptions::ClientCertificate
                | InvalidOauthClientOptions::Proxy => error.to_string(),
            };
            vec![Mistake { path: connection.path.clone(), why }]
        })
    }

    fn mistake(&self, key: &str, why: String) -> Vec<Mistake> {
        vec![Mistake { path: format!("{}.{key}", self.path), why }]
    }
}
