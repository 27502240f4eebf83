//! The one document of `tokenwright_signing_keys`.

use std::borrow::Cow;

use domain::{Fault, KeySet, KeyState, PrivateKeyPem, SigningAlgorithm, SigningKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment::{believed, kept};

/// The one document of `tokenwright_signing_keys`; there is none where nothing was ever stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningKeysDocument {
    #[serde(rename = "_id")]
    id: String,
    revision: i64,
    keys: String,
}

impl SigningKeysDocument {
    /// Its `_id`.
    pub(crate) const ID: &'static str = "signing_keys";

    pub(crate) fn new(revision: u64, keys: String) -> Self {
        Self { id: Self::ID.to_owned(), revision: kept(revision), keys }
    }
}

/// An element of its `keys`.
#[derive(Serialize, Deserialize)]
struct StoredKey<'a> {
    id: Cow<'a, str>,
    algorithm: Cow<'a, str>,
    state: Cow<'a, str>,
    private_key: Cow<'a, str>,
    created_at: u64,
    retired_at: Option<u64>,
}

/// The keys as they are kept.
pub(crate) fn to_json(keys: &[SigningKey]) -> Result<String, Fault> {
    let keys: Vec<StoredKey<'_>> = keys.iter().map(StoredKey::from).collect();
    serde_json::to_string(&keys).map_err(Fault::corrupt)
}

impl<'a> From<&'a SigningKey> for StoredKey<'a> {
    fn from(key: &'a SigningKey) -> Self {
        Self {
            id: key.id.as_str().into(),
            algorithm: key.algorithm.name().into(),
            state: key.state.name().into(),
            private_key: key.private_key.expose().into(),
            created_at: key.created_at.as_unix_millis(),
            retired_at: key.retired_at.map(Timestamp::as_unix_millis),
        }
    }
}

impl TryFrom<SigningKeysDocument> for KeySet {
    type Error = Fault;

    fn try_from(kept: SigningKeysDocument) -> Result<Self, Fault> {
        let keys: Vec<StoredKey<'static>> =
            serde_json::from_str(&kept.keys).map_err(|_| Fault::corrupt(UNREADABLE))?;
        Ok(Self {
            revision: believed(kept.revision)?,
            keys: keys.into_iter().map(SigningKey::try_from).collect::<Result<_, _>>()?,
        })
    }
}

// The parser's own message may repeat a part of what it read.
const UNREADABLE: &str = "the stored signing keys are not what this release writes";

impl TryFrom<StoredKey<'_>> for SigningKey {
    type Error = Fault;

    fn try_from(key: StoredKey<'_>) -> Result<Self, Fault> {
        Ok(Self {
            id: key.id.parse().map_err(Fault::corrupt)?,
            algorithm: SigningAlgorithm::from_name(&key.algorithm)
                .ok_or_else(|| Fault::corrupt("the algorithm of a signing key is unknown"))?,
            state: KeyState::from_name(&key.state)
                .ok_or_else(|| Fault::corrupt("the state of a signing key is unknown"))?,
            private_key: PrivateKeyPem::new(key.private_key.into_owned()),
            created_at: Timestamp::from_unix_millis(key.created_at),
            retired_at: key.retired_at.map(Timestamp::from_unix_millis),
        })
    }
}
