//! What verifies the assertions of clients that sign with a secret, or with keys they publish.

use std::sync::Arc;

use adapter_hashing::{InvalidSealingKey, SealedSecrets, SealingKey};
use adapter_memory::{CachedRemoteKeys, RemoteKeysOptions};
use adapter_remote::{FetchOptions, Networks, PublishedKeysFetcher};
use domain::AuthenticationMethod;
use domain::port::{Clock, Entropy, MacVerifier};
use secrecy::ExposeSecret as _;

use super::stores::OpenError;
use crate::settings::{Settings, Store};

/// The file beside the embedded store.
const SEALING_KEY_FILE: &str = "sealing.key";

/// What seals secrets, and the methods that there are with it: without a key, one less.
pub(super) fn sealing(
    settings: &Settings,
    entropy: &dyn Entropy,
) -> Result<(Arc<dyn MacVerifier>, Vec<AuthenticationMethod>), OpenError> {
    let key = sealing_key(settings, entropy)?;
    let is_there = key.is_some();
    let sealed = SealedSecrets::new(key).map_err(|it| OpenError::Hashing(it.explained()))?;
    let mut methods = AuthenticationMethod::ALL.to_vec();
    methods.retain(|it| is_there || !it.needs_sealed_secrets());
    Ok((Arc::new(sealed), methods))
}

/// The configured key; else one beside the embedded store, which only this machine has; and for
/// secrets that end with the process one that ends with it, too. Nodes that share a store must share
/// the key, so there is no other.
fn sealing_key(
    settings: &Settings,
    entropy: &dyn Entropy,
) -> Result<Option<SealingKey>, OpenError> {
    let unusable = |error: InvalidSealingKey| OpenError::Hashing(error.to_string());
    if let Some(text) = &settings.secrets.sealing_key {
        return SealingKey::new(text.expose_secret().as_bytes()).map(Some).map_err(unusable);
    }
    match settings.stores.credentials {
        Store::Sqlite => {
            super::stores::make_directory(&settings.data_directory)?;
            let key = SealingKey::of_file(&settings.data_directory.join(SEALING_KEY_FILE));
            key.map(Some).map_err(|error| OpenError::Key(error.to_string()))
        }
        Store::Memory => {
            let mut bytes = [0; SealingKey::MIN_BYTES];
            entropy.fill(&mut bytes).map_err(|it| OpenError::Hashing(it.explained()))?;
            SealingKey::new(&bytes).map(Some).map_err(unusable)
        }
        Store::Postgres | Store::Mongodb | Store::Redis | Store::Crud => Ok(None),
    }
}

/// The keys that clients publish, remembered.
pub(super) fn remote_keys(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<CachedRemoteKeys>, OpenError> {
    let chosen = &settings.published_keys;
    let fetcher = PublishedKeysFetcher::new(FetchOptions {
        is_on: chosen.is_on,
        networks: Networks {
            allowed: chosen.allowed_networks.clone(),
            plain_http: chosen.http_networks.clone(),
        },
        authorities: chosen.authorities.clone(),
        algorithms: settings.registration.key_algorithms.clone(),
        timeout: chosen.timeout,
    });
    let fetcher = fetcher.map_err(|error| OpenError::Key(format!("jwks_uri.tls_ca: {error}")))?;
    let options = RemoteKeysOptions {
        capacity: chosen.capacity,
        ask_at_most_every: chosen.ask_at_most_every,
        stale_for: chosen.stale,
    };
    Ok(Arc::new(CachedRemoteKeys::new(Arc::new(fetcher), options, Arc::clone(clock))))
}

/// Tries what the settings say of it, so that a mistake is told before anything starts. Makes no key.
pub(crate) fn check_client_keys(settings: &Settings) -> Result<(), OpenError> {
    remote_keys(settings, &super::system_clock()).map(drop)
}
