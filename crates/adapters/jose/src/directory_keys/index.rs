//! The index: which keys there are, and what they are doing.

use domain::{KeyId, KeyState, SigningAlgorithm, SigningKey, Timestamp};
use serde::{Deserialize, Serialize};

/// `keys.json`. The private keys are not in it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) revision: u64,
    pub(super) keys: Vec<IndexedKey>,
}

/// One key of the index, oldest first. Moments are milliseconds since the epoch.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexedKey {
    kid: String,
    alg: String,
    state: String,
    created_at: u64,
    retired_at: Option<u64>,
    /// The name of its file.
    pub(super) file: String,
}

/// What the index says of a key.
pub(super) struct KeyFacts {
    pub(super) id: KeyId,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) state: KeyState,
    pub(super) created_at: Timestamp,
    pub(super) retired_at: Option<Timestamp>,
}

impl IndexedKey {
    pub(super) fn new(key: &SigningKey, file: String) -> Self {
        Self {
            kid: key.id.as_str().to_owned(),
            alg: key.algorithm.name().to_owned(),
            state: key.state.name().to_owned(),
            created_at: key.created_at.as_unix_millis(),
            retired_at: key.retired_at.map(Timestamp::as_unix_millis),
            file,
        }
    }

    /// `None` if a member is not what we write.
    pub(super) fn facts(&self) -> Option<KeyFacts> {
        Some(KeyFacts {
            id: self.kid.parse().ok()?,
            algorithm: SigningAlgorithm::from_name(&self.alg)?,
            state: KeyState::from_name(&self.state)?,
            created_at: Timestamp::from_unix_millis(self.created_at),
            retired_at: self.retired_at.map(Timestamp::from_unix_millis),
        })
    }

    pub(super) fn is_of(&self, key: &SigningKey) -> bool {
        self.kid == key.id.as_str()
    }
}
