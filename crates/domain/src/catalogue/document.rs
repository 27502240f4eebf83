//! The catalogue as one JSON document: what is stored, shown and sent.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde_json::Value;

use super::{Catalogue, RegisteredScope, Resource, ResourceIdentifier};
use crate::{Capability, JsonObject, Scope, ScopeToken};

/// Why a document is no catalogue: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct InvalidCatalogue {
    /// Where, as `resources[2].scopes`; items are counted from 0.
    pub place: String,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

const CAPABILITIES: &str = "capabilities";
const RESOURCES: &str = "resources";
const SCOPES: &str = "scopes";
const IDENTIFIER: &str = "identifier";
const NAME: &str = "name";
const DESCRIPTION: &str = "description";
const DEFAULT: &str = "default";

impl Catalogue {
    /// The document in its one canonical form: everything sorted, nothing that says nothing. Equal
    /// catalogues are equal texts.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let names = self.capabilities.iter().map(|it| it.name()).collect::<Vec<_>>();
        let resources = self.resources.values().map(|it| it.to_json().into()).collect();
        let scopes = self.scopes.values().map(|it| it.to_json().into()).collect();
        object([
            (CAPABILITIES, Some(names.into())),
            (RESOURCES, Some(Value::Array(resources))),
            (SCOPES, Some(Value::Array(scopes))),
        ])
    }

    /// Reads a document. All three members must be there: a list that somebody forgot would switch
    /// off and remove everything that it does not name.
    ///
    /// # Errors
    ///
    /// [`InvalidCatalogue`], naming the first place that is wrong. A member that nobody knows is
    /// wrong: it may be a typing error, or forbid something in a later release.
    pub fn parse(object: &JsonObject) -> Result<Self, InvalidCatalogue> {
        let mut members = Members::of(object.clone(), String::new());
        let capabilities = parse_capabilities(members.required(CAPABILITIES)?, CAPABILITIES)?;
        let resources = list(members.required(RESOURCES)?, RESOURCES)?;
        let scopes = list(members.required(SCOPES)?, SCOPES)?;
        members.finish()?;

        let mut catalogue =
            Self { capabilities, scopes: BTreeMap::new(), resources: BTreeMap::new() };
        for (place, value) in items(SCOPES, scopes) {
            let scope = RegisteredScope::parse_at(value, &place)?;
            let name = scope.name.clone();
            if catalogue.scopes.insert(scope.name.clone(), scope).is_some() {
                let reason = format!("the scope {} is there already", name.as_str());
                return Err(wrong(format!("{place}.{NAME}"), reason));
            }
        }
        for (place, value) in items(RESOURCES, resources) {
            let resource = Resource::parse_at(value, &place)?;
            let identifier = resource.identifier.clone();
            if catalogue.resources.insert(identifier.clone(), resource).is_some() {
                let reason = format!("the resource {identifier} is there already");
                return Err(wrong(format!("{place}.{IDENTIFIER}"), reason));
            }
        }
        catalogue.check()?;
        Ok(catalogue)
    }

    /// What no single part can know: the bounds, and that resources take known scopes only.
    pub(super) fn check(&self) -> Result<(), InvalidCatalogue> {
        for (place, count, most) in [
            (SCOPES, self.scopes.len(), Self::MAX_SCOPES),
            (RESOURCES, self.resources.len(), Self::MAX_RESOURCES),
        ] {
            if most < count {
                return Err(wrong(place.to_owned(), format!("may hold at most {most} items")));
            }
        }
        for (index, resource) in self.resources.values().enumerate() {
            if let Some(value) = resource.scopes.as_ref().and_then(|it| self.unknown_scope(it)) {
                let place = format!("{RESOURCES}[{index}].{SCOPES}");
                return Err(wrong(place, format!("the scope {value} is not registered")));
            }
        }
        if Self::MAX_BYTES < Value::Object(self.to_json()).to_string().len() {
            let reason = format!("must be at most {} KiB as JSON", Self::MAX_BYTES / 1024);
            return Err(wrong("catalogue".to_owned(), reason));
        }
        Ok(())
    }
}

/// Reads the list of capabilities that are on, at `place`.
///
/// # Errors
///
/// [`InvalidCatalogue`], naming the first item that is wrong.
fn parse_capabilities(value: Value, place: &str) -> Result<BTreeSet<Capability>, InvalidCatalogue> {
    items(place, list(value, place)?)
        .map(|(place, value)| parsed::<Capability>(&value, &place))
        .collect()
}

impl RegisteredScope {
    /// The scope as it stands in the document.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        object([
            (DEFAULT, self.is_default.then_some(Value::Bool(true))),
            (DESCRIPTION, self.description.as_ref().map(|it| it.as_str().into())),
            (NAME, Some(self.name.as_str().into())),
        ])
    }

    /// Reads a scope. The name may be left out where `name` says it; else both must be the same.
    ///
    /// # Errors
    ///
    /// [`InvalidCatalogue`], naming the member that is wrong.
    pub fn parse(mut object: JsonObject, name: &ScopeToken) -> Result<Self, InvalidCatalogue> {
        named(&mut object, NAME, name.as_str())?;
        Self::parse_at(object.into(), "")
    }

    fn parse_at(value: Value, place: &str) -> Result<Self, InvalidCatalogue> {
        let mut members = Members::at(value, place)?;
        let name: ScopeToken = parsed(&members.required(NAME)?, &members.place(NAME))?;
        if Catalogue::MAX_SCOPE_NAME_BYTES < name.as_str().len() {
            let reason = format!("must have at most {} bytes", Catalogue::MAX_SCOPE_NAME_BYTES);
            return Err(wrong(members.place(NAME), reason));
        }
        let description = members.optional(DESCRIPTION)?;
        let is_default = match members.take(DEFAULT) {
            None => false,
            Some(Value::Bool(it)) => it,
            Some(_) => return Err(wrong(members.place(DEFAULT), "must be true or false")),
        };
        members.finish()?;
        Ok(Self { name, description, is_default })
    }
}

