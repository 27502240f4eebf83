//! TLS, where we do it ourselves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ServeError;
use crate::settings::Tls;

/// The configuration of the listener: TLS 1.2 and 1.3.
pub(super) fn server_config(tls: &Tls) -> Result<ServerConfig, ServeError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&read("tls.certificate", &tls.certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong("tls.certificate", &tls.certificate, &error))?;
    if certificates.is_empty() {
        let path = tls.certificate.display();
        return Err(ServeError::Tls(format!("tls.certificate: {path} holds no PEM certificate")));
    }
    let key = PrivateKeyDer::from_pem_slice(&read("tls.key", &tls.key)?)
        .map_err(|error| wrong("tls.key", &tls.key, &error))?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| ServeError::Tls(format!("tls: the certificate and its key: {error}")))
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, ServeError> {
    fs::read(path).map_err(|error| wrong(key, path, &error))
}

fn wrong(key: &str, path: &Path, error: &dyn std::fmt::Display) -> ServeError {
    ServeError::Tls(format!("{key}: {} cannot be used: {error}", path.display()))
}
