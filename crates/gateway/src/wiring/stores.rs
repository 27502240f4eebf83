//! Where fetched tokens are kept.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use adapter_memory::TokenCacheBreaker;
use adapter_oauth_client::AesVault;
use adapter_redis::{
    ClientCertificate, RedisOptions, RedisStores, ReplicasToWaitFor, TlsOptions, Topology,
};
use app::gateway::settings::{
    CachingSettings, RedisSettings, RedisTlsSettings, RedisTopology, StoreSettings,
};
use app::gateway::{TokenSource, TokenSourceParts};
use domain::ClientSecret;
use secrecy::{SecretSlice, SecretString};

use super::{CAPACITY, Made, Maker};

/// How long a request waits for a token that other gateways may have.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a store that was found out is left alone.
const PAUSE: Duration = Duration::from_secs(2);

impl Maker<'_> {
    /// Where tokens are looked for first. Policies that keep them in one place share what is
    /// there, before and after a change of the configuration.
    pub(super) fn tokens(&self, caching: &CachingSettings) -> Made<TokenSource> {
        match caching {
            CachingSettings::Off | CachingSettings::Memory => Ok(self.shared.memory.clone()),
            CachingSettings::Store(settings) => self.stored(settings),
        }
    }

    fn stored(&self, settings: &StoreSettings) -> Made<TokenSource> {
        let secret = settings.secret.expose();
        let reached = format!("{settings:?} {:?}", secrets(settings));
        let key = self.shared.digest("store", &reached);
        let mut stores = self.shared.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = stores.get(&key) {
            return Ok(known.clone());
        }
        let failed = |key: &str, why: String| self.mistake(key, why);
        let vault = AesVault::new(secret.as_bytes())
            .map_err(|error| failed("store.secret", error.to_string()))?;
        let redis = RedisStores::new(&options(settings))
            .map_err(|error| failed("store.redis", error.to_string()))?;
        let clock = self.shared.clock.clone();
        let store = TokenCacheBreaker::new(Arc::new(redis), clock.clone(), PAUSE);
        let tokens = TokenSource::new(TokenSourceParts {
            vault: Arc::new(vault),
            store: Some(Arc::new(store)),
            clock,
            entropy: self.shared.entropy.clone(),
            background: self.shared.background.clone(),
            capacity: CAPACITY,
        });
        stores.insert(key, tokens.clone());
        Ok(tokens)
    }
}

/// What `Debug` does not show: a store with another password is another store.
fn secrets(settings: &StoreSettings) -> Vec<&str> {
    let redis = &settings.redis;
    let of_sentinels = match &redis.topology {
        RedisTopology::Sentinel { password, .. } => password.as_ref(),
        RedisTopology::Standalone | RedisTopology::Cluster => None,
    };
    let certificate = redis.tls.as_ref().and_then(|it| it.client_certificate.as_ref());
    let all = [Some(&settings.secret), redis.password.as_ref(), of_sentinels];
    let all = all.into_iter().chain([certificate.map(|it| &it.key)]);
    all.map(|it| it.map_or("", ClientSecret::expose)).collect()
}

fn options(settings: &StoreSettings) -> RedisOptions {
    let RedisSettings { endpoints, username, password, database, topology, tls } = &settings.redis;
    let hosts: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
    let secret = |it: &ClientSecret| SecretString::from(it.expose().to_owned());
    let topology = match topology {
        RedisTopology::Standalone => Topology::Standalone { host: hosts.concat() },
        RedisTopology::Cluster => Topology::Cluster { hosts },
        RedisTopology::Sentinel { master_set, username, password } => Topology::Sentinel {
            hosts,
            master_name: master_set.to_string(),
            username: username.as_ref().map(ToString::to_string),
            password: password.as_ref().map(secret),
        },
    };
    RedisOptions {
        username: username.as_ref().map(ToString::to_string),
        password: password.as_ref().map(secret),
        database: *database,
        tls: tls.as_ref().map(tls_options),
        connect_timeout: PATIENCE,
        response_timeout: PATIENCE,
        patience: PATIENCE,
        // A token that a failover loses is fetched again.
        replicas_to_wait_for: ReplicasToWaitFor::Number(0),
        key_prefix: settings.key_prefix.to_string(),
        ..RedisOptions::new(topology)
    }
}

fn tls_options(tls: &RedisTlsSettings) -> TlsOptions {
    TlsOptions {
        believes_anybody: !tls.verifies_certificates,
        certificate_authority: tls
            .certificate_authorities
            .as_ref()
            .map(|it| it.as_bytes().to_vec()),
        client: tls.client_certificate.as_ref().map(|it| ClientCertificate {
            certificates: it.certificates.as_bytes().to_vec(),
            key: SecretSlice::from(it.key.expose().as_bytes().to_vec()),
        }),
    }
}
