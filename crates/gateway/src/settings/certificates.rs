//! Certificates and keys, read from PEM files.

use std::fs;
use std::sync::Arc;

use pingora_core::tls::pkey::{PKey, Private};
use pingora_core::tls::x509::X509;

use super::section::Section;

/// A certificate, what leads from it to its root, and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The certificate first.
    pub(crate) certificates: Vec<X509>,
    /// Its key.
    pub(crate) key: PKey<Private>,
    /// The names of hosts that it is for, in lower case; `*.` stands for one label.
    pub(crate) names: Vec<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the files that `certificate` and `key` name.
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let certificates = certificates(section, "certificate", true);
        let key = key(section);
        let (certificates, key) = (certificates?, key?);
        let leaf = certificates.first()?;
        let is_pair = leaf.public_key().is_ok_and(|public| public.public_eq(&key));
        if !is_pair {
            section.refuse("key", "is not the key of the first certificate in `certificate`");
            return None;
        }
        Some(Self { names: names(leaf), certificates, key })
    }
}

/// The certificates of authorities in the file that `ca` names.
pub(crate) fn authorities(section: &Section<'_>) -> Option<Arc<Box<[X509]>>> {
    let authorities = certificates(section, "ca", false)?;
    Some(Arc::new(authorities.into_boxed_slice()))
}

fn certificates(section: &Section<'_>, key: &'static str, required: bool) -> Option<Vec<X509>> {
    let path = if required { section.required_text(key) } else { section.text(key) };
    let pem = read(section, key, path?)?;
    let certificates = X509::stack_from_pem(&pem).unwrap_or_default();
    if certificates.is_empty() {
        section.refuse(key, "names a file without a certificate in PEM form");
        return None;
    }
    Some(certificates)
}

fn key(section: &Section<'_>) -> Option<PKey<Private>> {
    let pem = read(section, "key", section.required_text("key")?)?;
    // Without this callback OpenSSL asks for a passphrase at the terminal.
    let key = PKey::private_key_from_pem_callback(&pem, |_| Ok(0)).ok();
    if key.is_none() {
        let why = "names a file without a private key in PEM form, or with an encrypted one";
        section.refuse("key", why);
    }
    key
}

fn read(section: &Section<'_>, key: &'static str, path: &str) -> Option<Vec<u8>> {
    let content = fs::read(path);
    content.map_err(|error| section.refuse(key, format!("{path} cannot be read: {error}"))).ok()
}

fn names(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let names = names.iter().flatten().filter_map(|name| name.dnsname());
    names.map(str::to_ascii_lowercase).collect()
}

impl Identity {
    /// Whether the certificate is for `name`, which is in lower case (RFC 9525 section 6.3).
    pub(crate) fn fits(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(rest) => {
                name.split_once('.').is_some_and(|(label, it)| !label.is_empty() && it == rest)
            }
            None => own == name,
        })
    }
}
