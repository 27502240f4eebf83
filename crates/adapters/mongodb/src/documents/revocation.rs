//! Documents that the server forgets some time after their `until`.

use domain::{ClientId, Fault, Timestamp, TokenId};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

use crate::moment::{believed_moment, kept_moment};

/// A document of `tokenwright_used_assertions`.
#[derive(Serialize)]
pub(crate) struct UsedAssertion {
    #[serde(rename = "_id")]
    key: UsedAssertionKey,
    until: DateTime,
}

/// Whose assertion, and which one. Two members, so that no two pairs make one key.
#[derive(Serialize)]
struct UsedAssertionKey {
    client: String,
    id: String,
}

impl UsedAssertion {
    pub(crate) fn new(client: &ClientId, id: &TokenId, until: Timestamp) -> Self {
        let (client, id) = (client.as_str().to_owned(), id.as_str().to_owned());
        Self { key: UsedAssertionKey { client, id }, until: kept_moment(until) }
    }
}

/// A document of `tokenwright_revoked_clients`, but for its `until`.
#[derive(Deserialize)]
pub(crate) struct RevokedClient {
    issued_until: DateTime,
}

impl TryFrom<RevokedClient> for Timestamp {
    type Error = Fault;

    fn try_from(kept: RevokedClient) -> Result<Self, Fault> {
        believed_moment(kept.issued_until)
    }
}
