//! A row of `reference_tokens`.

use domain::{Fault, ReferenceToken, TokenDigest};
use sqlx::FromRow;

use super::json::{object, parse_object};
use crate::Argument;
use crate::number::{believed_moment, kept_moment};

/// A row of `reference_tokens`, but for the digest.
#[derive(FromRow)]
pub(crate) struct ReferenceTokenRow {
    client: String,
    expires_at: i64,
    claims: String,
}

impl ReferenceTokenRow {
    /// The columns in the order of the table.
    pub(crate) fn arguments<'a>(&'a self, digest: &'a TokenDigest) -> [Argument<'a>; 4] {
        [
            digest.0.as_slice().into(),
            (&self.client).into(),
            self.expires_at.into(),
            (&self.claims).into(),
        ]
    }
}

impl From<&ReferenceToken> for ReferenceTokenRow {
    fn from(token: &ReferenceToken) -> Self {
        Self {
            client: token.client.to_string(),
            expires_at: kept_moment(token.expires_at),
            claims: object(&token.claims),
        }
    }
}

impl TryFrom<ReferenceTokenRow> for ReferenceToken {
    type Error = Fault;

    fn try_from(row: ReferenceTokenRow) -> Result<Self, Fault> {
        Ok(Self {
            client: row.client.parse().map_err(Fault::corrupt)?,
            expires_at: believed_moment(row.expires_at)?,
            claims: parse_object(&row.claims)?.into(),
        })
    }
}
