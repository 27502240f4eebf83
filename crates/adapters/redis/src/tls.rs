//! What TLS needs, checked once.
//!
//! The driver reads PEM files too, but takes one without a certificate for an authority that
//! vouches for nobody, and a key that does not fit its certificate until it connects.

use std::sync::Arc;

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;

use crate::{ClientCertificate, InvalidRedisOptions, TlsOptions};

/// What the driver needs.
pub(crate) struct Tls {
    pub(crate) certificates: TlsCertificates,
    pub(crate) believes_anybody: bool,
}

/// The options in the words of the driver, if they can be used.
pub(crate) fn certificates(options: &TlsOptions) -> Result<Tls, InvalidRedisOptions> {
    if let Some(pem) = &options.certificate_authority {
        let mut roots = RootCertStore::empty();
        for certificate in chain(pem).ok_or(InvalidRedisOptions::CertificateAuthority)? {
            roots.add(certificate).map_err(|_| InvalidRedisOptions::CertificateAuthority)?;
        }
    }
    let client_tls = options.client.as_ref().map(client).transpose()?;
    let root_cert = options.certificate_authority.clone();
    Ok(Tls {
        certificates: TlsCertificates { client_tls, root_cert },
        believes_anybody: options.believes_anybody,
    })
}

fn client(pair: &ClientCertificate) -> Result<ClientTlsConfig, InvalidRedisOptions> {
    let chain = chain(&pair.certificates).ok_or(InvalidRedisOptions::ClientCertificate)?;
    let pem = pair.key.expose_secret();
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| InvalidRedisOptions::ClientKey)?;
    let provider = CryptoProvider::get_default()
        .map_or_else(|| Arc::new(aws_lc_rs::default_provider()), Arc::clone);
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| InvalidRedisOptions::ClientPair)?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain, key)
        .map_err(|_| InvalidRedisOptions::ClientPair)?;
    Ok(ClientTlsConfig { client_cert: pair.certificates.clone(), client_key: pem.to_vec() })
}

fn chain(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let is_sound = |it| ParsedCertificate::try_from(it).is_ok();
    (!chain.is_empty() && chain.iter().all(is_sound)).then_some(chain)
}
