//! TLS and HTTP/2, to callers and to servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Version;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::gateway::client;
use crate::support::upstream::ROUTE;
use crate::support::{Echo, Gateway, Upstream};

/// Writes a certificate for `names` and its key; says where the two are in a configuration.
fn certificate(directory: &Path, stem: &str, names: &[&str]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    std::fs::write(directory.join(format!("{stem}.pem")), cert.pem()).unwrap();
    std::fs::write(directory.join(format!("{stem}.key")), signing_key.serialize_pem()).unwrap();
    cert.der().to_vec()
}

fn tls_gateway(rest: &str) -> Gateway {
    let text = format!(
        "listeners:\n\
         - name: public\n  address: \"127.0.0.1:0\"\n  tls:\n    certificates:\n\
         \x20   - {{ certificate: one.pem, key: one.key }}\n\
         \x20   - {{ certificate: other.pem, key: other.key }}\n{rest}"
    );
    let gateway = Gateway::spawn(&text, |directory| {
        certificate(directory, "one", &["one.example.com"]);
        certificate(directory, "other", &["other.example.com", "*.wild.example.com"]);
    });
    gateway.address("public");
    gateway
}

fn https(gateway: &Gateway, path: &str) -> String {
    gateway.url(path).replace("http://", "https://")
}

/// The certificate that is shown to whoever asks for `name`.
async fn shown(gateway: &Gateway, name: &str) -> Vec<u8> {
    let config = rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let stream = TcpStream::connect(gateway.address("public")).await.unwrap();
    let name = name.to_owned().try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn written(gateway: &Gateway, stem: &str) -> Vec<u8> {
    let pem = std::fs::read(gateway.file().with_file_name(format!("{stem}.pem"))).unwrap();
    CertificateDer::from_pem_slice(&pem).unwrap().to_vec()
}

#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[tokio::test]
async fn over_tls_http2_is_spoken_to_whoever_can_and_servers_need_not() {
    let upstream = Upstream::echo().await;
    let gateway = tls_gateway(&(upstream.settings("") + ROUTE));

    let response = gateway.http.post(https(&gateway, "/a?b")).body("hello").send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let echo = Echo::of(response).await;
    assert_eq!((echo.text("target"), echo.text("body")), ("/a?b", "hello"));
    assert_eq!(echo.header("host"), Some(gateway.address("public").as_str()));
    assert_eq!(echo.header("x-forwarded-proto"), Some("https"));

    let plain = client().http1_only().build().unwrap();
    let response = plain.get(https(&gateway, "/")).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let upstream = Upstream::echo().await;
    let gateway = tls_gateway(&(upstream.settings("") + ROUTE));

    for (name, stem) in [
        ("one.example.com", "one"),
        ("other.example.com", "other"),
        ("a.wild.example.com", "other"),
        ("a.b.wild.example.com", "one"),
        ("unknown.example.com", "one"),
    ] {
        assert_eq!(shown(&gateway, name).await, written(&gateway, stem), "{name}");
    }
}

#[tokio::test]
async fn new_certificates_are_shown_without_a_restart() {
    let upstream = Upstream::echo().await;
    let gateway = tls_gateway(&(upstream.settings("") + ROUTE));
    let before = shown(&gateway, "one.example.com").await;

    certificate(gateway.file().parent().unwrap(), "one", &["one.example.com"]);
    gateway.signal(Signal::SIGHUP);
    gateway.await_message("the configuration was changed", 1);

    let after = shown(&gateway, "one.example.com").await;
    assert_ne!(after, before);
    assert_eq!(after, written(&gateway, "one"));
}

/// A server of HTTP/2 without TLS, as those of gRPC are: it answers with trailers.
async fn grpc() -> Upstream {
    Upstream::serve(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            crate::support::upstream::spawn(async move {
                let te = request.headers().get("te").map(|it| it.to_str().unwrap().to_owned());
                let path = request.uri().path().to_owned();
                let mut body = request.into_body();
                let response = http::Response::builder()
                    .header("content-type", "application/grpc")
                    .header("seen-te", te.unwrap_or_default())
                    .header("seen-path", path);
                let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
                while let Some(piece) = body.data().await {
                    let piece: Bytes = piece.unwrap();
                    body.flow_control().release_capacity(piece.len()).unwrap();
                    stream.send_data(piece, false).unwrap();
                }
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                stream.send_trailers(trailers).unwrap();
            });
        }
    })
    .await
}

