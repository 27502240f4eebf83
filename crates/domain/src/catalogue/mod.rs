//! What the service knows of: the capabilities that are on, the scopes and the resources.

mod difference;
mod document;
mod edit;
mod gift;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::management::ManagementRight;
use crate::{
    Audience, Capability, Client, Description, InvalidText, ResourceName, Scope, ScopeToken,
};

pub use document::InvalidCatalogue;
pub use edit::{CatalogueChange, EditRefusal};
pub use gift::Unregistered;

/// Everything that is registered at the service. Two catalogues are equal if they say the same.
///
/// The default one has every capability on and registers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    capabilities: BTreeSet<Capability>,
    scopes: BTreeMap<ScopeToken, RegisteredScope>,
    resources: BTreeMap<ResourceIdentifier, Resource>,
}

/// A catalogue as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueEdition {
    /// One more with each change; 0 where nothing was ever stored.
    pub revision: u64,
    /// What it says.
    pub catalogue: Catalogue,
}

/// A scope value that the service knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredScope {
    /// The value.
    pub name: ScopeToken,
    /// What it is for.
    pub description: Option<Description>,
    /// Whether clients that may have it, and have no default scope of their own, are given it when
    /// they ask for no scope.
    pub is_default: bool,
}

/// Somebody whom tokens may be meant for (RFC 8707).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// How it is named in `resource`, `audience` and `aud`.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<ResourceName>,
    /// The scope values that mean something to it; `None`: it takes whatever a client may have.
    pub scopes: Option<Scope>,
}

/// The name of a resource: an absolute URI without a fragment (RFC 8707 section 2), or a plain text.
///
/// Compared byte by byte: case, a slash at the end and a percent sign make another resource (threat
/// T31).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceIdentifier(Audience);

/// Why a text is no [`ResourceIdentifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResourceIdentifier {
    /// It is no audience.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// It has a fragment, or looks as if it had one.
    #[error("identifier may hold no #: a resource has no fragment (RFC 8707 section 2)")]
    Fragment,
    /// It has `://` and is no URI.
    #[error("identifier has :// and is no absolute URI")]
    NoUri,
}

/// How strictly the catalogue is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatalogueMode {
    /// What is not registered is as each client has it.
    #[default]
    Open,
    /// What is not registered is neither given to clients nor granted to them.
    Registered,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            capabilities: Capability::ALL.into(),
            scopes: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }
}

impl Catalogue {
    /// The most scopes it may register.
    pub const MAX_SCOPES: usize = 1_000;
    /// The most resources it may register.
    pub const MAX_RESOURCES: usize = 1_000;
    /// The most bytes it may have as JSON: whoever reads it can send it back in one request.
    pub const MAX_BYTES: usize = 192 * 1024;
    /// The most bytes the name of a registered scope may have.
    pub const MAX_SCOPE_NAME_BYTES: usize = 255;

    /// The capabilities that are on for the service, in order.
    #[must_use]
    pub fn capabilities(&self) -> &BTreeSet<Capability> {
        &self.capabilities
    }

    /// Whether a capability is on for the service.
    #[must_use]
    pub fn is_on(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The registered scopes, in the order of their names.
    #[must_use]
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = &RegisteredScope> {
        self.scopes.values()
    }

    /// The registered resources, in the order of their identifiers.
    #[must_use]
    pub fn resources(&self) -> impl ExactSizeIterator<Item = &Resource> {
        self.resources.values()
    }

    /// A registered scope.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&RegisteredScope> {
        self.scopes.get(name)
    }

    /// A registered resource.
    #[must_use]
    pub fn resource(&self, identifier: &str) -> Option<&Resource> {
        self.resources.get(identifier)
    }

    /// Whether a scope value is known. Those that manage this server always are: what they are for
    /// is no choice of the operator, and who has them still is.
    #[must_use]
    pub fn knows_scope(&self, value: &str) -> bool {
        self.scopes.contains_key(value)
            || ManagementRight::ALL.iter().any(|right| right.scope_value() == value)
    }

    /// The first value of `scope` that is not known, if any.
    #[must_use]
    pub fn unknown_scope<'a>(&self, scope: &'a Scope) -> Option<&'a str> {
        scope.iter().find(|value| !self.knows_scope(value))
    }

    /// What a client is given that asks for no scope and may ask for these `targets`: its own
    /// default scope, else what is registered as default and the client may have; of both, what the
    /// targets take. Nobody asked for these values, so leaving some out takes nothing from anybody.
    #[must_use]
    pub fn default_scope(&self, client: &Client, targets: &[Audience]) -> Option<Scope> {
        let own = &client.settings.default_scope;
        let default = if own.is_empty() {
            client.scope.only(|value| self.scope(value).is_some_and(|it| it.is_default))
        } else {
            own.clone()
        };
        let taken = default.only(|value| self.is_taken(value, targets));
        (!taken.is_empty()).then_some(taken)
    }

    /// Whether one of `targets`, at least, takes a scope value. Whoever is not registered, or lists
    /// no scopes, takes them all, and a token for nobody in particular may carry any.
    #[must_use]
    pub fn is_taken(&self, value: &str, targets: &[Audience]) -> bool {
        let takes = |target: &Audience| {
            let scopes = self.resource(target.as_str()).and_then(|it| it.scopes.as_ref());
            scopes.is_none_or(|scopes| scopes.contains(value))
        };
        targets.is_empty() || targets.iter().any(takes)
    }
}

impl ResourceIdentifier {
    /// The text as it travels on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ResourceIdentifier {
    type Err = InvalidResourceIdentifier;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let audience: Audience = raw.parse()?;
        if raw.contains('#') {
            return Err(InvalidResourceIdentifier::Fragment);
        }
        if raw.contains("://") && Url::parse(raw).is_err() {
            return Err(InvalidResourceIdentifier::NoUri);
        }
        Ok(Self(audience))
    }
}

/// Identifiers compare and sort byte by byte, as their texts do.
impl Borrow<str> for ResourceIdentifier {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ResourceIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
