//! What is fetched, and what is not: against servers that behave and servers that do not.

#![expect(clippy::unwrap_used, reason = "test helpers speak by panicking")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use adapter_remote::{FetchOptions, Networks, PublishedKeysFetcher};
use domain::port::RemoteKeys as _;
use domain::{Fault, FaultKind, JwksUri, JwksUriRefusal, SigningAlgorithm};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

const TIMEOUT: Duration = Duration::from_secs(2);

fn options(allowed: &[&str], plain_http: &[&str]) -> FetchOptions {
    static TLS: Once = Once::new();
    TLS.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
    let parsed = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect();
    FetchOptions {
        is_on: true,
        networks: Networks { allowed: parsed(allowed), plain_http: parsed(plain_http) },
        authorities: None,
        algorithms: SigningAlgorithm::ALL.to_vec(),
        timeout: TIMEOUT,
    }
}

fn fetcher() -> PublishedKeysFetcher {
    PublishedKeysFetcher::new(options(&[], &["127.0.0.0/8"])).unwrap()
}

fn document() -> String {
    let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": "one"},
        {"kty": "OKP", "crv": "X25519", "x": x, "use": "enc"},
    ]})
    .to_string()
}

fn answer(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// A server that answers each request with these bytes, in pieces of so many, with a pause between.
struct Host {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Host {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::dripping(answer, usize::MAX, Duration::ZERO, None).await
    }

    #[expect(clippy::disallowed_methods, reason = "a server of a test runs beside it")]
    async fn dripping(
        answer: impl Into<Vec<u8>>,
        piece: usize,
        pause: Duration,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer.into()));
        let count = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, tls) = (Arc::clone(&answer), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drip(stream, &answer, piece, pause).await,
                        // Whoever does not trust us goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drip(stream, &answer, piece, pause).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests, task }
    }

    fn at(&self, scheme: &str, host: &str) -> JwksUri {
        format!("{scheme}://{host}:{}/jwks?a=b", self.address.port()).parse().unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drip(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    piece: usize,
    pause: Duration,
) {
    let mut request = [0; 4_096];
    let _ = stream.read(&mut request).await;
    for piece in answer.chunks(piece.min(answer.len().max(1))) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        let _ = stream.flush().await;
        sleep(pause).await;
    }
    let _ = stream.shutdown().await;
}

fn reason(fault: &Fault) -> String {
    assert_eq!(fault.kind(), FaultKind::Unavailable, "{}", fault.explained());
    fault.explained()
}

#[tokio::test]
async fn keys_are_fetched_with_what_is_said_of_their_age() {
    let host = Host::answering(answer("cache-control: max-age=60\r\n", &document())).await;

    let set = fetcher().look_again(&host.at("http", "127.0.0.1")).await.unwrap();

    assert_eq!(set.keys.len(), 1);
    assert_eq!(set.keys[0].key_id().unwrap().as_str(), "one");
    assert_eq!(set.max_age, Some(Duration::from_mins(1)));
}

/// Nothing of what is found there but keys ever comes back, whatever it is.
#[tokio::test]
async fn t27_what_is_no_set_of_keys_is_out() {
    let private = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    for (what, bytes) in [
        ("a page", answer("", "<html>internal</html>")),
        ("nothing", answer("", "")),
        ("a private key", answer("", private)),
        ("not found", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("partial", answer("", &document()).replace("200 OK", "206 Partial Content")),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        ("packed", answer("content-encoding: gzip\r\n", "\x1f\x08\x00")),
        ("cut", answer("", &document()).replace("content-length: ", "content-length: 9")),
    ] {
        let host = Host::answering(bytes).await;

        let fault = fetcher().look_again(&host.at("http", "127.0.0.1")).await.unwrap_err();

        let reason = reason(&fault);
        for secret in ["internal", "c2VjcmV0", "SSH-2.0", "a=b", "/jwks", "127.0.0.1"] {
            assert!(!reason.contains(secret), "{what}: {reason}");
        }
        assert_eq!(host.requests(), 1, "{what}");
    }
}

#[tokio::test]
async fn t27_no_redirect_is_followed() {
    let inside = Host::answering(answer("", &document())).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = inside.at("http", "127.0.0.1");
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            location.as_str()
        );
        let host = Host::answering(answer).await;

        let fault = fetcher().look_again(&host.at("http", "127.0.0.1")).await.unwrap_err();

        assert!(reason(&fault).contains(&status[..3]), "{status}");
    }
    assert_eq!(inside.requests(), 0);
}

