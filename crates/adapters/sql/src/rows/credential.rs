//! A row of `credentials`.

use domain::{ClientId, Credential, EndingSecret, Fault, SecretHash, SecretName, SecretSelector};
use sqlx::FromRow;

use crate::Argument;
use crate::number::{believed_moment, kept_moment};

/// A row of `credentials`, but for the client.
#[derive(FromRow)]
pub(crate) struct CredentialRow {
    id: String,
    hash: String,
    selector: Option<i64>,
    name: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    last_used: Option<i64>,
}

/// The columns in the order of the table, but for `sequence`.
pub(crate) fn arguments<'a>(client: &'a ClientId, it: &'a Credential) -> [Argument<'a>; 8] {
    [
        client.as_str().into(),
        it.id.as_str().into(),
        it.hash.as_str().into(),
        it.selector.map(|selector| i64::from(selector.0)).into(),
        Argument::Text(it.name.as_ref().map(SecretName::as_str)),
        kept_moment(it.created_at).into(),
        it.expires_at.map(kept_moment).into(),
        it.last_used.map(kept_moment).into(),
    ]
}

impl TryFrom<CredentialRow> for Credential {
    type Error = Fault;

    fn try_from(row: CredentialRow) -> Result<Self, Fault> {
        let selector = row.selector.map(u16::try_from).transpose().map_err(Fault::corrupt)?;
        Ok(Self {
            id: row.id.parse().map_err(Fault::corrupt)?,
            name: row.name.map(|name| name.parse()).transpose().map_err(Fault::corrupt)?,
            hash: SecretHash::new(row.hash),
            selector: selector.map(SecretSelector),
            created_at: believed_moment(row.created_at)?,
            expires_at: row.expires_at.map(believed_moment).transpose()?,
            last_used: row.last_used.map(believed_moment).transpose()?,
        })
    }
}

/// A row of `credentials`, with the client.
#[derive(FromRow)]
pub(crate) struct EndingRow {
    client_id: String,
    #[sqlx(flatten)]
    credential: CredentialRow,
}

impl TryFrom<EndingRow> for EndingSecret {
    type Error = Fault;

    fn try_from(row: EndingRow) -> Result<Self, Fault> {
        Ok(Self {
            client: Some(row.client_id.parse().map_err(Fault::corrupt)?),
            secret: row.credential.try_into()?,
        })
    }
}
