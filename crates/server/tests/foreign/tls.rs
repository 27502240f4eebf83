//! TLS under an authority of our own: no library is told to make an exception.

use std::fs;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use serde_json::json;
use tempfile::TempDir;

use crate::ground::{BASIC, ES256, RESOURCE, SCOPE, STANDARD, client, options, step, with};
use crate::scripts::Library;
use crate::support::{Options, Server};

/// An authority that vouches for one server.
pub(crate) struct Authority {
    directory: TempDir,
    pem: String,
}

impl Authority {
    pub(crate) fn make() -> Self {
        let mut params = CertificateParams::default();
        // Another name than that of whom it vouches for: nobody vouches for themselves.
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut leaf =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        // Python wants to be told whose signature it is.
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &authority).unwrap();

        let it = Self { directory: TempDir::new().unwrap(), pem: authority.as_ref().pem() };
        fs::write(it.path("authority.pem"), &it.pem).unwrap();
        fs::write(it.path("certificate.pem"), certificate.pem()).unwrap();
        fs::write(it.path("key.pem"), key.serialize_pem()).unwrap();
        it
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// A server that it vouches for.
    pub(crate) fn start(&self, more: Options) -> Server {
        let tls = options()
            .with("TOKENWRIGHT__TLS__CERTIFICATE", &self.path("certificate.pem"))
            .with("TOKENWRIGHT__TLS__KEY", &self.path("key.pem"));
        let mut server = Server::start_with(tls.and(more));
        let certificate = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]);
        server.http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        server
    }
}

#[tokio::test]
async fn every_library_speaks_tls_with_an_authority_of_our_own() {
    let authority = Authority::make();
    let server = authority.start(Options::default());
    let clients =
        [client(&server, BASIC, json!({})).await, client(&server, ES256, json!({})).await];
    let pem = authority.path("authority.pem");
    let trusting = [("NODE_EXTRA_CA_CERTS", pem.as_str()), ("REQUESTS_CA_BUNDLE", &pem)];

    for library in [
        Library::Authlib,
        Library::RequestsOauth2client,
        Library::OpenidClient,
        Library::Oauth4webapi,
    ] {
        let more = json!({"insecure": false, "scope": SCOPE, "resource": RESOURCE});
        let steps: Vec<_> =
            clients.iter().map(|it| with(step("life", it, STANDARD, &server), &more)).collect();
        for outcome in library.takes_with(&steps, &trusting) {
            let told = outcome.told(&format!("{library:?}"));
            assert_eq!(told["after"], json!({"active": false}), "{library:?}");
        }
        // Whoever does not trust the authority does not speak to the server.
        for outcome in library.takes(&steps) {
            outcome.error();
        }
    }
    for library in [Library::RequestsOauthlib, Library::SimpleOauth2] {
        let more = json!({"insecure": false, "scope": SCOPE});
        let step = with(step("token", &clients[0], STANDARD, &server), &more);
        let outcomes = library.takes_with(&[step], &trusting);
        assert!(outcomes[0].told(&format!("{library:?}"))["access_token"].is_string());
    }
}