impl Resource {
    /// The resource as it stands in the document.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let scopes = self.scopes.as_ref().map(|it| it.iter().collect::<Vec<_>>().into());
        object([
            (IDENTIFIER, Some(self.identifier.as_str().into())),
            (NAME, self.name.as_ref().map(|it| it.as_str().into())),
            (SCOPES, scopes),
        ])
    }

    /// Reads a resource. The identifier may be left out where `identifier` says it; else both must
    /// be the same.
    ///
    /// # Errors
    ///
    /// [`InvalidCatalogue`], naming the member that is wrong.
    pub fn parse(
        mut object: JsonObject,
        identifier: &ResourceIdentifier,
    ) -> Result<Self, InvalidCatalogue> {
        named(&mut object, IDENTIFIER, identifier.as_str())?;
        Self::parse_at(object.into(), "")
    }

    fn parse_at(value: Value, place: &str) -> Result<Self, InvalidCatalogue> {
        let mut members = Members::at(value, place)?;
        let identifier = parsed(&members.required(IDENTIFIER)?, &members.place(IDENTIFIER))?;
        let name = members.optional(NAME)?;
        let scopes = match members.take(SCOPES) {
            None => None,
            Some(value) => {
                let place = members.place(SCOPES);
                let values = list(value, &place)?;
                if Scope::MAX_TOKENS < values.len() {
                    let reason = format!("may hold at most {} items", Scope::MAX_TOKENS);
                    return Err(wrong(place, reason));
                }
                let values = items(&place, values)
                    .map(|(place, value)| parsed::<ScopeToken>(&value, &place))
                    .collect::<Result<Scope, _>>()?;
                Some(values)
            }
        };
        members.finish()?;
        Ok(Self { identifier, name, scopes })
    }
}

/// The path of a request names the thing; a body that names another is a mistake.
fn named(object: &mut JsonObject, member: &str, name: &str) -> Result<(), InvalidCatalogue> {
    match object.get(member) {
        None => {
            object.insert(member.to_owned(), name.into());
            Ok(())
        }
        Some(value) if value.as_str() == Some(name) => Ok(()),
        Some(_) => Err(wrong(member.to_owned(), "must be as in the path, or left out")),
    }
}

/// The members of an object, taken out one by one.
struct Members {
    object: JsonObject,
    /// Where the object is; empty for the whole.
    at: String,
}

impl Members {
    fn of(object: JsonObject, at: String) -> Self {
        Self { object, at }
    }

    fn at(value: Value, at: &str) -> Result<Self, InvalidCatalogue> {
        match value {
            Value::Object(object) => Ok(Self::of(object, at.to_owned())),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(wrong(at.to_owned(), "must be an object")),
        }
    }

    fn place(&self, member: &str) -> String {
        if self.at.is_empty() { member.to_owned() } else { format!("{}.{member}", self.at) }
    }

    /// `null` is as good as left out.
    fn take(&mut self, member: &str) -> Option<Value> {
        self.object.remove(member).filter(|value| !value.is_null())
    }

    fn required(&mut self, member: &str) -> Result<Value, InvalidCatalogue> {
        self.take(member).ok_or_else(|| wrong(self.place(member), "is required"))
    }

    fn optional<T>(&mut self, member: &str) -> Result<Option<T>, InvalidCatalogue>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let value = self.take(member);
        value.map(|value| parsed(&value, &self.place(member))).transpose()
    }

    fn finish(self) -> Result<(), InvalidCatalogue> {
        match self.object.keys().next() {
            None => Ok(()),
            Some(member) => Err(wrong(self.place(member), "is not known here: leave it out")),
        }
    }
}

fn wrong(place: String, reason: impl Into<String>) -> InvalidCatalogue {
    InvalidCatalogue { place, reason: reason.into() }
}

fn list(value: Value, place: &str) -> Result<Vec<Value>, InvalidCatalogue> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(wrong(place.to_owned(), "must be an array"))
        }
    }
}

fn items(place: &str, values: Vec<Value>) -> impl Iterator<Item = (String, Value)> {
    values.into_iter().enumerate().map(move |(index, value)| (format!("{place}[{index}]"), value))
}

fn parsed<T>(value: &Value, place: &str) -> Result<T, InvalidCatalogue>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text = value.as_str().ok_or_else(|| wrong(place.to_owned(), "must be a text"))?;
    text.parse().map_err(|error: T::Err| wrong(place.to_owned(), error.to_string()))
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> JsonObject {
    let there = members.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?)));
    there.collect()
}
