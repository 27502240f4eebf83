//! Signing keys that are files named in the configuration.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeyId, KeySet, KeyState, SigningAlgorithm, SigningKey, Timestamp};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{KeyFile, KeyFileError, read_private_key};

/// One file of the configuration.
#[derive(Clone, Debug)]
pub struct PemKeyFile {
    /// Where the file is.
    pub path: PathBuf,
    /// The key's `kid`.
    pub key_id: KeyId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// What it is doing.
    pub state: KeyState,
    /// The password of an encrypted file.
    pub password: Option<SecretString>,
}

/// Why a configured file is no key. Its message names the file and says everything.
#[derive(Debug, thiserror::Error)]
#[error("the key file {}: {reason}", path.display())]
pub struct PemFileError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Key(#[from] KeyFileError),
}

/// Signing keys that are files named in the configuration. Only the configuration can change
/// them, yet what is in a file is read anew with each `load`.
#[derive(Clone)]
pub struct PemFileKeys {
    files: Arc<[PemKeyFile]>,
    seen: Arc<Mutex<Seen>>,
}

/// What was loaded last.
#[derive(Default)]
struct Seen {
    digest: Vec<u8>,
    revision: u64,
}

impl PemFileKeys {
    /// The keys in `files`, oldest first. Nothing is read yet.
    #[must_use]
    pub fn new(files: Vec<PemKeyFile>) -> Self {
        Self { files: files.into(), seen: Arc::default() }
    }

    /// Reads every file once, as a start-up does before anything else, and names those whose
    /// password is needless because they are not encrypted. Waits for the disk.
    ///
    /// # Errors
    ///
    /// [`PemFileError`] for the first file that is not what the configuration says.
    pub fn check(&self) -> Result<Vec<&Path>, PemFileError> {
        let mut needless = Vec::new();
        for file in self.files.iter() {
            let (key, _) = file.read()?;
            if key.is_password_needless {
                needless.push(file.path.as_path());
            }
        }
        Ok(needless)
    }

    fn load_now(&self) -> Result<KeySet, PemFileError> {
        let mut keys = Vec::new();
        let mut digest = Context::new(&SHA256);
        for file in self.files.iter() {
            let (KeyFile { private_key, .. }, created_at) = file.read()?;
            digest.update(private_key.expose().as_bytes());
            keys.push(SigningKey {
                id: file.key_id.clone(),
                algorithm: file.algorithm,
                state: file.state,
                private_key,
                created_at,
                retired_at: None,
            });
        }
        let digest = digest.finish();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.digest != digest.as_ref() {
            seen.digest = digest.as_ref().to_vec();
            seen.revision += 1;
        }
        Ok(KeySet { revision: seen.revision, keys })
    }
}

impl PemKeyFile {
    /// The key, and when its file was written.
    fn read(&self) -> Result<(KeyFile, Timestamp), PemFileError> {
        self.try_read().map_err(|reason| PemFileError { path: self.path.clone(), reason })
    }

    fn try_read(&self) -> Result<(KeyFile, Timestamp), Reason> {
        let pem = Zeroizing::new(std::fs::read(&self.path)?);
        let key = read_private_key(&pem, self.password.as_ref())?;
        if !key.kind.fits(self.algorithm) {
            let (kind, algorithm) = (key.kind, self.algorithm);
            return Err(KeyFileError::WrongAlgorithm { kind, algorithm }.into());
        }
        let written = std::fs::metadata(&self.path)?.modified()?;
        let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((key, Timestamp::from_unix_millis(0).after(written)))
    }
}

impl fmt::Debug for PemFileKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFileKeys").field("files", &self.files).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyRepository for PemFileKeys {
    /// The revision starts with 1, and grows whenever a file holds another key than before.
    async fn load(&self) -> Result<KeySet, Fault> {
        let own = self.clone();
        let loaded = tokio::task::spawn_blocking(move || own.load_now()).await;
        loaded.map_err(Fault::unavailable)?.map_err(|error| match &error.reason {
            Reason::Io(_) => Fault::unavailable(error),
            Reason::Key(_) => Fault::corrupt(error),
        })
    }

    async fn store(&self, _expected: u64, _keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        Err(StoreKeysError::ReadOnly)
    }
}
