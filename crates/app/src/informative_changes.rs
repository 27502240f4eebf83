//! The members of a registration that decide nothing, and how they are changed.

use domain::{InformativeMetadata, JsonObject};
use serde_json::Value;

use crate::client_metadata::{InvalidMetadata, invalid};

/// A change of what a client told about itself: each member that is there replaces what was, and
/// `null` takes it away (RFC 7396 section 2).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct InformativeChanges {
    set: InformativeMetadata,
    removed: Vec<&'static str>,
}

impl InformativeChanges {
    /// Takes its members out of `object`.
    pub(crate) fn take_from(object: &mut JsonObject) -> Result<Self, InvalidMetadata> {
        let is_null = |name: &&str| object.get(*name).is_some_and(Value::is_null);
        let removed: Vec<&str> = InformativeMetadata::NAMES.into_iter().filter(is_null).collect();
        for name in &removed {
            object.remove(*name);
        }
        let set = InformativeMetadata::take_from(object).map_err(|member| {
            invalid(
                member,
                "must be a text of at most 2048 bytes (contacts: an array of at most 16 of them)",
            )
        })?;
        Ok(Self { set, removed })
    }

    /// Changes what a client told.
    pub(crate) fn apply(self, informative: &mut InformativeMetadata) {
        let mut members = informative.as_object().clone();
        for name in self.removed {
            members.remove(name);
        }
        members.extend(self.set.as_object().clone());
        // Both parts were read before, so this is read as well.
        if let Ok(changed) = InformativeMetadata::take_from(&mut members) {
            *informative = changed;
        }
    }
}
