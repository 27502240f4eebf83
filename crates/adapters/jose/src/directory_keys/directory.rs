//! The directory, as the operating system sees it. Everything here waits for the disk.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use domain::{KeySet, PrivateKeyPem, SigningKey};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::DirectoryKeysError as Error;
use super::index::{Index, IndexedKey};
use super::name::{file_name, is_file_name};
use crate::{KeyFileError, key_file};

const INDEX: &str = "keys.json";
const NEW_INDEX: &str = "keys.json.new";
const LOCK: &str = "keys.lock";

/// How often a reader starts again because a writer was faster.
const MAX_READS: usize = 10;

pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) password: Option<SecretString>,
}

impl Directory {
    /// All keys. Takes no lock: what the index names stays until the index is another.
    pub(super) fn load(&self) -> Result<KeySet, Error> {
        for _ in 1..MAX_READS {
            match self.load_once() {
                Err(Error::Io { reason, .. }) if reason.kind() == ErrorKind::NotFound => (),
                loaded => return loaded,
            }
        }
        self.load_once()
    }

    fn load_once(&self) -> Result<KeySet, Error> {
        let index = self.index()?;
        let mut keys = Vec::with_capacity(index.keys.len());
        for entry in &index.keys {
            let (private_key, _) = self.read_key(&entry.file)?;
            let facts = entry.facts().ok_or_else(|| self.broken_index())?;
            keys.push(SigningKey {
                id: facts.id,
                algorithm: facts.algorithm,
                state: facts.state,
                private_key,
                created_at: facts.created_at,
                retired_at: facts.retired_at,
            });
        }
        Ok(KeySet { revision: index.revision, keys })
    }

    /// Replaces all keys. A crash at any moment leaves the old ones or the new ones in force.
    pub(super) fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).at(&self.path)?;
        let lock = self.path.join(LOCK);
        let lock_file = private().write(true).truncate(false).open(&lock).at(&lock)?;
        lock_file.lock().at(&lock)?;
        // The lock is given back when the file is closed, by whatever way this returns.
        let old = self.index()?;
        if old.revision != expected {
            return Err(Error::Conflict);
        }
        let revision = expected + 1;
        let mut new = Index { revision, keys: Vec::with_capacity(keys.len()) };
        for key in keys {
            let file = match self.kept(&old, key)? {
                Some(file) => file,
                None => self.write_key(key, revision)?,
            };
            new.keys.push(IndexedKey::new(key, file));
        }
        self.write_index(&new)?;
        self.clear(&new);
        Ok(())
    }

    fn index(&self) -> Result<Index, Error> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Index::default()),
            found => check_mode(&self.path, &found.at(&self.path)?, 0o700)?,
        }
        let path = self.path.join(INDEX);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Index::default()),
            read => serde_json::from_slice(&read.at(&path)?).map_err(|_| self.broken_index()),
        }
    }

    fn broken_index(&self) -> Error {
        Error::Index { path: self.path.join(INDEX) }
    }

    /// The key in a file, and whether the file is as this configuration would write it.
    fn read_key(&self, file: &str) -> Result<(PrivateKeyPem, bool), Error> {
        if !is_file_name(file) {
            return Err(self.broken_index());
        }
        let path = self.path.join(file);
        check_mode(&path, &fs::metadata(&path).at(&path)?, 0o600)?;
        let pem = Zeroizing::new(fs::read(&path).at(&path)?);
        let is_encrypted = key_file::is_encrypted_pem(&pem);
        let refused = |reason| Error::Key { path: path.clone(), reason };
        let private_key = if is_encrypted {
            key_file::read_private_key(&pem, self.password.as_ref()).map_err(refused)?.private_key
        } else {
            // What is not encrypted is handed on as it is; whoever signs with it will judge it.
            let text = std::str::from_utf8(&pem).map_err(|_| refused(KeyFileError::NotPem))?;
            PrivateKeyPem::new(text.to_owned())
        };
        Ok((private_key, is_encrypted == self.password.is_some()))
    }

    /// The file that holds `key` already.
    fn kept(&self, old: &Index, key: &SigningKey) -> Result<Option<String>, Error> {
        let Some(entry) = old.keys.iter().find(|entry| entry.is_of(key)) else {
            return Ok(None);
        };
        let (private_key, is_as_wanted) = self.read_key(&entry.file)?;
        let is_same = is_as_wanted && private_key.expose() == key.private_key.expose();
        Ok(is_same.then(|| entry.file.clone()))
    }

    fn write_key(&self, key: &SigningKey, revision: u64) -> Result<String, Error> {
        let file = file_name(key.id.as_str(), revision);
        let path = self.path.join(&file);
        let plain = key.private_key.expose().as_bytes();
        match &self.password {
            None => write(&path, plain)?,
            Some(password) => {
                let encrypted = key_file::parse(plain, None)
                    .and_then(|(key, _)| key.to_encrypted_pem(password.expose_secret().as_bytes()));
                let refused = |reason| Error::Key { path: path.clone(), reason };
                write(&path, &encrypted.map_err(refused)?)?;
            }
        }
        Ok(file)
    }

    fn write_index(&self, index: &Index) -> Result<(), Error> {
        let (new, path) = (self.path.join(NEW_INDEX), self.path.join(INDEX));
        let mut json = serde_json::to_vec_pretty(index).map_err(|_| self.broken_index())?;
        json.push(b'\n');
        write(&new, &json)?;
        // The names of the key files must be on the disk before the index that uses them.
        self.sync()?;
        fs::rename(&new, &path).at(&path)?;
        self.sync()
    }

    fn sync(&self) -> Result<(), Error> {
        File::open(&self.path).and_then(|it| it.sync_all()).at(&self.path)
    }

    /// Deletes key files that are not in the index, those of a crashed writer too. What cannot
    /// be deleted now is tried again with the next change.
    fn clear(&self, index: &Index) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_ours = name.to_str().is_some_and(is_file_name);
            if is_ours && !index.keys.iter().any(|key| name.to_str() == Some(&key.file)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Refuses what others than the owner can use.
fn check_mode(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), Error> {
    let mode = metadata.permissions().mode() & 0o7777;
    let is_open = mode & 0o077 != 0;
    if is_open { Err(Error::Mode { path: path.to_owned(), mode, wanted }) } else { Ok(()) }
}

/// Files for the owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// Writes a file anew, down to the disk.
fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    // What a crashed writer left may have another mode: a file that is made has ours.
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => (),
        removed => removed.at(path)?,
    }
    let mut file = private().write(true).create_new(true).open(path).at(path)?;
    file.write_all(contents).and_then(|()| file.sync_all()).at(path)
}

/// Adds the path that [`io::Error`] leaves out.
trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|reason| Error::Io { path: path.to_owned(), reason })
    }
}
