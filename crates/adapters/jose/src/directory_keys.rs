//! Signing keys in a directory of our own.

mod directory;
mod index;
mod name;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeySet, SigningKey};
use secrecy::SecretString;

use crate::KeyFileError;
use directory::Directory;

/// Signing keys in a directory of our own: one PEM file for each key, and the index `keys.json`,
/// which is replaced as a whole and says which of them count.
///
/// Processes that share the directory take turns by a lock file (on NFS that needs version 4).
/// The directory must be `0700` and the files `0600`: others are refused, never mended in
/// silence, since whoever could read a key must be assumed to have read it.
#[derive(Clone)]
pub struct DirectoryKeys {
    directory: Arc<Directory>,
}

/// Why a directory of keys cannot be used. Its message names the path and says everything.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryKeysError {
    /// The operating system says no.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        reason: io::Error,
    },
    /// Others than the owner may enter or read.
    #[error(
        "{} holds private keys and is open to others (mode {mode:04o}): run `chmod {wanted:o} {}`",
        path.display(),
        path.display()
    )]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that mends it.
        wanted: u32,
    },
    /// The index is not what we write.
    #[error("{}: it is no index of keys", path.display())]
    Index {
        /// The file.
        path: PathBuf,
    },
    /// A key file is not what we write, or not under the configured password.
    #[error("{}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: KeyFileError,
    },
    /// Somebody changed the keys meanwhile.
    #[error("the keys were changed meanwhile")]
    Conflict,
}

impl DirectoryKeys {
    /// Keys in `path`, which is made when the first of them are stored. With a password, keys are
    /// written as PKCS#8 under PBES2 with AES-256, and plain ones are still read.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, password: Option<SecretString>) -> Self {
        Self { directory: Arc::new(Directory { path: path.into(), password }) }
    }

    /// Where the keys are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory.path
    }
}

impl fmt::Debug for DirectoryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryKeys").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyRepository for DirectoryKeys {
    async fn load(&self) -> Result<KeySet, Fault> {
        let directory = Arc::clone(&self.directory);
        let loaded = tokio::task::spawn_blocking(move || directory.load()).await;
        Ok(loaded.map_err(Fault::unavailable)??)
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let directory = Arc::clone(&self.directory);
        let keys = keys.to_vec();
        let stored = tokio::task::spawn_blocking(move || directory.store(expected, &keys)).await;
        match stored.map_err(Fault::unavailable)? {
            Ok(()) => Ok(()),
            Err(DirectoryKeysError::Conflict) => Err(StoreKeysError::Conflict),
            Err(error) => Err(StoreKeysError::Fault(error.into())),
        }
    }
}

impl From<DirectoryKeysError> for Fault {
    fn from(error: DirectoryKeysError) -> Self {
        match &error {
            DirectoryKeysError::Io { .. } | DirectoryKeysError::Conflict => {
                Self::unavailable(error)
            }
            DirectoryKeysError::Mode { .. }
            | DirectoryKeysError::Index { .. }
            | DirectoryKeysError::Key { .. } => Self::corrupt(error),
        }
    }
}