#[tokio::test]
async fn t27_a_large_answer_is_not_read() {
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "a".repeat(70_000));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    for bytes in [answer("", &large), chunked] {
        let host = Host::answering(bytes).await;
        let fault = fetcher().look_again(&host.at("http", "127.0.0.1")).await.unwrap_err();
        assert!(reason(&fault).contains("more than 65536 bytes"));
    }
}

/// Each byte comes in time, and the whole never.
#[tokio::test]
async fn t27_a_slow_answer_ends_with_the_deadline() {
    let whole = answer("", &document());
    let in_head = (whole.clone(), 1);
    let in_body = (whole, 20);
    let silent = (String::new(), 1);
    for (answer, piece) in [in_head, in_body, silent] {
        let host = Host::dripping(answer, piece, Duration::from_millis(200), None).await;
        let started = Instant::now();

        let fault = fetcher().look_again(&host.at("http", "127.0.0.1")).await.unwrap_err();

        reason(&fault);
        assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    }
}

/// Whatever is written, nobody connects: there is a server, and it hears nothing.
#[tokio::test]
async fn t27_nothing_inside_is_asked_unless_it_is_listed() {
    let host = Host::answering(answer("", &document())).await;
    let strict = PublishedKeysFetcher::new(options(&[], &[])).unwrap();
    let elsewhere = PublishedKeysFetcher::new(options(&["10.0.0.0/8"], &["10.0.0.0/8"])).unwrap();

    for fetcher in [&strict, &elsewhere] {
        for name in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "127.0.0.1.",
        ] {
            for scheme in ["https", "http"] {
                let uri = host.at(scheme, name);
                assert!(fetcher.refusal(&uri).is_some(), "{scheme} {name}");
                reason(&fetcher.look_again(&uri).await.unwrap_err());
            }
        }
    }
    assert_eq!(host.requests(), 0);
    let uri = host.at("https", "127.0.0.1");
    assert_eq!(strict.refusal(&uri), Some(JwksUriRefusal::ForbiddenAddress));
    let plain = host.at("http", "keys.example");
    assert_eq!(strict.refusal(&plain), Some(JwksUriRefusal::NotHttps));
}

/// A name of the machine that leads to it, which no look at the text can tell.
#[tokio::test]
async fn t27_a_name_that_leads_inside_is_not_asked() {
    let host = Host::answering(answer("", &document())).await;
    let strict = PublishedKeysFetcher::new(options(&[], &[])).unwrap();
    for name in ["ip6-localhost", "ip6-loopback", "localhost.localdomain"] {
        let uri = host.at("https", name);
        // Some machines do not know it at all.
        let reason = reason(&strict.look_again(&uri).await.unwrap_err());
        assert!(!reason.contains(name), "{reason}");
    }
    assert_eq!(host.requests(), 0);
}

#[tokio::test]
async fn what_is_listed_is_asked_by_name_and_address() {
    let host = Host::answering(answer("", &document())).await;
    for name in ["127.0.0.1", "localhost", "127.1"] {
        let set = fetcher().look_again(&host.at("http", name)).await.unwrap();
        assert_eq!(set.keys.len(), 1, "{name}");
    }
    assert_eq!(host.requests(), 3, "no connection is kept");
}

