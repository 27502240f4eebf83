//! The names of the fields.

use domain::InformativeMetadata;

pub(crate) const NAME: &str = "name";
pub(crate) const CLIENT_ID: &str = "clientId";
pub(crate) const AUTH_METHOD: &str = "authMethod";
pub(crate) const PERMISSIONS: &str = "permissions";
pub(crate) const AUDIENCE: &str = "audience";
pub(crate) const PUBLIC_KEY: &str = "publicKey";
pub(crate) const PUBLIC_KEYS: &str = "publicKeys";
pub(crate) const ALLOWED_CUSTOM_CLAIMS: &str = "allowedCustomClaims";
pub(crate) const SETTINGS: &str = "settings";
pub(crate) const METADATA: &str = "metadata";
pub(crate) const SCOPE: &str = "scope";
pub(crate) const CAPABILITIES: &str = "capabilities";
pub(crate) const LAST_LOGIN: &str = "lastLogin";
pub(crate) const REVISION: &str = "revision";
pub(crate) const ISSUED_AT: &str = "clientIdIssuedAt";
pub(crate) const CHANGED_AT: &str = "clientUpdatedAt";

// Those of the service itself.
pub(crate) const OBJECT_ID: &str = "_id";
pub(crate) const STATE: &str = "__STATE__";
pub(crate) const CREATED_AT: &str = "createdAt";
pub(crate) const UPDATED_AT: &str = "updatedAt";

/// The fields that we can do without: where the collection lacks them they are left out.
pub(crate) const DISPENSABLE: [&str; 4] = [REVISION, ISSUED_AT, CHANGED_AT, LAST_LOGIN];

/// The fields that are sent only if they differ from their default.
pub(crate) fn optional() -> impl Iterator<Item = &'static str> {
    [PUBLIC_KEY, PUBLIC_KEYS, ALLOWED_CUSTOM_CLAIMS, SETTINGS, METADATA, SCOPE, CAPABILITIES]
        .into_iter()
        .chain(InformativeMetadata::NAMES)
}

/// The field, if it is one of those that a collection may lack and that we cannot do without where
/// they are sent: all that are sent only if they differ from their default, but for those that every
/// collection has.
pub(crate) fn lackable(name: &str) -> Option<&'static str> {
    optional().find(|it| *it == name && ![PUBLIC_KEY, ALLOWED_CUSTOM_CLAIMS].contains(it))
}

/// What a field is called in registrations (RFC 7591 section 2) and in management.
pub(crate) fn member(field: &str) -> &str {
    match field {
        NAME => "client_name",
        CLIENT_ID => "client_id",
        AUTH_METHOD => "token_endpoint_auth_method",
        PUBLIC_KEY => "public_key",
        PUBLIC_KEYS => "jwks",
        // The others have one name everywhere.
        _ => field,
    }
}
