//! A client as a cache keeps it.

use domain::{
    Audience, AuthenticationMethod, Capability, ClaimName, Client, ClientId, ClientName,
    ClientSettings, ClientState, InformativeMetadata, JsonObject, Permission, PublicJwk, Revision,
    Scope, Timestamp,
};

/// A client without its id, which is the key, and with little room for what few clients have: less
/// than half of what a [`Client`] takes, and unpacked as fast as that is cloned.
pub(crate) struct KeptClient {
    name: ClientName,
    capabilities: Box<[Capability]>,
    permissions: Box<[Permission]>,
    audience: Box<[Audience]>,
    scope: Scope,
    rare: Option<Box<Rare>>,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_login: Option<Timestamp>,
    revision: Revision,
    state: ClientState,
    authentication: AuthenticationMethod,
}

/// What few clients have.
#[derive(Clone, Default, PartialEq)]
struct Rare {
    keys: Vec<PublicJwk>,
    allowed_custom_claims: Vec<ClaimName>,
    settings: ClientSettings,
    metadata: Option<JsonObject>,
    informative: InformativeMetadata,
}

impl KeptClient {
    pub(crate) fn packed(client: Client) -> Self {
        let Client {
            id: _,
            name,
            state,
            authentication,
            keys,
            capabilities,
            permissions,
            audience,
            scope,
            allowed_custom_claims,
            settings,
            metadata,
            informative,
            created_at,
            updated_at,
            last_login,
            revision,
        } = client;
        let rare = Rare { keys, allowed_custom_claims, settings, metadata, informative };
        Self {
            name,
            capabilities: capabilities.into_iter().collect(),
            permissions: permissions.into(),
            audience: audience.into(),
            scope,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
            created_at,
            updated_at,
            last_login,
            revision,
            state,
            authentication,
        }
    }

    /// The client that goes by `id`.
    pub(crate) fn unpacked(&self, id: &ClientId) -> Client {
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        let Rare { keys, allowed_custom_claims, settings, metadata, informative } = rare;
        Client {
            id: id.clone(),
            name: self.name.clone(),
            state: self.state,
            authentication: self.authentication,
            keys,
            capabilities: self.capabilities.iter().copied().collect(),
            permissions: self.permissions.to_vec(),
            audience: self.audience.to_vec(),
            scope: self.scope.clone(),
            allowed_custom_claims,
            settings,
            metadata,
            informative,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_login: self.last_login,
            revision: self.revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::sample::{client, full_client};

    use super::*;

    #[test]
    fn comes_out_as_it_went_in() {
        for client in [client("c"), full_client("c")] {
            assert_eq!(KeptClient::packed(client.clone()).unpacked(&client.id), client);
        }
    }

    #[test]
    fn takes_less_than_half_the_room() {
        assert!(size_of::<KeptClient>() * 2 < size_of::<Client>());
        assert!(KeptClient::packed(client("c")).rare.is_none());
    }
}
