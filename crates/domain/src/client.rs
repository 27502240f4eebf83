//! Who may ask for a token.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::management::ManagementRight;
use crate::{
    Audience, ClaimName, ClientId, ClientName, ClientSettings, JsonObject, Permission, PublicJwk,
    Scope, Timestamp,
};

/// A client: what is known of it, but for its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The name it authenticates with.
    pub id: ClientId,
    /// What people call it.
    pub name: ClientName,
    /// Whether it may be used at all.
    pub state: ClientState,
    /// The one way in which it proves who it is.
    pub authentication: AuthenticationMethod,
    /// The keys that verify its assertions; empty for a client with secrets, and for one whose keys
    /// are fetched (`settings.jwks_uri`).
    pub keys: Vec<PublicJwk>,
    /// What it may do at all.
    pub capabilities: BTreeSet<Capability>,
    /// The entries of the `permissions` claim of its tokens.
    pub permissions: Vec<Permission>,
    /// Whom its tokens may be meant for.
    pub audience: Vec<Audience>,
    /// The most its tokens may ever allow.
    pub scope: Scope,
    /// The claims it may set in its own tokens.
    pub allowed_custom_claims: Vec<ClaimName>,
    /// What is chosen for it alone.
    pub settings: ClientSettings,
    /// What an operator noted; `None` if nobody ever set it.
    pub metadata: Option<JsonObject>,
    /// What it told us at registration, without any effect here.
    pub informative: InformativeMetadata,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was last given a token, as far as that is written down.
    pub last_login: Option<Timestamp>,
    /// Grows with each change: the entity tag of an update.
    pub revision: Revision,
}

impl Client {
    /// Whether it may be used: only `PUBLIC` clients get tokens.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state == ClientState::Public
    }

    /// Whether its registration access token is good for anything once it is in use (RFC 7592). That
    /// ends when it is disabled, and when an operator gives it a scope that manages this server: a
    /// token which nobody rotates would be worth as much as that scope.
    #[must_use]
    pub fn is_self_managed(&self) -> bool {
        let is_given_up = match self.state {
            ClientState::Public | ClientState::Draft => false,
            ClientState::Trash | ClientState::Deleted => true,
        };
        let manages = ManagementRight::ALL.iter().any(|it| it.is_allowed_by(&self.scope));
        self.settings.registration_token.is_some() && !is_given_up && !manages
    }

    /// Drops a registration access token that is good for nothing any more, for good.
    pub fn end_lapsed_self_management(&mut self) {
        if !self.is_self_managed() {
            self.settings.registration_token = None;
        }
    }
}

/// The version of a stored client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The version of a client that was just made.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A name that none of the known values has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {allowed}")]
pub struct UnknownName {
    /// The known names, comma separated.
    pub allowed: &'static str,
}

macro_rules! named {
    ($(#[$doc:meta])+ $name:ident: $($(#[$variant_doc:meta])+ $variant:ident = $text:literal),+ ; $allowed:literal) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])+ $variant),+
        }

        impl $name {
            /// Its name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(raw: &str) -> Result<Self, Self::Err> {
                match raw {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownName { allowed: $allowed }),
                }
            }
        }
    };
}

named! {
    /// The state of a stored document, as crud-service knows it (`__STATE__`).
    ClientState:
    /// In use.
    Public = "PUBLIC",
    /// Not yet in use.
    Draft = "DRAFT",
    /// Disabled; it can come back.
    Trash = "TRASH",
    /// Deleted, the document kept.
    Deleted = "DELETED";
    "PUBLIC, DRAFT, TRASH, DELETED"
}

