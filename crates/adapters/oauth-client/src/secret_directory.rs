//! Secrets in a folder, as Kubernetes mounts them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use async_trait::async_trait;
use domain::gateway::SecretReference;
use domain::port::SecretReader;
use domain::{ClientSecret, Fault};

/// Secrets in a folder: `<folder>/<name>/<key>`, as Kubernetes mounts them. Links are followed,
/// since that is how it mounts them.
#[derive(Clone, Debug)]
pub struct SecretDirectory {
    folder: PathBuf,
}

/// The most that Kubernetes keeps in a secret.
const MAX_BYTES: u64 = 1024 * 1024;

impl SecretDirectory {
    /// The secrets in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

/// It reads files without leaving the thread: they are small, and read when a configuration is.
#[async_trait]
impl SecretReader for SecretDirectory {
    async fn read(&self, reference: &SecretReference) -> Result<Option<ClientSecret>, Fault> {
        // Neither half can lead out of the folder: see `SecretReference`.
        let path = self.folder.join(reference.name()).join(reference.key());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Fault::unavailable(error)),
        };
        let mut text = Vec::new();
        let mut file = file.take(MAX_BYTES + 1);
        file.read_to_end(&mut text).map_err(Fault::unavailable)?;
        if MAX_BYTES < text.len() as u64 {
            return Err(Fault::corrupt("the secret is longer than a mebibyte"));
        }
        let text = String::from_utf8(text);
        let mut text = text.map_err(|_| Fault::corrupt("the secret is no UTF-8"))?;
        // The line end that editors and `echo` put there.
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(Some(ClientSecret::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn read(content: &[u8]) -> Result<Option<String>, Fault> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        fs::write(folder.path().join("app/secret"), content).unwrap();
        let reference = "urn:k8s:secret:app:secret".parse().unwrap();

        let secret = SecretDirectory::new(folder.path().to_owned()).read(&reference).await?;

        Ok(secret.map(|it| it.expose().to_owned()))
    }

    #[tokio::test]
    async fn a_secret_is_a_file_without_its_last_line_end() {
        for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            assert_eq!(read(content.as_bytes()).await.unwrap().as_deref(), Some("hunter2"));
        }
        assert_eq!(read(b"a\n\n").await.unwrap().as_deref(), Some("a\n"));
        assert_eq!(read(b"").await.unwrap().as_deref(), Some(""));
    }

    #[tokio::test]
    async fn what_is_no_secret_is_told_apart_from_what_is_not_there() {
        assert!(read(b"\xff").await.is_err());
        assert!(read(&vec![b'a'; (1 << 20) + 1]).await.is_err());

        let folder = tempfile::tempdir().unwrap();
        let secrets = SecretDirectory::new(folder.path().to_owned());
        let reference = "urn:k8s:secret:app:secret".parse().unwrap();
        assert!(secrets.read(&reference).await.unwrap().is_none());

        // A folder is there, and is no secret.
        fs::create_dir_all(folder.path().join("app/secret")).unwrap();
        assert!(secrets.read(&reference).await.is_err());
    }
}
