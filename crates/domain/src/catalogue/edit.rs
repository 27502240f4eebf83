//! Changes of a catalogue, each of which leaves a good one behind.

use std::collections::BTreeSet;

use super::{Catalogue, InvalidCatalogue, RegisteredScope, Resource, ResourceIdentifier};
use crate::{Capability, ScopeToken};

/// Something that is done to a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueChange {
    /// All of it is replaced.
    Replace(Catalogue),
    /// These capabilities are on from now on, and no others.
    SetCapabilities(BTreeSet<Capability>),
    /// A scope is registered, or registered anew.
    PutScope(RegisteredScope),
    /// A scope is unknown from now on, to resources that took it as well: a resource that took
    /// nothing else takes nothing.
    RemoveScope(ScopeToken),
    /// A resource is registered, or registered anew.
    PutResource(Resource),
    /// A resource is unknown from now on.
    RemoveResource(ResourceIdentifier),
}

/// Why a catalogue is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditRefusal {
    /// What should be removed is not there.
    #[error("nothing of that name is registered")]
    Unknown,
    /// What would come out is no good catalogue.
    #[error(transparent)]
    Invalid(#[from] InvalidCatalogue),
}

impl CatalogueChange {
    /// Whether what the change is about is there before it. The whole, and the capabilities, always
    /// are.
    #[must_use]
    pub fn has_subject(&self, catalogue: &Catalogue) -> bool {
        match self {
            Self::Replace(_) | Self::SetCapabilities(_) => true,
            Self::PutScope(scope) => catalogue.scopes.contains_key(&scope.name),
            Self::RemoveScope(name) => catalogue.scopes.contains_key(name),
            Self::PutResource(it) => catalogue.resources.contains_key(&it.identifier),
            Self::RemoveResource(identifier) => catalogue.resources.contains_key(identifier),
        }
    }

    /// The catalogue after the change.
    ///
    /// # Errors
    ///
    /// See [`EditRefusal`].
    pub fn applied(self, catalogue: &Catalogue) -> Result<Catalogue, EditRefusal> {
        let mut changed = catalogue.clone();
        match self {
            Self::Replace(other) => changed = other,
            Self::SetCapabilities(on) => changed.capabilities = on,
            Self::PutScope(scope) => {
                changed.scopes.insert(scope.name.clone(), scope);
            }
            Self::RemoveScope(name) => {
                changed.scopes.remove(&name).ok_or(EditRefusal::Unknown)?;
                let is_known = |value: &str| changed.knows_scope(value);
                let mut resources = changed.resources.clone();
                for resource in resources.values_mut() {
                    resource.scopes = resource.scopes.as_ref().map(|it| it.only(is_known));
                }
                changed.resources = resources;
            }
            Self::PutResource(resource) => {
                // Said here, where it is the body's own member, and not a place in the whole.
                let unknown = resource.scopes.as_ref().and_then(|it| changed.unknown_scope(it));
                if let Some(value) = unknown {
                    let reason = format!("the scope {value} is not registered");
                    return Err(InvalidCatalogue { place: "scopes".to_owned(), reason }.into());
                }
                changed.resources.insert(resource.identifier.clone(), resource);
            }
            Self::RemoveResource(identifier) => {
                changed.resources.remove(&identifier).ok_or(EditRefusal::Unknown)?;
            }
        }
        changed.check()?;
        Ok(changed)
    }
}
