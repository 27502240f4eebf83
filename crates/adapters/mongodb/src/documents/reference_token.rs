//! A document of `tokenwright_reference_tokens`.

use domain::{Fault, ReferenceToken, TokenDigest};
use mongodb::bson::{Binary, DateTime};
use serde::{Deserialize, Serialize};

use super::digest;
use super::json::{object, parse_object};
use crate::moment::{believed_moment, kept_moment};

/// A document of `tokenwright_reference_tokens`, which the server forgets some time after its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReferenceTokenDocument {
    #[serde(rename = "_id")]
    digest: Binary,
    client: String,
    expires_at: DateTime,
    claims: String,
}

impl ReferenceTokenDocument {
    pub(crate) fn new(digest: &TokenDigest, token: &ReferenceToken) -> Self {
        Self {
            digest: digest::kept(digest),
            client: token.client.to_string(),
            expires_at: kept_moment(token.expires_at),
            claims: object(&token.claims),
        }
    }
}

impl TryFrom<ReferenceTokenDocument> for ReferenceToken {
    type Error = Fault;

    fn try_from(kept: ReferenceTokenDocument) -> Result<Self, Fault> {
        Ok(Self {
            client: kept.client.parse().map_err(Fault::corrupt)?,
            expires_at: believed_moment(kept.expires_at)?,
            claims: parse_object(&kept.claims)?.into(),
        })
    }
}
