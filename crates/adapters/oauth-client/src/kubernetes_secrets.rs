//! Secrets from the API of the cluster that we run in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::gateway::SecretReference;
use domain::port::SecretReader;
use domain::{ClientSecret, Fault};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;
use url::Url;

/// Secrets of the pod's namespace, asked of the Kubernetes API each time: a configuration is read
/// seldom, and a secret that changed is to be seen.
#[derive(Clone, Debug)]
pub struct KubernetesSecrets {
    http: Client,
    api: Url,
    namespace: String,
    token: PathBuf,
}

/// Why the API cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum NoKubernetes {
    /// The service account is not mounted, or not whole.
    #[error("the service account of the pod cannot be read: {0} is missing or unreadable")]
    Account(&'static str),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// How long the API may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read: a secret has a mebibyte at most, which base64 makes longer.
const MAX_BYTES: usize = 2 * 1024 * 1024;

impl KubernetesSecrets {
    /// Asks the API at `api` as the service account whose files (`token`, `namespace`, `ca.crt`) lie
    /// in `account`: `/var/run/secrets/kubernetes.io/serviceaccount` in every pod.
    ///
    /// # Errors
    ///
    /// [`NoKubernetes`].
    pub fn new(api: Url, account: &Path) -> Result<Self, NoKubernetes> {
        let read =
            |name| std::fs::read(account.join(name)).map_err(|_| NoKubernetes::Account(name));
        let namespace = String::from_utf8(read("namespace")?)
            .map_err(|_| NoKubernetes::Account("namespace"))?;
        let authorities = Certificate::from_pem_bundle(&read("ca.crt")?)
            .map_err(|_| NoKubernetes::Account("ca.crt"))?;
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            // Nobody else vouches for the cluster.
            .tls_certs_only(authorities)
            .build()
            .map_err(NoKubernetes::Client)?;
        let namespace = namespace.trim().to_owned();
        Ok(Self { http, api, namespace, token: account.join("token") })
    }

    fn address(&self, name: &str) -> Url {
        let mut address = self.api.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty();
            path.extend(["api", "v1", "namespaces", &self.namespace, "secrets", name]);
        }
        address
    }
}

#[async_trait]
impl SecretReader for KubernetesSecrets {
    async fn read(&self, reference: &SecretReference) -> Result<Option<ClientSecret>, Fault> {
        // The kubelet renews it: what is in the file now counts.
        let token = std::fs::read_to_string(&self.token).map_err(Fault::unavailable)?;
        let question = self.http.get(self.address(reference.name())).bearer_auth(token.trim());
        let unreachable = |error: reqwest::Error| Fault::unavailable(error.without_url());
        let mut answer = question.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = "the service account of the pod may not `get` this secret: bind a role \
                           to it that may";
                return Err(Fault::corrupt(why));
            }
            status => {
                return Err(Fault::unavailable(format!("the Kubernetes API answered {status}")));
            }
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if MAX_BYTES < body.len() + piece.len() {
                return Err(Fault::corrupt("the answer of the Kubernetes API is too long"));
            }
            body.extend_from_slice(&piece);
        }
        let unreadable = || Fault::corrupt("the answer of the Kubernetes API cannot be read");
        let document: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        let Some(encoded) = document.get("data").and_then(|data| data.get(reference.key())) else {
            return Ok(None);
        };
        let decoded = encoded.as_str().and_then(|it| BASE64_STANDARD.decode(it).ok());
        let text = String::from_utf8(decoded.ok_or_else(unreadable)?)
            .map_err(|_| Fault::corrupt("the secret is no UTF-8"))?;
        // As of a file: the line end that editors and `echo` put there.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Some(ClientSecret::new(text.strip_suffix('\r').unwrap_or(text).to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const NAMESPACE: &str = "shop";

    /// An answer with a body.
    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Asks an API that gives this answer; says what it was asked, and what was read.
    async fn ask(answer: &str) -> (String, Result<Option<String>, Fault>) {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let account = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, .. } = generate_simple_self_signed(["api".to_owned()]).unwrap();
        fs::write(account.path().join("ca.crt"), cert.pem()).unwrap();
        fs::write(account.path().join("namespace"), NAMESPACE).unwrap();
        fs::write(account.path().join("token"), "of-the-account\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap().to_lowercase()
        };
        let secrets = KubernetesSecrets::new(api, account.path()).unwrap();
        let reference = "urn:k8s:secret:app:secret".parse().unwrap();

        let (asked, read) = tokio::join!(serve, secrets.read(&reference));

        (asked, read.map(|it| it.map(|it| it.expose().to_owned())))
    }

    #[tokio::test]
    async fn a_secret_of_the_namespace_is_asked_for_as_the_service_account() {
        let (asked, read) = ask(&ok(r#"{"data":{"secret":"aHVudGVyMgo="}}"#)).await;

        assert_eq!(read.unwrap().as_deref(), Some("hunter2"));
        assert!(asked.starts_with("get /api/v1/namespaces/shop/secrets/app http/1.1"), "{asked}");
        assert!(asked.contains("authorization: bearer of-the-account\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_apart_from_what_may_not_be_read() {
        let none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask(none).await.1.unwrap(), None);
        let other = ok(r#"{"data":{"other":"YQ=="}}"#);
        assert_eq!(ask(&other).await.1.unwrap(), None);

        let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        let fault = ask(forbidden).await.1.unwrap_err();
        assert!(fault.explained().contains("bind a role"), "{}", fault.explained());
        for broken in [
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
            &ok("{]"),
            &ok(r#"{"data":{"secret":"!!!"}}"#),
            &ok(r#"{"data":{"secret":7}}"#),
            &ok(r#"{"data":{"secret":"/w=="}}"#),
        ] {
            assert!(ask(broken).await.1.is_err(), "{broken}");
        }
    }

    #[test]
    fn without_a_service_account_it_says_what_is_missing() {
        let account = tempfile::tempdir().unwrap();

        let missing =
            KubernetesSecrets::new("https://api".parse().unwrap(), account.path()).unwrap_err();

        assert!(missing.to_string().contains("namespace"), "{missing}");
    }
}