named! {
    /// How a client proves who it is (`token_endpoint_auth_method`, RFC 7591 section 2).
    AuthenticationMethod:
    /// A secret in the `Authorization` header (RFC 6749 section 2.3.1).
    ClientSecretBasic = "client_secret_basic",
    /// A secret in the form (RFC 6749 section 2.3.1).
    ClientSecretPost = "client_secret_post",
    /// An assertion with a MAC under the secret (RFC 7523 section 2.2, `OpenID` Connect Core
    /// section 9).
    ClientSecretJwt = "client_secret_jwt",
    /// An assertion signed with a registered key (RFC 7523 section 2.2).
    PrivateKeyJwt = "private_key_jwt";
    "client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt"
}

impl AuthenticationMethod {
    /// Every method, in the order they are offered.
    pub const ALL: [Self; 4] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
    ];

    /// Whether the client has secrets, be it that it sends them or that it signs with them.
    #[must_use]
    pub const fn uses_secret(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt => true,
            Self::PrivateKeyJwt => false,
        }
    }

    /// Whether the client sends its secret. Header and form are one family: the same secret, and a
    /// client registered for one may use the other.
    #[must_use]
    pub const fn sends_secret(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost => true,
            Self::ClientSecretJwt | Self::PrivateKeyJwt => false,
        }
    }

    /// Whether the client's secrets have to be known here, and so are kept sealed, not hashed: a
    /// MAC cannot be computed from a hash.
    #[must_use]
    pub const fn needs_sealed_secrets(self) -> bool {
        match self {
            Self::ClientSecretJwt => true,
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::PrivateKeyJwt => false,
        }
    }
}

named! {
    /// What a client may do at all.
    Capability:
    /// Ask for tokens of its own (RFC 6749 section 4.4).
    ClientCredentials = "client_credentials",
    /// Ask what a token of somebody else says (RFC 7662).
    Introspection = "introspection";
    "client_credentials, introspection"
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 2] = [Self::ClientCredentials, Self::Introspection];
}

/// Members of a registration that we keep and show, and that decide nothing (RFC 7591 section 2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InformativeMetadata(JsonObject);

impl InformativeMetadata {
    /// The members that are kept.
    pub const NAMES: [&'static str; 7] = [
        "client_uri",
        "contacts",
        "logo_uri",
        "policy_uri",
        "software_id",
        "software_version",
        "tos_uri",
    ];

    /// Takes the members of `NAMES` out of `object`.
    ///
    /// # Errors
    ///
    /// The name of a member that is no text of at most 2048 bytes (for `contacts`: no array of
    /// at most 16 such texts).
    pub fn take_from(object: &mut JsonObject) -> Result<Self, &'static str> {
        let is_text = |it: &serde_json::Value| it.as_str().is_some_and(|it| it.len() <= 2_048);
        let mut taken = JsonObject::new();
        for name in Self::NAMES {
            let Some(value) = object.remove(name) else {
                continue;
            };
            let is_fine = match value.as_array() {
                Some(items) => name == "contacts" && items.len() <= 16 && items.iter().all(is_text),
                None => name != "contacts" && is_text(&value),
            };
            if !is_fine {
                return Err(name);
            }
            taken.insert(name.to_owned(), value);
        }
        Ok(Self(taken))
    }

    /// The members, by name.
    #[must_use]
    pub fn as_object(&self) -> &JsonObject {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_reads_back() {
        for name in ["PUBLIC", "DRAFT", "TRASH", "DELETED"] {
            assert_eq!(name.parse::<ClientState>().unwrap().name(), name);
        }
        assert!("public".parse::<ClientState>().is_err());
    }

    #[test]
    fn informative_members_are_taken_and_checked() {
        let mut object = json!({"software_id": "s", "contacts": ["a@example"], "scope": "a"})
            .as_object()
            .unwrap()
            .clone();

        let taken = InformativeMetadata::take_from(&mut object).unwrap();

        assert_eq!(taken.as_object().len(), 2);
        assert_eq!(object.len(), 1);
        for bad in [json!({"software_id": 7}), json!({"contacts": "a"}), json!({"tos_uri": []})] {
            assert!(InformativeMetadata::take_from(&mut bad.as_object().unwrap().clone()).is_err());
        }
    }
}
