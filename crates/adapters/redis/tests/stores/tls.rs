//! TLS: who is trusted, and who trusts us.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use adapter_redis::{ClientCertificate, RedisOptions, TlsOptions, Topology};
use domain::port::{ChangeAnnouncer as _, ChangeFeed as _, HealthProbe as _};
use domain::{Change, Fault, FaultKind};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;
use testbed::redis::{Passwords, RedisCluster, RedisServer, SentinelGroup, TlsFiles};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::servers::{self, BOUND, DATA, Stage, WATCH, burn, node};
use crate::standalone::Ear;

/// An authority, and what it vouches for, all in PEM.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate for its own issuer where the names are the same.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    pub(crate) fn vouch_for(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn options(&self) -> TlsOptions {
        let (certificate, key) = self.vouch_for("tokenwright");
        TlsOptions {
            certificate_authority: Some(self.pem.clone().into_bytes()),
            client: Some(ClientCertificate {
                certificates: certificate.into_bytes(),
                key: key.into_bytes().into(),
            }),
            ..TlsOptions::default()
        }
    }

    /// Files for servers, in that folder.
    fn write(&self, folder: &Path, name: &str) -> [PathBuf; 3] {
        let (certificate, key) = self.vouch_for(name);
        [("ca.pem", &self.pem), ("certificate.pem", &certificate), ("key.pem", &key)].map(
            |(file, content)| {
                let path = folder.join(file);
                fs::write(&path, content).unwrap();
                path
            },
        )
    }

    /// A server that speaks TLS alone, to those with a certificate and a password.
    fn start_server(&self, folder: &Path, name: &str) -> RedisServer {
        let files = self.write(folder, name);
        let (user, password) = DATA;
        RedisServer::start_with(|port| {
            let tls = tls_files(&files).settings(port);
            format!(
                "{tls}user default off\nuser {user} on >{password} ~test:* &test:* -@all +set +del \
                 +get +exists +eval +time +pttl +wait +hello +publish +subscribe\n"
            )
        })
        .unwrap()
    }
}

fn tls_files([authority, certificate, key]: &[PathBuf; 3]) -> TlsFiles<'_> {
    TlsFiles { authority, certificate, key }
}

struct Shared {
    host: String,
    tls: TlsOptions,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let authority = Authority::new();
    let tls = authority.options();
    let start = move || {
        let files = TempDir::new()?;
        let server = authority.start_server(files.path(), "127.0.0.1");
        Ok((server, files))
    };
    Shared { host: servers::kept(start, |(server, _)| server.host()), tls }
});

/// Options for a server that nobody breaks, and whose user may do no more than is documented.
pub(crate) fn shared() -> RedisOptions {
    options(&SHARED.host, Some(SHARED.tls.clone()))
}

fn options(host: &str, tls: Option<TlsOptions>) -> RedisOptions {
    provide();
    RedisOptions {
        username: Some(DATA.0.to_owned()),
        password: Some(DATA.1.into()),
        tls,
        ..servers::options(Topology::Standalone { host: host.to_owned() })
    }
}

/// Which cryptography TLS uses; the server chooses it when it starts.
pub(crate) fn provide() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    });
}

#[tokio::test]
async fn a_server_with_tls_works() {
    works(&shared()).await;
}

/// Writes, and hears of a change.
pub(crate) async fn works(options: &RedisOptions) {
    let node = node(options);
    node.check().await.unwrap();
    assert!(burn(&node, "j1").await.unwrap());
    assert!(!burn(&node, "j1").await.unwrap());
    let (sender, mut heard) = unbounded_channel();
    let ear = Ear(sender);
    let hear = async {
        assert_eq!(heard.recv().await, Some(Change::Unknown));
        node.announce(&Change::Keys).await.unwrap();
        assert_eq!(heard.recv().await, Some(Change::Keys));
    };
    tokio::select! {
        fault = node.follow(&ear) => panic!("{}", fault.explained()),
        () = hear => {}
    }
}

#[tokio::test]
async fn sentinels_and_the_servers_they_name_speak_tls_alike() {
    provide();
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let files = authority.write(folder.path(), "127.0.0.1");
    let stage = Stage::start(move || {
        let passwords = Passwords { data: Some(DATA), sentinel: Some(WATCH) };
        SentinelGroup::start_with(passwords, Some(tls_files(&files)))
    });
    let hosts = stage.act(|group| group.hosts()).await;
    let plain = servers::sentinel(&hosts);

    works(&RedisOptions { tls: Some(authority.options()), ..plain.clone() }).await;

    refused(&plain).await;
    refused(&RedisOptions { tls: Some(Authority::new().options()), ..plain }).await;
}

#[tokio::test]
async fn all_nodes_of_a_cluster_speak_tls() {
    provide();
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let files = authority.write(folder.path(), "127.0.0.1");
    let stage = Stage::start(move || RedisCluster::start_with(Some(tls_files(&files))));
    let hosts = stage.act(|cluster| cluster.hosts()).await;
    let plain = servers::cluster(&hosts);

    works(&RedisOptions { tls: Some(authority.options()), ..plain.clone() }).await;

    refused(&plain).await;
    refused(&RedisOptions { tls: Some(Authority::new().options()), ..plain }).await;
}

#[tokio::test]
async fn another_authority_is_not_believed() {
    let stranger = Authority::new();
    let tls = TlsOptions {
        certificate_authority: Some(stranger.pem.clone().into_bytes()),
        ..SHARED.tls.clone()
    };

    let refused = refused(&options(&SHARED.host, Some(tls))).await;

    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn whom_browsers_trust_counts_where_no_authority_is_named() {
    let tls = TlsOptions { certificate_authority: None, ..SHARED.tls.clone() };

    let refused = refused(&options(&SHARED.host, Some(tls))).await;

    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let authority = Authority::new();
    let files = TempDir::new().unwrap();
    let server = authority.start_server(files.path(), "redis.example");

    let refused = refused(&options(&server.host(), Some(authority.options()))).await;

    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn anybody_is_believed_where_that_is_configured() {
    let authority = Authority::new();
    let files = TempDir::new().unwrap();
    let server = authority.start_server(files.path(), "redis.example");
    let tls = TlsOptions { believes_anybody: true, ..authority.options() };

    works(&options(&server.host(), Some(tls))).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_one_or_refuses() {
    let without = TlsOptions { client: None, ..SHARED.tls.clone() };
    refused(&options(&SHARED.host, Some(without))).await;

    let stranger = Authority::new();
    let foreign = TlsOptions { client: stranger.options().client, ..SHARED.tls.clone() };
    refused(&options(&SHARED.host, Some(foreign))).await;
}

#[tokio::test]
async fn plain_tcp_does_not_reach_a_server_with_tls() {
    refused(&options(&SHARED.host, None)).await;
}

/// Why the server cannot be used; fails if it can, or if it takes too long to say so.
async fn refused(options: &RedisOptions) -> String {
    let checked = timeout(BOUND, async { node(options).check().await }).await.unwrap();
    let fault: Fault = checked.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    let said = fault.explained();
    assert!(!said.contains(DATA.1), "{said}");
    said
}
