//! The name under which a client's secrets are kept.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ClientId;
use secrecy::{ExposeSecret as _, SecretString};

/// How a client's id becomes the name under which its secrets are kept.
pub(crate) enum ClientKeys {
    /// It is the name.
    Plain,
    /// The name is an HMAC of it, so that whoever sees the secrets' collection learns no ids.
    Salted(Box<Key>),
}

impl ClientKeys {
    pub(crate) fn new(salt: Option<&SecretString>) -> Self {
        salt.map_or(Self::Plain, |salt| {
            Self::Salted(Box::new(Key::new(HMAC_SHA256, salt.expose_secret().as_bytes())))
        })
    }

    /// The name for `client`.
    pub(crate) fn key(&self, client: &ClientId) -> String {
        match self {
            Self::Plain => client.as_str().to_owned(),
            Self::Salted(salt) => {
                URL_SAFE_NO_PAD.encode(sign(salt, client.as_str().as_bytes()).as_ref())
            }
        }
    }

    /// The client of that name, where it can be told.
    pub(crate) fn client(&self, key: &str) -> Option<ClientId> {
        match self {
            Self::Plain => key.parse().ok(),
            Self::Salted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salted_name_is_an_hmac_of_the_id() {
        // What `openssl dgst -sha256 -hmac Jefe` says.
        let keys = ClientKeys::new(Some(&"Jefe".into()));
        let id = "what-do-ya-want-for-nothing?".parse().unwrap();

        let key = keys.key(&id);

        assert_eq!(key, "WgCbr0VHmaMWoI4CYcTDGlj5UfFDaQS1p6iDcGUB2Sc");
        assert_eq!(keys.client(&key), None);
    }

    #[test]
    fn another_salt_gives_another_name() {
        let id = "billing".parse().unwrap();
        let key = |salt: &str| ClientKeys::new(Some(&salt.into())).key(&id);

        assert_ne!(key("one"), key("other"));
        assert_eq!(key("one"), key("one"));
        assert_eq!(key("one").len(), 43);
    }

    #[test]
    fn without_a_salt_the_id_is_its_own_name() {
        let id = "billing".parse().unwrap();
        let keys = ClientKeys::new(None);

        assert_eq!(keys.key(&id), "billing");
        assert_eq!(keys.client("billing"), Some(id));
        assert_eq!(keys.client("with space"), None);
    }
}
