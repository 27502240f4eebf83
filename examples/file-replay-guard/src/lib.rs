//! Used assertions as files in a directory: the worked example of `docs/adapters.md`.
//!
//! It is a real adapter, for one machine or for several that share a file system on which a file is
//! created by exactly one of those who try at once.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::port::{HealthProbe, ReplayGuard};
use domain::{ClientId, Fault, Timestamp, TokenId};

/// Used assertions, one file for each.
#[derive(Clone, Debug)]
pub struct FileReplayGuard {
    directory: PathBuf,
}

impl FileReplayGuard {
    /// Keeps its files in `directory`, which must be there by the time something is burned.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Forgets what ended at `now` or earlier, and says how many that were.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Unavailable` if the directory cannot be read.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, Fault> {
        let directory = self.directory.clone();
        blocking(move || {
            let mut swept = 0;
            for entry in fs::read_dir(&directory).map_err(Fault::unavailable)? {
                let path = entry.map_err(Fault::unavailable)?.path();
                // Whoever crashed while writing left no end: such a file stays.
                let end = fs::read_to_string(&path).ok().and_then(|it| it.parse().ok());
                let has_ended = end.is_some_and(|it| Timestamp::from_unix_millis(it) <= now);
                if has_ended && fs::remove_file(&path).is_ok() {
                    swept += 1;
                }
            }
            Ok(swept)
        })
        .await
    }
}

#[async_trait]
impl ReplayGuard for FileReplayGuard {
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<bool, Fault> {
        let (directory, name) = (self.directory.clone(), name(client, id));
        blocking(move || {
            match OpenOptions::new().write(true).create_new(true).open(directory.join(name)) {
                Ok(file) => written(file, &directory, until).map(|()| true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(Fault::unavailable(error)),
            }
        })
        .await
    }
}

#[async_trait]
impl HealthProbe for FileReplayGuard {
    fn name(&self) -> &'static str {
        "files"
    }

    async fn check(&self) -> Result<(), Fault> {
        let directory = self.directory.clone();
        blocking(move || fs::read_dir(directory).map(drop).map_err(Fault::unavailable)).await
    }
}

/// When this returns, the file survives a crash: so does its name.
fn written(mut file: File, directory: &Path, until: Timestamp) -> Result<(), Fault> {
    let mut write = || {
        file.write_all(until.as_unix_millis().to_string().as_bytes())?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    };
    // Whoever hears of a fault lets nobody in, and the file stays: no replay comes of it.
    write().map_err(Fault::unavailable)
}

/// One name for each pair: the length of the client's id says where it ends, and no character of
/// either means anything to a file system.
fn name(client: &ClientId, id: &TokenId) -> String {
    let (client, id) = (client.as_str(), id.as_str());
    let text = format!("{}:{client}{id}", client.len());
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Files block: never on a thread that serves requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(Fault::corrupt)?
}
