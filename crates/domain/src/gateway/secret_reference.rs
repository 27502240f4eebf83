//! A text of a configuration that lies elsewhere.

use std::fmt;
use std::str::FromStr;

/// `urn:k8s:secret:NAME:KEY`: a key of a Kubernetes secret.
///
/// Both halves may be put into a path: neither of them can lead out of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretReference {
    name: Box<str>,
    key: Box<str>,
}

/// The text refers to no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be written urn:k8s:secret:NAME:KEY, with a NAME of a-z, 0-9, - and . and a KEY of \
     letters, digits, -, _ and ."
)]
pub struct InvalidSecretReference;

impl SecretReference {
    /// What every reference begins with. Other URNs are plain texts: audiences look so.
    pub const PREFIX: &str = "urn:k8s:";

    /// The name of the secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key in it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for SecretReference {
    type Err = InvalidSecretReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MAX_BYTES: usize = 253;
        let rest = text.strip_prefix("urn:k8s:secret:").ok_or(InvalidSecretReference)?;
        let (name, key) = rest.split_once(':').ok_or(InvalidSecretReference)?;
        let is_fit = |text: &str, is_allowed: fn(u8) -> bool| {
            (1..=MAX_BYTES).contains(&text.len())
                && text.bytes().all(is_allowed)
                // Two dots lead out of a folder, and in Kubernetes they begin its own entries.
                && !text.starts_with('.')
        };
        let is_of_a_name = |it: u8| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        let is_of_a_key = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
        if is_fit(name, is_of_a_name) && is_fit(key, is_of_a_key) {
            Ok(Self { name: name.into(), key: key.into() })
        } else {
            Err(InvalidSecretReference)
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:k8s:secret:{}:{}", self.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_secret_and_a_key() {
        let reference: SecretReference = "urn:k8s:secret:my-app.v1:client_secret".parse().unwrap();

        assert_eq!((reference.name(), reference.key()), ("my-app.v1", "client_secret"));
        assert_eq!(reference.to_string(), "urn:k8s:secret:my-app.v1:client_secret");
    }

    #[test]
    fn what_leads_out_of_a_folder_is_no_reference() {
        for text in [
            "urn:k8s:secret:..:key",
            "urn:k8s:secret:name:..",
            "urn:k8s:secret:../name:key",
            "urn:k8s:secret:name:../../etc/passwd",
            "urn:k8s:secret:name:/etc/passwd",
            "urn:k8s:secret:name:a\0b",
            "urn:k8s:secret:.name:key",
            "urn:k8s:secret:name:.key",
            "urn:k8s:secret:Name:key",
            "urn:k8s:secret:name:a:b",
            "urn:k8s:secret:name:",
            "urn:k8s:secret::key",
            "urn:k8s:secret:name",
            "urn:k8s:configmap:name:key",
            "urn:k8s:",
            "urn:other:secret:name:key",
        ] {
            assert_eq!(text.parse::<SecretReference>(), Err(InvalidSecretReference), "{text}");
        }
    }
}
