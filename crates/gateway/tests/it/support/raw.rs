//! Bytes over TCP, where a well-behaved client is in the way.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which anything may be said.
pub(crate) struct Raw {
    stream: TcpStream,
    /// What came and was not asked for yet.
    pending: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub(crate) async fn to(address: &str) -> Self {
        Self::on(TcpStream::connect(address).await.unwrap())
    }

    /// Talks on this connection.
    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, pending: Vec::new() }
    }

    /// Says something; `false` when nobody listens any more.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Has nothing more to say.
    pub(crate) async fn end(&mut self) {
        drop(self.stream.shutdown().await);
    }

    /// Reads until `end` has come; says everything up to there.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.pending.windows(end.len()).position(|it| it == end.as_bytes());
            if let Some(at) = found {
                let rest = self.pending.split_off(at + end.len());
                let text = std::mem::replace(&mut self.pending, rest);
                return String::from_utf8_lossy(&text).into_owned();
            }
            let mut piece = [0; 4_096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
            let so_far = String::from_utf8_lossy(&self.pending).into_owned();
            let read = read.unwrap_or_else(|_| panic!("no {end:?} after {so_far:?}")).unwrap();
            assert_ne!(read, 0, "closed before {end:?}, after {so_far:?}");
            self.pending.extend_from_slice(&piece[..read]);
        }
    }

    /// Reads the head of a message.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads the head of a message, if another one comes.
    pub(crate) async fn head_or_end(&mut self) -> Option<String> {
        while self.pending.is_empty() {
            match self.stream.read_buf(&mut self.pending).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
        Some(self.head().await)
    }

    /// Reads so many bytes.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.pending.len() < count {
            let mut piece = [0; 4_096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await.unwrap().unwrap();
            assert_ne!(read, 0, "closed after {} of {count} bytes", self.pending.len());
            self.pending.extend_from_slice(&piece[..read]);
        }
        let rest = self.pending.split_off(count);
        std::mem::replace(&mut self.pending, rest)
    }

    /// Reads one message: its head, and as much of a body as `content-length` says.
    pub(crate) async fn message(&mut self) -> (String, Vec<u8>) {
        let head = self.head().await;
        let body = self.exactly(content_length(&head)).await;
        (head, body)
    }

    /// Reads until the other side closes the connection.
    pub(crate) async fn all(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.pending);
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await;
        // A reset is an end, too.
        drop(read.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&bytes))));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether the other side has closed the connection, or does within a while.
    pub(crate) async fn is_closed(&mut self, patience: Duration) -> bool {
        let mut byte = [0];
        matches!(timeout(patience, self.stream.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
    }
}

/// What a head says of the length of its body.
pub(crate) fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |it| it.trim().parse().unwrap())
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}
