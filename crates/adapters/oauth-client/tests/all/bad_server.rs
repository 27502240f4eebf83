//! An authorization server that does what a test tells it, however rude.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Sends these bytes, and then nothing for a long time.
    Stall(Vec<u8>),
    /// Closes without a word.
    Close,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|it| it.split_once(": "));
        let found = lines.find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub(crate) fn member(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(it, _)| it == name).map(|(_, value)| value)
    }
}

/// A server under a script; it stops with the test's runtime.
pub(crate) struct BadServer {
    address: SocketAddr,
    is_tls: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl BadServer {
    /// Answers the first request with the first reply and so on; the last one is for all others.
    pub(crate) async fn replying(script: &[Reply]) -> Self {
        let script = script.to_vec();
        Self::deciding(None, move |number, _| {
            script.get(number).or_else(|| script.last()).unwrap().clone()
        })
        .await
    }

    pub(crate) async fn deciding(
        tls: Option<TlsAcceptor>,
        decide: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, decide) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(decide));
        let (kept, is_tls) = (Arc::clone(&seen), tls.is_some());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, decide, tls) = (Arc::clone(&kept), Arc::clone(&decide), tls.clone());
                tokio::spawn(async move {
                    let answer = |request: Seen| {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        decide(seen.len() - 1, &request)
                    };
                    match tls {
                        None => serve(stream, answer).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, answer).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, is_tls, seen }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        let (scheme, host) =
            if self.is_tls { ("https", "localhost") } else { ("http", "127.0.0.1") };
        format!("{scheme}://{host}:{}{path}", self.address.port()).parse().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve<S>(mut stream: S, answer: impl FnOnce(Seen) -> Reply) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = read(&mut stream).await?;
    match answer(request) {
        Reply::Raw(bytes) => {
            // Whoever has read enough hangs up.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        Reply::Close => {}
    }
    Some(())
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let seen = Seen { head: head.to_owned(), body: body.to_owned() };
            let length = seen.header("content-length").map_or(0, |it| it.parse().unwrap());
            if seen.body.len() == length {
                return Some(seen);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A whole answer.
pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> Reply {
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    Reply::Raw(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// A token.
pub(crate) fn token(members: &str) -> Reply {
    answer(200, &["Content-Type: application/json"], &format!(r#"{{"access_token":"t"{members}}}"#))
}

pub(crate) fn error(status: u16, code: &str) -> Reply {
    answer(status, &[], &format!(r#"{{"error":"{code}"}}"#))
}
