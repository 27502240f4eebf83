//! Servers behind the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::raw::Raw;

/// A server that does as it is told. It ends when this is dropped.
pub(crate) struct Upstream {
    /// Where it is.
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Serves each connection so.
    pub(crate) async fn serve<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, serve)
    }

    /// The same, at this listener.
    pub(crate) fn on<F>(
        listener: TcpListener,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&connections);
        let task = spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counting.fetch_add(1, Ordering::SeqCst);
                serving.spawn(serve(stream));
            }
        });
        Self { address, connections, task }
    }

    /// A server that says what it got, as JSON.
    pub(crate) async fn echo() -> Self {
        Self::named("echo").await
    }

    /// The same, which also says its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::serve(echo_as(name)).await
    }

    /// A server that gives each request this answer, byte for byte, and keeps connections.
    pub(crate) async fn saying(answer: &'static str) -> Self {
        Self::serve(move |stream| async move {
            let mut raw = Raw::on(stream);
            while let Some((_, _)) = request(&mut raw).await {
                raw.say(answer).await;
            }
        })
        .await
    }

    /// A configuration of an upstream called `it`, which has this server alone, and more members.
    pub(crate) fn settings(&self, more: &str) -> String {
        let address = self.address;
        let comma = if more.is_empty() { "" } else { ", " };
        format!("upstreams: {{ it: {{ addresses: [\"{address}\"]{comma}{more} }} }}\n")
    }

    /// How many connections it had.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A route for everything, to the upstream called `it`.
pub(crate) const ROUTE: &str = "routes: [{ name: all, upstream: it }]\n";

/// Reads a request, whole; `None` at the end of the connection.
pub(crate) async fn request(raw: &mut Raw) -> Option<(String, Vec<u8>)> {
    let head = raw.head_or_end().await?;
    if head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked") {
        let mut body = Vec::new();
        loop {
            let size = raw.until("\r\n").await;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            body.extend(raw.exactly(size).await);
            raw.until("\r\n").await;
            if size == 0 {
                return Some((head, body));
            }
        }
    }
    let length = super::raw::content_length(&head);
    let body = raw.exactly(length).await;
    Some((head, body))
}

/// Serves a connection by saying what came, and this name.
pub(crate) fn echo_as(
    name: &'static str,
) -> impl Fn(TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static {
    move |stream| Box::pin(echo(stream, name))
}

async fn echo(stream: TcpStream, name: &'static str) {
    let mut raw = Raw::on(stream);
    while let Some((head, body)) = request(&mut raw).await {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let answer = json!({
            "server": name,
            "method": first.next().unwrap(),
            "target": first.next().unwrap(),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        });
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        raw.say(head + &answer).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "servers of tests end with the test")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}
