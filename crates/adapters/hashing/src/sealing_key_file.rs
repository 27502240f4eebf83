//! The sealing key of a server that keeps everything in one directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::random::random;
use crate::{InvalidSealingKey, SealingKey};

/// Why there is no key in a file.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeyFileError {
    /// The file can neither be read nor made.
    #[error("the sealing key {}: {reason}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// Others than the owner can read it.
    #[error(
        "the sealing key {} has mode {mode:04o}, and others could read it: chmod 600 it",
        path.display()
    )]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds no key.
    #[error("the sealing key {}: {reason}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: InvalidSealingKey,
    },
    /// The operating system has no randomness to give.
    #[error("the operating system gave no random bytes")]
    NoEntropy,
}

impl SealingKey {
    /// The key in the file at `path`, which is made, for its owner alone, where there is none. Of
    /// several processes that make it at the same time, all get the one that is kept. Waits for the
    /// disk.
    ///
    /// # Errors
    ///
    /// See [`SealingKeyFileError`].
    pub fn of_file(path: &Path) -> Result<Self, SealingKeyFileError> {
        let failed = |reason| SealingKeyFileError::Io { path: path.to_owned(), reason };
        if !path.try_exists().map_err(failed)? {
            make(path)?;
        }
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SealingKeyFileError::Mode { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(fs::read(path).map_err(failed)?);
        Self::new(text.trim_ascii_end())
            .map_err(|reason| SealingKeyFileError::Key { path: path.to_owned(), reason })
    }
}

/// Writes a new key beside the file and gives it its name last: whoever finds the name finds a whole
/// key, and a name that is there already stays.
fn make(path: &Path) -> Result<(), SealingKeyFileError> {
    let failed = |reason| SealingKeyFileError::Io { path: path.to_owned(), reason };
    let bytes = random::<32>().map(Zeroizing::new).map_err(|_| SealingKeyFileError::NoEntropy)?;
    let unique = random::<8>().map_err(|_| SealingKeyFileError::NoEntropy)?;
    let text = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(*bytes) + "\n");
    let beside = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(unique)));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&beside, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    let cleared = fs::remove_file(&beside);
    written.and(cleared).map_err(failed)?;
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    File::open(directory).and_then(|it| it.sync_all()).map_err(failed)
}
