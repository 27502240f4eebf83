//! Where signing keys are kept.

use std::path::Path;
use std::sync::Arc;

use adapter_jose::{DirectoryKeys, PemFileKeys, PemKeyFile};
use adapter_memory::MemoryKeys;
use domain::KeyState;
use domain::port::KeyRepository;

use super::database::Opened;
use super::stores::{OpenError, on};
use crate::settings::{KeyStore, Settings, Store};

pub(super) fn keys(
    settings: &Settings,
    store: KeyStore,
    opened: &Opened,
) -> Result<Arc<dyn KeyRepository>, OpenError> {
    if !settings.keys.files.is_empty() {
        return Ok(Arc::new(key_files(settings)));
    }
    match store {
        KeyStore::Directory => Ok(Arc::new(DirectoryKeys::new(
            settings.data_directory.join("keys"),
            settings.keys.password.clone(),
        ))),
        KeyStore::In(store) => {
            on!(dyn KeyRepository: opened, store, Arc::new(MemoryKeys::default()),
            Sqlite in sqlite, Postgres in postgres, Mongodb in mongodb)
        }
    }
}

fn key_files(settings: &Settings) -> PemFileKeys {
    PemFileKeys::new(
        settings
            .keys
            .files
            .iter()
            .map(|file| PemKeyFile {
                path: file.path.clone(),
                key_id: file.id.clone(),
                algorithm: file.algorithm,
                state: file.state,
                password: file.password.clone(),
            })
            .collect(),
    )
}

/// Reads the configured keys once, so that a wrong one is told before anything starts. Says what
/// the operator should know.
pub(crate) fn check_keys(settings: &Settings) -> Result<Vec<String>, OpenError> {
    if settings.keys.files.is_empty() {
        return Ok(Vec::new());
    }
    let needless = key_files(settings);
    let needless = needless.check().map_err(|error| OpenError::Key(error.to_string()))?;
    let is_signing = |algorithm| {
        let mut files = settings.keys.files.iter();
        files.any(|file| file.algorithm == algorithm && file.state == KeyState::Active)
    };
    for algorithm in settings.tokens.algorithms() {
        if !is_signing(algorithm) {
            return Err(OpenError::Key(format!(
                "keys.files: no active key is for {}, which tokens.algorithm (or \
                 tokens.additional_algorithms) asks for",
                algorithm.name()
            )));
        }
    }
    let note = |path: &&Path| {
        format!("the key {} is not encrypted: its password is ignored", path.display())
    };
    Ok(needless.iter().map(note).collect())
}
