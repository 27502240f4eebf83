//! The keys that sign tokens, and how they take turns.

use std::fmt;
use std::time::Duration;

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

/// How keys take turns.
#[derive(Clone, Copy, Debug)]
pub struct KeyPolicy {
    /// How long a key is published before it signs: what consumers may cache the JWKS for.
    pub publish_before_use: Duration,
    /// How long a retired key is still published: the longest life of a token.
    pub keep_retired: Duration,
}

/// Why the keys do not take turns now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationRefusal {
    /// The key that would sign has not been published for long enough.
    #[error(
        "the next key was published less than {} s ago, and verifiers may not know it yet",
        publish_before_use.as_secs()
    )]
    TooEarly {
        /// How long a key must be published before it signs.
        publish_before_use: Duration,
    },
}

/// Why a key is not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationRefusal {
    /// There is no such key.
    #[error("there is no key with this kid")]
    Unknown,
    /// It signs, and no other key could take its place.
    #[error("no next key could sign in its place: rotate the keys first")]
    NothingSigns,
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

    fn in_state(&self, algorithm: SigningAlgorithm, state: KeyState) -> Option<&SigningKey> {
        self.keys.iter().rfind(|key| key.algorithm == algorithm && key.state == state)
    }

    /// The keys after `algorithm` took its turn: the next key signs, the active one retires,
    /// `fresh` becomes the next, and retired keys whose last token has expired are gone.
    ///
    /// Without a next key there is nothing that could sign now: `fresh` is published only, and a
    /// second turn makes it sign.
    ///
    /// # Errors
    ///
    /// [`RotationRefusal::TooEarly`], unless `is_forced`: then a verifier that still caches the
    /// old keys refuses new tokens until it fetches again.
    pub fn rotated(
        &self,
        algorithm: SigningAlgorithm,
        fresh: SigningKey,
        policy: &KeyPolicy,
        is_forced: bool,
        now: Timestamp,
    ) -> Result<Self, RotationRefusal> {
        let publish_before_use = policy.publish_before_use;
        let has_next = self.next(algorithm).is_some();
        if let Some(next) = self.next(algorithm)
            && !is_forced
            && now.since(next.created_at) < publish_before_use
        {
            return Err(RotationRefusal::TooEarly { publish_before_use });
        }
        let mut keys = self.without_expired(policy, now).keys;
        for key in keys.iter_mut().filter(|key| has_next && key.algorithm == algorithm) {
            match key.state {
                KeyState::Next => key.state = KeyState::Active,
                KeyState::Active => {
                    key.state = KeyState::Retired;
                    key.retired_at = Some(now);
                }
                KeyState::Retired => (),
            }
        }
        keys.push(SigningKey { state: KeyState::Next, ..fresh });
        Ok(Self { revision: self.revision, keys })
    }

    /// The keys without one that must not verify any more. Where it was the one that signs, the
    /// next key signs in its place.
    ///
    /// # Errors
    ///
    /// [`RevocationRefusal`]; then nothing could sign any more, or there is no such key.
    pub fn without(&self, id: &KeyId) -> Result<Self, RevocationRefusal> {
        let Some(gone) = self.keys.iter().find(|key| key.id == *id) else {
            return Err(RevocationRefusal::Unknown);
        };
        let mut keys: Vec<_> = self.keys.iter().filter(|key| key.id != *id).cloned().collect();
        if gone.state == KeyState::Active {
            let is_next = |key: &&mut SigningKey| {
                key.algorithm == gone.algorithm && key.state == KeyState::Next
            };
            keys.iter_mut().find(is_next).ok_or(RevocationRefusal::NothingSigns)?.state =
                KeyState::Active;
        }
        Ok(Self { revision: self.revision, keys })
    }

    /// The same keys but for retired ones whose last token has expired.
    #[must_use]
    pub fn without_expired(&self, policy: &KeyPolicy, now: Timestamp) -> Self {
        let is_needed = |key: &&SigningKey| match (key.state, key.retired_at) {
            (KeyState::Retired, Some(retired_at)) => now < retired_at.after(policy.keep_retired),
            (KeyState::Next | KeyState::Active | KeyState::Retired, _) => true,
        };
        Self {
            revision: self.revision,
            keys: self.keys.iter().filter(is_needed).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: KeyPolicy = KeyPolicy {
        publish_before_use: Duration::from_mins(5),
        keep_retired: Duration::from_hours(1),
    };
    const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;

    fn key(id: &str, state: KeyState, created_at: u64) -> SigningKey {
        SigningKey {
            id: id.parse().unwrap(),
            algorithm: RS256,
            state,
            private_key: PrivateKeyPem::new(String::new()),
            created_at: Timestamp::from_unix_seconds(created_at),
            retired_at: None,
        }
    }

    fn states(set: &KeySet) -> Vec<(&str, KeyState)> {
        set.keys.iter().map(|key| (key.id.as_str(), key.state)).collect()
    }

    #[test]
    fn keys_take_turns() {
        let set = KeySet {
            revision: 1,
            keys: vec![key("a", KeyState::Active, 0), key("b", KeyState::Next, 0)],
        };
        let now = Timestamp::from_unix_seconds(1_000);

        let turned =
            set.rotated(RS256, key("c", KeyState::Next, 1_000), &POLICY, false, now).unwrap();

        assert_eq!(
            states(&turned),
            [("a", KeyState::Retired), ("b", KeyState::Active), ("c", KeyState::Next)]
        );
        assert_eq!(turned.keys[0].retired_at, Some(now));
    }

    #[test]
    fn a_key_is_published_before_it_signs() {
        let set = KeySet {
            revision: 1,
            keys: vec![key("a", KeyState::Active, 0), key("b", KeyState::Next, 900)],
        };
        let now = Timestamp::from_unix_seconds(1_000);
        let fresh = || key("c", KeyState::Next, 1_000);

        let refused = set.rotated(RS256, fresh(), &POLICY, false, now).unwrap_err();
        let forced = set.rotated(RS256, fresh(), &POLICY, true, now).unwrap();

        assert!(matches!(refused, RotationRefusal::TooEarly { .. }));
        assert_eq!(forced.active(RS256).unwrap().id.as_str(), "b");
    }

    #[test]
    fn without_a_next_key_the_fresh_one_is_published_only() {
        let set = KeySet { revision: 1, keys: vec![key("a", KeyState::Active, 0)] };
        let now = Timestamp::from_unix_seconds(1_000);

        let turned =
            set.rotated(RS256, key("b", KeyState::Next, 1_000), &POLICY, false, now).unwrap();

        assert_eq!(states(&turned), [("a", KeyState::Active), ("b", KeyState::Next)]);
    }

    #[test]
    fn t42_a_retired_key_goes_when_its_last_token_has_expired() {
        let mut retired = key("a", KeyState::Retired, 0);
        retired.retired_at = Some(Timestamp::from_unix_seconds(1_000));
        let set = KeySet { revision: 1, keys: vec![retired, key("b", KeyState::Active, 0)] };

        let before = set.without_expired(&POLICY, Timestamp::from_unix_seconds(4_599));
        let after = set.without_expired(&POLICY, Timestamp::from_unix_seconds(4_600));

        assert_eq!(before.keys.len(), 2);
        assert_eq!(states(&after), [("b", KeyState::Active)]);
    }

    #[test]
    fn t42_a_stolen_key_goes_at_once_and_the_next_one_signs() {
        let set = KeySet {
            revision: 1,
            keys: vec![
                key("old", KeyState::Retired, 0),
                key("a", KeyState::Active, 0),
                key("b", KeyState::Next, 0),
            ],
        };
        let id = |id: &str| id.parse().unwrap();

        let without_active = set.without(&id("a")).unwrap();
        assert_eq!(states(&without_active), [("old", KeyState::Retired), ("b", KeyState::Active)]);
        assert_eq!(without_active.without(&id("b")).unwrap_err(), RevocationRefusal::NothingSigns);
        assert_eq!(set.without(&id("old")).unwrap().keys.len(), 2);
        assert_eq!(set.without(&id("x")).unwrap_err(), RevocationRefusal::Unknown);
    }

    #[test]
    fn t37_a_private_key_does_not_betray_itself_in_a_debug_log() {
        let mut it = key("a", KeyState::Active, 0);
        it.private_key = PrivateKeyPem::new("hunter2".to_owned());
        assert!(!format!("{it:?}").contains("hunter2"));
    }
}
