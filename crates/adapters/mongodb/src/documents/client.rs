//! A document of `tokenwright_clients`.

use std::error::Error;
use std::str::FromStr;

use domain::{
    Audience, ClaimName, Client, ClientSettings, Fault, InformativeMetadata, JsonObject,
    Permission, PublicJwk, Revision, Scope,
};
use mongodb::bson::{DateTime, Document, serialize_to_document};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{object, parse_object};
use crate::fault::damaged;
use crate::moment::{believed, believed_moment, kept, kept_moment};

/// A document of `tokenwright_clients`.
///
/// Lists and objects are kept as JSON text: BSON cannot hold every JSON (numbers beyond 63 bits, a
/// NUL in a name), and would read names with `$` or dots as something else.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClientDocument {
    #[serde(rename = "_id")]
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
    /// Absent where an earlier release wrote the document.
    #[serde(default = "empty_object")]
    settings: String,
    metadata: Option<String>,
    informative: String,
    created_at: DateTime,
    updated_at: DateTime,
    last_login: Option<DateTime>,
    revision: i64,
}

impl ClientDocument {
    /// The fields that an update replaces: all but the id, and `last_login`, which belongs to the
    /// login ledger.
    pub(crate) fn replaced_fields(&self) -> Result<Document, Fault> {
        let mut fields = serialize_to_document(self).map_err(|error| damaged(&error))?;
        fields.remove("_id");
        fields.remove("last_login");
        Ok(fields)
    }
}

impl From<&Client> for ClientDocument {
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
            settings: object(&client.settings.to_json()),
            metadata: client.metadata.as_ref().map(object),
            informative: object(client.informative.as_object()),
            created_at: kept_moment(client.created_at),
            updated_at: kept_moment(client.updated_at),
            last_login: client.last_login.map(kept_moment),
            revision: kept(client.revision.0),
        }
    }
}

impl TryFrom<ClientDocument> for Client {
    type Error = Fault;

    fn try_from(kept: ClientDocument) -> Result<Self, Fault> {
        let mut informative = parse_object(&kept.informative)?;
        Ok(Self {
            id: parse(&kept.id)?,
            name: parse(&kept.name)?,
            state: parse(&kept.state)?,
            authentication: parse(&kept.authentication)?,
            keys: parse_keys(&kept.keys)?,
            capabilities: parse_all(&kept.capabilities)?,
            permissions: parse_all(&kept.permissions)?,
            audience: parse_all(&kept.audience)?,
            scope: parse_scope(&kept.scope)?,
            allowed_custom_claims: parse_all(&kept.allowed_custom_claims)?,
            settings: parse_settings(&kept.settings)?,
            metadata: kept.metadata.as_deref().map(parse_object).transpose()?,
            informative: InformativeMetadata::take_from(&mut informative)
                .map_err(Fault::corrupt)?,
            created_at: believed_moment(kept.created_at)?,
            updated_at: believed_moment(kept.updated_at)?,
            last_login: kept.last_login.map(believed_moment).transpose()?,
            revision: Revision(believed(kept.revision)?),
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

fn empty_object() -> String {
    object(&JsonObject::new())
}

fn parse_settings(raw: &str) -> Result<ClientSettings, Fault> {
    let named = |error: &dyn Error| Fault::corrupt(format!("settings: {error}"));
    let object = domain::parse_object(raw.as_bytes()).map_err(|error| named(&error))?;
    ClientSettings::parse(&object).map_err(|error| named(&error))
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