#[tokio::test]
async fn where_it_is_off_nothing_is_fetched() {
    let host = Host::answering(answer("", &document())).await;
    let off = FetchOptions { is_on: false, ..options(&[], &["127.0.0.0/8"]) };
    let off = PublishedKeysFetcher::new(off).unwrap();
    let uri = host.at("http", "127.0.0.1");

    assert_eq!(off.refusal(&uri), Some(JwksUriRefusal::Off));
    reason(&off.look_again(&uri).await.unwrap_err());
    assert_eq!(host.requests(), 0);
}

#[tokio::test]
async fn over_tls_only_who_is_vouched_for_is_believed() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut options = options(&["127.0.0.0/8"], &[]);
    let stranger = PublishedKeysFetcher::new(options.clone()).unwrap();
    options.authorities = Some(cert.pem().into_bytes());
    let friend = PublishedKeysFetcher::new(options.clone()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    let bytes = answer("", &document());
    let host = Host::dripping(bytes, usize::MAX, Duration::ZERO, tls).await;

    let set = friend.look_again(&host.at("https", "localhost")).await.unwrap();
    assert_eq!(set.keys.len(), 1);
    reason(&stranger.look_again(&host.at("https", "localhost")).await.unwrap_err());
    // The certificate is for the name alone.
    reason(&friend.look_again(&host.at("https", "127.0.0.1")).await.unwrap_err());

    options.authorities = Some(b"no certificate".to_vec());
    assert!(PublishedKeysFetcher::new(options).is_err());
}

/// A host holds up itself: it has few places, however many clients name it, and the others are free.
#[tokio::test]
async fn t06_one_slow_host_leaves_the_fetch_of_another_quick() {
    let slow = Host::dripping(answer("", &document()), 1, Duration::from_secs(1), None).await;
    let quick = Host::answering(answer("", &document())).await;
    let fetcher = Arc::new(fetcher());
    let mut flood = tokio::task::JoinSet::new();
    for path in 0..100 {
        let uri = format!("http://127.0.0.1:{}/{path}", slow.address.port()).parse().unwrap();
        let fetcher = Arc::clone(&fetcher);
        flood.spawn(async move { fetcher.look_again(&uri).await.map_err(|it| it.kind()) });
    }
    while slow.requests() == 0 {
        sleep(Duration::from_millis(1)).await;
    }

    let started = Instant::now();
    fetcher.look_again(&quick.at("http", "localhost")).await.unwrap();

    // Far from the third of the timeout for which a place is waited for.
    assert!(started.elapsed() < TIMEOUT / 6, "{:?}", started.elapsed());
    assert!(!flood.is_empty());
    let outcomes = flood.join_all().await;
    let asked = outcomes.iter().filter(|it| it == &&Err(FaultKind::Unavailable)).count();
    let waited = outcomes.iter().filter(|it| it == &&Err(FaultKind::Overloaded)).count();
    assert_eq!(asked + waited, 100);
    assert_eq!(slow.requests(), asked);
    assert_eq!(asked, 2, "nobody else got a place in time");
}

/// A host that ran into the deadline is given a quarter of the time, until it answers again.
#[tokio::test]
async fn t06_patience_with_a_host_that_was_too_slow_is_short() {
    let slow = Host::dripping(String::from("H"), 1, TIMEOUT, None).await;
    let quick = Host::answering(answer("", &document())).await;
    let fetcher = fetcher();
    let took = async |uri: JwksUri| {
        let started = Instant::now();
        let outcome = fetcher.look_again(&uri).await.map(drop);
        (started.elapsed(), outcome.is_ok())
    };

    let (first, _) = took(slow.at("http", "127.0.0.1")).await;
    let (second, _) = took(slow.at("http", "127.0.0.1")).await;

    assert!(TIMEOUT / 2 < first, "{first:?}");
    assert!(second < TIMEOUT / 3, "{second:?}");
    assert!(took(quick.at("http", "127.0.0.1")).await.1);
    let (third, _) = took(slow.at("http", "127.0.0.1")).await;
    assert!(TIMEOUT / 2 < third, "{third:?}");
}