#[tokio::test]
async fn a_call_of_grpc_passes_both_ways_with_its_trailers() {
    let upstream = grpc().await;
    let text = format!(
        "listeners: [{{ name: public, address: \"127.0.0.1:0\", http2: true }}]\n{}{ROUTE}",
        upstream.settings("http: \"2\"")
    );
    let gateway = Gateway::of(&text);

    let stream = TcpStream::connect(gateway.address("public")).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let _connection = crate::support::upstream::spawn(async move { drop(connection.await) });
    let request = http::Request::post(gateway.url("/orders.Orders/Get"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let mut client = client.ready().await.unwrap();
    let (response, mut sending) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["seen-te"], "trailers");
    assert_eq!(response.headers()["seen-path"], "/orders.Orders/Get");
    // A stream in both directions: each message is answered before the next one is sent.
    let mut body = response.into_body();
    for message in ["one", "two"] {
        sending.send_data(Bytes::from_static(message.as_bytes()), false).unwrap();
        let piece = tokio::time::timeout(Duration::from_secs(10), body.data()).await;
        let piece = piece.unwrap().unwrap().unwrap();
        assert_eq!(piece, message.as_bytes());
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    sending.send_data(Bytes::new(), true).unwrap();
    while let Some(piece) = body.data().await {
        assert!(piece.unwrap().is_empty());
    }
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn servers_are_spoken_to_over_tls_and_must_show_who_they_are() {
    let secret = Upstream::echo().await;
    // A gateway before the server is a server with TLS.
    let inner = tls_gateway(&(secret.settings("") + ROUTE));
    let ca = inner.file().with_file_name("other.pem");
    let (address, ca) = (inner.address("public"), ca.to_str().unwrap().to_owned());
    let outer = async |tls: &str| {
        let text = format!(
            "upstreams: {{ it: {{ addresses: [\"{address}\"], tls: {{ {tls} }} }} }}\n{ROUTE}"
        );
        Gateway::start(&text).get("/").await.status().as_u16()
    };

    assert_eq!(outer(&format!("serverName: other.example.com, ca: \"{ca}\"")).await, 200);
    assert_eq!(outer("serverName: other.example.com, insecureSkipVerify: true").await, 200);
    // Another name, another authority.
    assert_eq!(outer(&format!("serverName: one.example.com, ca: \"{ca}\"")).await, 502);
    assert_eq!(outer("serverName: other.example.com").await, 502);
}

#[tokio::test]
async fn t29_a_caller_that_resets_its_streams_is_shown_the_door() {
    let upstream = Upstream::echo().await;
    let text = format!(
        "listeners: [{{ name: public, address: \"127.0.0.1:0\", http2: true }}]\n{}{ROUTE}",
        upstream.settings("")
    );
    let mut gateway = Gateway::of(&text);

    let stream = TcpStream::connect(gateway.address("public")).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = crate::support::upstream::spawn(async move { drop(connection.await) });
    let mut client = client.ready().await.unwrap();
    for _ in 0..5_000 {
        let request = http::Request::get(gateway.url("/")).body(()).unwrap();
        let Ok((_, mut sending)) = client.send_request(request, false) else { break };
        sending.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }

    drop(tokio::time::timeout(Duration::from_secs(5), connection).await);
    assert!(gateway.is_running());
    let http2 = self::client().http2_prior_knowledge().build().unwrap();
    assert_eq!(http2.get(gateway.url("/")).send().await.unwrap().status(), 200);
}
