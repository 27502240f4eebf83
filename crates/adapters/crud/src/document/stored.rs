//! A document that was read, and the client that it is.

use domain::{
    AuthenticationMethod, Client, ClientSettings, InformativeMetadata, JsonObject, PublicJwk,
    Revision, Scope, Timestamp,
};
use serde_json::Value;

use super::believed::Believed;
use super::field;
use super::sent::default_capabilities;
use crate::mishap::Mishap;

/// A client, and what is known of its document.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The service's own name of the document.
    pub(crate) object_id: String,
    /// The client.
    pub(crate) client: Client,
    /// What tells this version of the document from others.
    pub(crate) version: Version,
    /// The optional fields that it has.
    pub(crate) present: Vec<&'static str>,
}

/// What tells one version of a document from another.
#[derive(Debug)]
pub(crate) enum Version {
    /// Our own count of its changes.
    Counted(u64),
    /// When it was last written, as the service spells it: the document has no count.
    Dated(String),
}

impl TryFrom<JsonObject> for Stored {
    type Error = Mishap;

    fn try_from(document: JsonObject) -> Result<Self, Mishap> {
        let believed = Believed::new(&document);
        let created_at = believed.moment(field::CREATED_AT)?;
        let written_at = believed.moment(field::UPDATED_AT)?;
        let (version, revision) = version(&believed, written_at)?;
        let or_wrong =
            |moment: Option<Timestamp>, field| moment.ok_or_else(|| believed.wrong(field));
        let client = Client {
            id: believed.required(field::CLIENT_ID)?,
            name: believed.required(field::NAME)?,
            state: believed.required(field::STATE)?,
            authentication: believed
                .parsed(field::AUTH_METHOD)?
                .unwrap_or(AuthenticationMethod::ClientSecretBasic),
            keys: keys(&believed)?,
            capabilities: believed.list(field::CAPABILITIES)?.unwrap_or_else(default_capabilities),
            permissions: believed.list(field::PERMISSIONS)?.unwrap_or_default(),
            audience: believed.list(field::AUDIENCE)?.unwrap_or_default(),
            scope: scope(&believed)?,
            allowed_custom_claims: believed.list(field::ALLOWED_CUSTOM_CLAIMS)?.unwrap_or_default(),
            settings: settings(&believed)?,
            metadata: believed.object(field::METADATA)?.cloned(),
            informative: informative(&believed)?,
            created_at: match believed.moment(field::ISSUED_AT)? {
                Some(moment) => moment,
                None => or_wrong(created_at, field::CREATED_AT)?,
            },
            updated_at: match believed.moment(field::CHANGED_AT)? {
                Some(moment) => moment,
                None => or_wrong(written_at, field::UPDATED_AT)?,
            },
            last_login: believed.moment(field::LAST_LOGIN)?,
            revision,
        };
        let present = field::optional().filter(|name| believed.value(name).is_some()).collect();
        Ok(Self { object_id: believed.object_id()?, client, version, present })
    }
}

fn version(
    believed: &Believed<'_>,
    written_at: Option<Timestamp>,
) -> Result<(Version, Revision), Mishap> {
    if let Some(value) = believed.value(field::REVISION) {
        let count = value.as_u64().ok_or_else(|| believed.wrong(field::REVISION))?;
        return Ok((Version::Counted(count), Revision(count)));
    }
    match (written_at, believed.text(field::UPDATED_AT)?) {
        (Some(moment), Some(text)) => {
            Ok((Version::Dated(text.to_owned()), Revision(moment.as_unix_millis())))
        }
        (_, _) => Err(believed.wrong(field::UPDATED_AT)),
    }
}

/// The one key of `publicKey`, or those of `publicKeys`; `{}` stands for none.
fn keys(believed: &Believed<'_>) -> Result<Vec<PublicJwk>, Mishap> {
    let key = |field, jwk: &JsonObject| {
        PublicJwk::parse(jwk).map_err(|error| believed.because(field, error))
    };
    let one = believed.object(field::PUBLIC_KEY)?.filter(|it| !it.is_empty());
    let several = match believed.value(field::PUBLIC_KEYS) {
        None => &[],
        Some(Value::Array(items)) => items.as_slice(),
        Some(_) => return Err(believed.wrong(field::PUBLIC_KEYS)),
    };
    match (one, several) {
        (None, several) => {
            let parsed = |it: &Value| {
                let jwk = it.as_object().ok_or_else(|| believed.wrong(field::PUBLIC_KEYS))?;
                key(field::PUBLIC_KEYS, jwk)
            };
            several.iter().map(parsed).collect()
        }
        (Some(one), []) => Ok(vec![key(field::PUBLIC_KEY, one)?]),
        // Somebody set one beside the other: which of them is meant, nobody can tell.
        (Some(_), _) => Err(believed.wrong(field::PUBLIC_KEYS)),
    }
}

fn scope(believed: &Believed<'_>) -> Result<Scope, Mishap> {
    match believed.text(field::SCOPE)? {
        None | Some("") => Ok(Scope::default()),
        Some(_) => believed.required(field::SCOPE),
    }
}

fn settings(believed: &Believed<'_>) -> Result<ClientSettings, Mishap> {
    let Some(object) = believed.object(field::SETTINGS)? else {
        return Ok(ClientSettings::default());
    };
    // The cause names the member.
    ClientSettings::parse(object).map_err(|error| believed.because(field::SETTINGS, error))
}

fn informative(believed: &Believed<'_>) -> Result<InformativeMetadata, Mishap> {
    let mut members = JsonObject::new();
    for name in InformativeMetadata::NAMES {
        if let Some(value) = believed.value(name) {
            members.insert(name.to_owned(), value.clone());
        }
    }
    InformativeMetadata::take_from(&mut members).map_err(|field| believed.wrong(field))
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
