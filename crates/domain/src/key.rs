//! The keys that sign tokens.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::{KeyId, SigningAlgorithm, Timestamp};

/// A private key as PKCS#8 PEM. Wiped on drop, never shown.
#[derive(Clone)]
pub struct PrivateKeyPem(SecretString);

impl PrivateKeyPem {
    /// Takes ownership of a PEM text.
    #[must_use]
    pub fn new(pem: String) -> Self {
        Self(pem.into())
    }

    /// The PEM text, for the adapter that signs and the store that keeps it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem([redacted])")
    }
}

/// What a key is doing. It only ever moves downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Published, so that everybody knows it by the time it signs.
    Next,
    /// Signs new tokens.
    Active,
    /// Signs nothing; verifies what it signed until that has expired.
    Retired,
}

impl KeyState {
    /// Its name in files, documents and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::Retired].into_iter().find(|it| it.name() == name)
    }
}

/// One of our signing keys.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: KeyId,
    /// The one algorithm it signs with.
    pub algorithm: SigningAlgorithm,
    /// What it is doing.
    pub state: KeyState,
    /// The key itself.
    pub private_key: PrivateKeyPem,
    /// When it was made, which is when it was first published.
    pub created_at: Timestamp,
    /// When it stopped signing.
    pub retired_at: Option<Timestamp>,
}

/// All our signing keys at one moment.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// Grows with each change; 0 where nothing was ever stored.
    pub revision: u64,
    /// The keys, newest last.
    pub keys: Vec<SigningKey>,
}

impl KeySet {
    /// The key that signs with `algorithm`.
    #[must_use]
    pub fn active(&self, algorithm: SigningAlgorithm) -> Option<&SigningKey> {
        self.in_state(algorithm, KeyState::Active)
    }

    /// The key that will sign next with `algorithm`.
    #[must_use]
    pub fn next(&self, algorithm: SigningAlgorithm) -> Option<&SigningKey> {
        self.in_state(algorithm, KeyState::Next)
    }

    /// The key that signs where `algorithm` is wanted: the active one. While the first key of an
    /// algorithm waits until everybody knows it, one of another algorithm stands in for it: a
    /// token that nobody can verify yet is worth less than one of the wrong algorithm.
    #[must_use]
    pub fn signing(&self, algorithm: SigningAlgorithm) -> Option<&SigningKey> {
        self.active(algorithm).or_else(|| {
            self.next(algorithm)?;
            SigningAlgorithm::ALL.into_iter().find_map(|other| self.active(other))
        })
    }

    fn in_state(&self, algorithm: SigningAlgorithm, state: KeyState) -> Option<&SigningKey> {
        self.keys.iter().rfind(|key| key.algorithm == algorithm && key.state == state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, algorithm: SigningAlgorithm, state: KeyState) -> SigningKey {
        SigningKey {
            id: id.parse().unwrap(),
            algorithm,
            state,
            private_key: PrivateKeyPem::new("hunter2".to_owned()),
            created_at: Timestamp::from_unix_seconds(0),
            retired_at: None,
        }
    }

    #[test]
    fn t37_a_private_key_does_not_betray_itself_in_a_debug_log() {
        let it = key("a", SigningAlgorithm::Rs256, KeyState::Active);
        assert!(!format!("{it:?}").contains("hunter2"));
    }

    #[test]
    fn another_algorithm_stands_in_for_one_whose_first_key_waits_and_for_no_other() {
        let keys = vec![
            key("old", SigningAlgorithm::EdDsa, KeyState::Active),
            key("new", SigningAlgorithm::Es256, KeyState::Next),
        ];
        let set = KeySet { revision: 1, keys };

        let signs = |algorithm| set.signing(algorithm).map(|it| it.id.as_str());

        assert_eq!(signs(SigningAlgorithm::EdDsa), Some("old"));
        assert_eq!(signs(SigningAlgorithm::Es256), Some("old"));
        assert_eq!(signs(SigningAlgorithm::Rs256), None);
    }
}
