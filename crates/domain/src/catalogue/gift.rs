//! What may be given to a client where only what is registered counts.

use super::Catalogue;
use crate::{Client, Scope};

/// Something that a client would be given, and that is not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unregistered {
    /// The member of the client.
    pub member: &'static str,
    /// Which item of it, counted from 1, where it is a list.
    pub item: Option<usize>,
    /// What is not registered.
    pub value: String,
}

impl Catalogue {
    /// The first thing that `after` has, that `before` has not, and that is not registered. What a
    /// client has from earlier times stands in the way of no other change; it is not granted.
    #[must_use]
    pub fn unregistered(&self, before: Option<&Client>, after: &Client) -> Option<Unregistered> {
        let had = |audience| before.is_some_and(|it| it.audience.contains(audience));
        for (index, audience) in after.audience.iter().enumerate() {
            if self.resource(audience.as_str()).is_none() && !had(audience) {
                let value = audience.to_string();
                return Some(Unregistered { member: "audience", item: Some(index + 1), value });
            }
        }
        let scope = |member, after: &Scope, before: Option<&Scope>| {
            let had = |value: &str| before.is_some_and(|it| it.contains(value));
            let mut new = after.iter().filter(|value| !had(value));
            let value = new.find(|value| !self.knows_scope(value))?.to_owned();
            Some(Unregistered { member, item: None, value })
        };
        scope("scope", &after.scope, before.map(|it| &it.scope)).or_else(|| {
            let default = before.map(|it| &it.settings.default_scope);
            scope("default_scope", &after.settings.default_scope, default)
        })
    }
}
