//! A row of `clients`.

use std::error::Error;
use std::str::FromStr;

use domain::{
    Audience, ClaimName, Client, ClientSettings, Fault, InformativeMetadata, JsonObject,
    Permission, PublicJwk, Revision, Scope,
};
use serde_json::Value;
use sqlx::FromRow;

use super::json::{object, parse_object};
use crate::Argument;
use crate::number::{believed, believed_moment, kept, kept_moment};

/// The statement that selects the clients which a clause names.
///
/// Each column by its name: a newer release may add some while we run.
macro_rules! select_clients {
    ($clause:literal) => {
        concat!(
            "select id, name, state, authentication, keys, capabilities, permissions, audience,
                scope, allowed_custom_claims, metadata, informative, created_at, updated_at,
                last_login, revision, settings
            from clients ",
            $clause
        )
    };
}

pub(crate) use select_clients;

/// A row of `clients`.
#[derive(FromRow)]
pub(crate) struct ClientRow {
    id: String,
    name: String,
    state: String,
    authentication: String,
    keys: String,
    capabilities: String,
    permissions: String,
    audience: String,
    scope: String,
    allowed_custom_claims: String,
    metadata: Option<String>,
    informative: String,
    created_at: i64,
    updated_at: i64,
    last_login: Option<i64>,
    revision: i64,
    settings: String,
}

impl ClientRow {
    /// The columns in the order of the table, but for `last_login`, which comes last.
    pub(crate) fn arguments(&self) -> [Argument<'_>; 17] {
        [
            (&self.id).into(),
            (&self.name).into(),
            (&self.state).into(),
            (&self.authentication).into(),
            (&self.keys).into(),
            (&self.capabilities).into(),
            (&self.permissions).into(),
            (&self.audience).into(),
            (&self.scope).into(),
            (&self.allowed_custom_claims).into(),
            (&self.metadata).into(),
            (&self.informative).into(),
            self.created_at.into(),
            self.updated_at.into(),
            self.revision.into(),
            (&self.settings).into(),
            self.last_login.into(),
        ]
    }
}

impl From<&Client> for ClientRow {
    fn from(client: &Client) -> Self {
        let keys = client.keys.iter().map(|key| Value::Object(key.to_json())).collect();
        Self {
            id: client.id.to_string(),
            name: client.name.to_string(),
            state: client.state.name().to_owned(),
            authentication: client.authentication.name().to_owned(),
            keys: Value::Array(keys).to_string(),
            capabilities: texts(client.capabilities.iter().map(|it| it.name())),
            permissions: texts(client.permissions.iter().map(Permission::as_str)),
            audience: texts(client.audience.iter().map(Audience::as_str)),
            scope: client.scope.to_string(),
            allowed_custom_claims: texts(
                client.allowed_custom_claims.iter().map(ClaimName::as_str),
            ),
            metadata: client.metadata.as_ref().map(object),
            informative: object(client.informative.as_object()),
            created_at: kept_moment(client.created_at),
            updated_at: kept_moment(client.updated_at),
            last_login: client.last_login.map(kept_moment),
            revision: kept(client.revision.0),
            settings: object(&client.settings.to_json()),
        }
    }
}

impl TryFrom<ClientRow> for Client {
    type Error = Fault;

    fn try_from(row: ClientRow) -> Result<Self, Fault> {
        let mut informative = parse_object(&row.informative)?;
        Ok(Self {
            id: parse(&row.id)?,
            name: parse(&row.name)?,
            state: parse(&row.state)?,
            authentication: parse(&row.authentication)?,
            keys: parse_keys(&row.keys)?,
            capabilities: parse_all(&row.capabilities)?,
            permissions: parse_all(&row.permissions)?,
            audience: parse_all(&row.audience)?,
            scope: parse_scope(&row.scope)?,
            allowed_custom_claims: parse_all(&row.allowed_custom_claims)?,
            settings: parse_settings(&row.settings)?,
            metadata: row.metadata.as_deref().map(parse_object).transpose()?,
            informative: InformativeMetadata::take_from(&mut informative)
                .map_err(Fault::corrupt)?,
            created_at: believed_moment(row.created_at)?,
            updated_at: believed_moment(row.updated_at)?,
            last_login: row.last_login.map(believed_moment).transpose()?,
            revision: Revision(believed(row.revision)?),
        })
    }
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Value>().to_string()
}

fn parse<T: FromStr<Err: Error + Send + Sync + 'static>>(raw: &str) -> Result<T, Fault> {
    raw.parse().map_err(Fault::corrupt)
}

fn parse_all<T, C>(raw: &str) -> Result<C, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
    C: FromIterator<T>,
{
    let texts: Vec<String> = serde_json::from_str(raw).map_err(Fault::corrupt)?;
    texts.iter().map(|text| parse(text)).collect()
}

fn parse_keys(raw: &str) -> Result<Vec<PublicJwk>, Fault> {
    let keys: Vec<JsonObject> = serde_json::from_str(raw).map_err(Fault::corrupt)?;
    keys.iter().map(|key| PublicJwk::parse(key).map_err(Fault::corrupt)).collect()
}

fn parse_scope(raw: &str) -> Result<Scope, Fault> {
    match raw {
        "" => Ok(Scope::default()),
        raw => parse(raw),
    }
}

fn parse_settings(raw: &str) -> Result<ClientSettings, Fault> {
    let named = |error: &dyn Error| Fault::corrupt(format!("settings: {error}"));
    let object = domain::parse_object(raw.as_bytes()).map_err(|error| named(&error))?;
    ClientSettings::parse(&object).map_err(|error| named(&error))
}
