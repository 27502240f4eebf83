//! TLS: who is trusted, and who trusts us.

use std::fs;
use std::path::{Path, PathBuf};

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{client, client_id};
use domain::FaultKind;
use domain::port::{ClientRepository as _, HealthProbe as _};
use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use testbed::mongodb::MongoServer;

/// Who vouches for a server and for its clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A file with a certificate and its key.
    fn vouch_for(&self, folder: &Path, name: &str) -> PathBuf {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file =
            folder.join(format!("{name} of {}.pem", self.file.file_stem().unwrap().display()));
        fs::write(&file, certificate.pem() + &key.serialize_pem()).unwrap();
        file
    }
}

#[tokio::test]
async fn each_side_has_to_prove_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (ours, other) = (Authority::new(folder, "ours"), Authority::new(folder, "other"));
    let server = MongoServer::start_with(&[
        "--tlsMode",
        "requireTLS",
        "--tlsCAFile",
        ours.file.to_str().unwrap(),
        "--tlsCertificateKeyFile",
        ours.vouch_for(folder, "127.0.0.1").to_str().unwrap(),
    ])
    .unwrap();
    let known = ours.vouch_for(folder, "tokenwright");
    let stranger = other.vouch_for(folder, "tokenwright");

    let node = node(&server, "127.0.0.1", &ours.file, Some(&known)).await;
    node.insert(&client("billing")).await.unwrap();
    assert!(node.find(&client_id("billing")).await.unwrap().is_some());

    let refusals = [
        ("an authority that did not vouch for it", "127.0.0.1", &other.file, Some(&known)),
        ("another name than it has", "localhost", &ours.file, Some(&known)),
        ("no certificate of ours", "127.0.0.1", &ours.file, None),
        ("a certificate that nobody knows", "127.0.0.1", &ours.file, Some(&stranger)),
    ];
    let refusals = refusals.map(async |(what, host, authority, certificate)| {
        let node = self::node(&server, host, authority, certificate.map(PathBuf::as_path)).await;
        let fault = node.check().await.expect_err(what);
        assert_eq!(fault.kind(), FaultKind::Unavailable, "{what}");
    });
    join_all(refusals).await;
    let plain = MongoStores::new(&MongoOptions::new(server.url().into())).await.unwrap();
    assert_eq!(plain.check().await.unwrap_err().kind(), FaultKind::Unavailable);
}

async fn node(
    server: &MongoServer,
    host: &str,
    authority: &Path,
    certificate: Option<&Path>,
) -> MongoStores {
    let encoded = |file: &Path| file.to_str().unwrap().replace(' ', "%20");
    let certificate = certificate.map(|file| format!("&tlsCertificateKeyFile={}", encoded(file)));
    let url = format!(
        "mongodb://{host}:{}/?tls=true&serverSelectionTimeoutMS=1500&tlsCAFile={}{}",
        server.port,
        encoded(authority),
        certificate.unwrap_or_default(),
    );
    MongoStores::new(&MongoOptions::new(url.into())).await.unwrap()
}
