//! TLS by configuration.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::cli::run;
use crate::support::jwt::GRANT;
use crate::support::{Answer, Options, Server};

struct Certificate {
    directory: TempDir,
    pem: String,
}

impl Certificate {
    fn make() -> Self {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let directory = TempDir::new().unwrap();
        let it = Self { directory, pem: cert.pem() };
        it.write("certificate.pem", &it.pem);
        it.write("key.pem", &signing_key.serialize_pem());
        it
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.directory.path().join(name), content).unwrap();
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        let at = |name: &str| self.directory.path().join(name).to_str().unwrap().to_owned();
        [
            ("TOKENWRIGHT__TLS__CERTIFICATE", at("certificate.pem")),
            ("TOKENWRIGHT__TLS__KEY", at("key.pem")),
        ]
    }

    fn start(&self) -> Server {
        let mut options = Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256");
        for (name, value) in self.environment() {
            options = options.with(name, &value);
        }
        let mut server = Server::start_with(options);
        server.http = self.trusting().build().unwrap();
        server
    }

    /// A client that trusts this certificate and no other.
    fn trusting(&self) -> reqwest::ClientBuilder {
        let certificate = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([certificate])
    }

    fn check(&self) -> crate::support::cli::Ended {
        let environment = self.environment();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run(self.directory.path(), &environment, &["check"])
    }
}

fn address(server: &Server) -> &str {
    server.url.strip_prefix("https://").unwrap()
}

#[tokio::test]
async fn https_speaks_http_2_and_http_1() {
    let certificate = Certificate::make();
    let mut server = certificate.start();
    let client = server.create_client(json!({})).await;

    let response = server.http.get(server.at("/-/healthz")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2, "negotiated");
    let token = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    assert_eq!(crate::support::claims(&token)["iss"], server.url);

    server.http = certificate.trusting().http1_only().build().unwrap();
    let response = server.http.get(server.at("/-/healthz")).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_11);
    server.token_of(&client).await;
}

#[tokio::test]
async fn plain_http_is_refused() {
    let certificate = Certificate::make();
    let server = certificate.start();
    let mut stream = TcpStream::connect(address(&server)).await.unwrap();

    stream.write_all(b"GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();

    let mut answer = Vec::new();
    // It ends or is reset, and nothing was said but a TLS alert.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    drop(read.await.expect("the connection ends"));
    assert!(!answer.windows(5).any(|it| it == b"HTTP/"), "{answer:?}");
    assert_eq!(server.get("/-/healthz").await.status, 200);
}

#[test]
fn a_pair_that_cannot_be_used_is_named() {
    let certificate = Certificate::make();
    assert_eq!(certificate.check().well().stdout, "the configuration is right\n");
    let another = KeyPair::generate().unwrap().serialize_pem();

    certificate.write("key.pem", &another);
    certificate.check().badly(1, "tls: the certificate and its key: ");
    for (name, content) in [
        ("key.pem", ""),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nhush-4711\n-----END PRIVATE KEY-----\n"),
        ("key.pem", certificate.pem.as_str()),
        ("certificate.pem", ""),
        ("certificate.pem", another.as_str()),
    ] {
        let wrong = Certificate::make();
        wrong.write(name, content);
        let ended = wrong.check().badly(1, name);
        assert!(!ended.printed().contains("hush-4711"), "{ended:?}");
    }
    fs::remove_file(certificate.directory.path().join("certificate.pem")).unwrap();
    certificate.check().badly(1, "certificate.pem cannot be used: No such file");
    let [one, other] = certificate.environment();
    for ((name, value), missing) in [(one, "tls.key"), (other, "tls.certificate")] {
        run(certificate.directory.path(), &[(name, &value)], &["check"]).badly(2, missing);
    }
}

/// CVE-2023-44487: streams are opened and reset at once, as fast as can be.
#[tokio::test]
async fn t48_rapid_resets_do_not_keep_others_from_their_tokens() {
    let certificate = Certificate::make();
    let server = certificate.start();
    let client = server.create_client(json!({})).await;
    server.token_of(&client).await;

    let mut opened = 0;
    for _ in 0..20 {
        opened += reset_many(&certificate, address(&server), &client.basic(), 1_000).await;
        // Others are served meanwhile.
        server.token_of(&client).await;
    }

    assert!(400 < opened, "{opened}");
    let fresh = certificate.trusting().build().unwrap();
    let answer = Answer::to(fresh.get(server.at("/-/healthz"))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
    assert!(resident_kib(&server) < 400 * 1024, "{} KiB", resident_kib(&server));
}

/// Opens streams on one connection and resets each, until the server has enough of it.
async fn reset_many(
    certificate: &Certificate,
    address: &str,
    authorization: &str,
    count: usize,
) -> usize {
    let mut roots = rustls::RootCertStore::empty();
    let parsed = rustls::pki_types::pem::PemObject::from_pem_slice(certificate.pem.as_bytes());
    roots.add(parsed.unwrap()).unwrap();
    let mut config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let opened = Cell::new(0);
    let opening = async {
        while opened.get() < count {
            let Ok(ready) = sender.ready().await else {
                break;
            };
            sender = ready;
            let request = http::Request::post(format!("https://{address}/oauth/token"))
                .header("authorization", authorization)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(())
                .unwrap();
            let Ok((_, mut body)) = sender.send_request(request, false) else {
                break;
            };
            // On its way, and then taken back.
            tokio::task::yield_now().await;
            body.send_reset(h2::Reason::CANCEL);
            opened.set(opened.get() + 1);
        }
    };
    tokio::select! {
        () = opening => (),
        // The server has enough of it.
        _ = connection => (),
        () = tokio::time::sleep(Duration::from_secs(10)) => (),
    }
    opened.get()
}

fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
