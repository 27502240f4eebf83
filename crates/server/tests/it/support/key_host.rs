//! A host where clients publish keys, and whatever else.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Options;

/// A host that answers every request with the same bytes, and counts them. It is gone when this is
/// dropped.
pub(crate) struct KeyHost {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl KeyHost {
    /// A host that publishes these keys.
    pub(crate) async fn with_keys(keys: &[Value]) -> Self {
        let host = Self::start().await;
        host.publish(keys);
        host
    }

    #[expect(clippy::disallowed_methods, reason = "a server of a test runs beside it")]
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, requests) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default());
        let (bytes, count) = (Arc::clone(&answer), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let bytes = bytes.lock().unwrap().clone();
                tokio::spawn(answered(stream, bytes));
            }
        });
        Self { address, answer, requests, task }
    }

    /// Publishes these keys in the place of the others.
    pub(crate) fn publish(&self, keys: &[Value]) {
        let body = json!({"keys": keys}).to_string();
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json";
        self.answer_with(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}"));
    }

    /// Answers with these bytes from now on.
    pub(crate) fn answer_with(&self, bytes: impl Into<Vec<u8>>) {
        *self.answer.lock().unwrap() = bytes.into();
    }

    /// How often it was asked, or only connected to.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Its address, by the name `host`.
    pub(crate) fn at(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/keys?secret=hunter2", self.address.port())
    }

    /// Its plain address.
    pub(crate) fn uri(&self) -> String {
        self.at("http", "127.0.0.1")
    }

    /// A server that fetches keys from this machine, and asks again as soon as it ever does.
    pub(crate) fn options() -> Options {
        Options::default()
            .with("TOKENWRIGHT__JWKS_URI__HTTP_NETWORKS", "127.0.0.0/8")
            .with("TOKENWRIGHT__JWKS_URI__REFRESH_SECONDS", "1")
    }
}

impl Drop for KeyHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answered(mut stream: TcpStream, bytes: Vec<u8>) {
    let mut request = [0; 4_096];
    // Whoever goes away is no matter.
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}
