//! Whom we trust, and what we show.

use std::sync::Arc;
use std::time::Duration;

use adapter_oauth_client::{
    ClientCertificate, InvalidOauthClientOptions, OauthClient, OauthClientOptions, Trust,
};
use domain::gateway::FetchFailure;
use domain::port::TokenEndpoint as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::bad_server::{BadServer, token};
use crate::support::{client, fetch, options};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    async fn server(&self, name: &str, wants_certificate: bool) -> BadServer {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (certificate, key) = self.certify(name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder();
        let builder = if wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        BadServer::deciding(Some(TlsAcceptor::from(Arc::new(config))), |_, _| token("")).await
    }
}

async fn outcome(options: OauthClientOptions, server: &BadServer) -> Result<(), FetchFailure> {
    client(options).fetch(&fetch(server.url("/token"))).await.map(drop)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_beside_the_systems() {
    let authority = Authority::new();
    let server = authority.server("localhost", false).await;
    let trusting = OauthClientOptions { trust: Trust::Also(authority.pem()), ..options() };

    assert!(outcome(trusting, &server).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_is_asked_nothing_and_not_tried_again() {
    let (authority, other) = (Authority::new(), Authority::new());
    let begin = Instant::now();
    for (name, trust) in [
        ("localhost", Trust::System),
        ("localhost", Trust::Also(other.pem())),
        ("elsewhere", Trust::Also(authority.pem())),
    ] {
        let server = authority.server(name, false).await;
        let options = OauthClientOptions {
            trust,
            // A second try would be waited for.
            first_pause: Duration::from_secs(8),
            ..options()
        };

        let failure = outcome(options, &server).await.unwrap_err();

        assert!(matches!(failure, FetchFailure::Unreachable(_)), "{failure:?}");
        assert!(server.seen().is_empty());
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn verification_can_be_turned_off() {
    let server = Authority::new().server("elsewhere", false).await;
    let options = OauthClientOptions { trust: Trust::Anybody, ..options() };

    assert!(outcome(options, &server).await.is_ok());
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_whoever_asks() {
    let authority = Authority::new();
    let server = authority.server("localhost", true).await;
    let (certificate, key) = authority.certify("gateway");
    let without =
        OauthClientOptions { trust: Trust::Also(authority.pem()), max_retries: 0, ..options() };
    let with = OauthClientOptions {
        client_certificate: Some(ClientCertificate {
            certificates: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes().into(),
        }),
        ..without.clone()
    };

    assert!(outcome(with, &server).await.is_ok());
    assert!(outcome(without, &server).await.is_err());
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_before_anybody_is_asked() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = |options| OauthClient::new(options, Arc::new(adapter_memory::SystemClock));
    let trust = Trust::Also(b"no pem".to_vec());
    let refused = made(OauthClientOptions { trust, ..options() }).unwrap_err();
    assert!(matches!(refused, InvalidOauthClientOptions::Authorities));

    let authority = Authority::new();
    let (certificate, _) = authority.certify("gateway");
    let (_, other_key) = authority.certify("gateway");
    for key in [b"no pem".to_vec(), other_key.serialize_pem().into_bytes()] {
        let pair =
            ClientCertificate { certificates: certificate.pem().into_bytes(), key: key.into() };
        let refused = made(OauthClientOptions { client_certificate: Some(pair), ..options() });
        assert!(
            matches!(refused, Err(InvalidOauthClientOptions::ClientCertificate)),
            "{refused:?}"
        );
    }
}
