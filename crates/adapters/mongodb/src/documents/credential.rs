//! A document in the collection of secrets.

use domain::{Credential, Fault, SecretHash, SecretId, SecretName, SecretSelector};
use mongodb::bson::{Bson, DateTime, Document, Timestamp, doc};
use serde::{Deserialize, Serialize};

use crate::moment::{believed_moment, kept_moment};

/// A document in the collection of secrets: one secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct CredentialDocument {
    #[serde(rename = "_id")]
    key: CredentialKey,
    hash: String,
    selector: Option<i32>,
    name: Option<String>,
    created_at: DateTime,
    expires_at: Option<DateTime>,
    last_used: Option<DateTime>,
    /// Tells which of two secrets of one moment came first.
    #[serde(skip_deserializing, default = "next_in_sequence")]
    sequence: Timestamp,
}

/// The `_id` of a secret. No other program makes such an `_id`: by it our documents are told from
/// those of others.
#[derive(Serialize, Deserialize)]
pub(crate) struct CredentialKey {
    client: String,
    secret: String,
}

impl CredentialKey {
    pub(crate) fn new(client: String, secret: &SecretId) -> Self {
        Self { client, secret: secret.as_str().to_owned() }
    }

    /// The document with this `_id`.
    pub(crate) fn filter(self) -> Document {
        doc! { "_id": { "client": self.client, "secret": self.secret } }
    }
}

/// The secrets of the client that is kept as `client`: a range of the index on `_id`, in which an
/// object is ordered by its first member and then by its second.
pub(crate) fn all_of(client: &str) -> Document {
    doc! { "_id": {
        "$gte": { "client": client, "secret": Bson::MinKey },
        "$lte": { "client": client, "secret": Bson::MaxKey },
    } }
}

/// Whether a document is a secret of ours: the collection may hold those of other programs.
pub(crate) fn is_ours(document: &Document) -> bool {
    document.get_document("_id").is_ok_and(|id| id.keys().eq(["client", "secret"]))
}

/// The server replaces an empty timestamp by the next in its sequence, which is greater than any
/// it gave before.
fn next_in_sequence() -> Timestamp {
    Timestamp { time: 0, increment: 0 }
}

impl CredentialDocument {
    pub(crate) fn new(client: String, it: &Credential) -> Self {
        Self {
            key: CredentialKey::new(client, &it.id),
            hash: it.hash.as_str().to_owned(),
            selector: it.selector.map(|selector| i32::from(selector.0)),
            name: it.name.as_ref().map(SecretName::to_string),
            created_at: kept_moment(it.created_at),
            expires_at: it.expires_at.map(kept_moment),
            last_used: it.last_used.map(kept_moment),
            sequence: next_in_sequence(),
        }
    }
}

impl CredentialDocument {
    /// The name under which its client is kept.
    pub(crate) fn client(&self) -> &str {
        &self.key.client
    }
}

impl TryFrom<CredentialDocument> for Credential {
    type Error = Fault;

    fn try_from(kept: CredentialDocument) -> Result<Self, Fault> {
        let selector = kept.selector.map(u16::try_from).transpose().map_err(Fault::corrupt)?;
        Ok(Self {
            id: kept.key.secret.parse().map_err(Fault::corrupt)?,
            name: kept.name.map(|name| name.parse()).transpose().map_err(Fault::corrupt)?,
            hash: SecretHash::new(kept.hash),
            selector: selector.map(SecretSelector),
            created_at: believed_moment(kept.created_at)?,
            expires_at: kept.expires_at.map(believed_moment).transpose()?,
            last_used: kept.last_used.map(believed_moment).transpose()?,
        })
    }
}
