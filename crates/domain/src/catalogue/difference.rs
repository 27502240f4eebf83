//! In what two catalogues differ, in words for people.

use std::collections::BTreeMap;

use super::Catalogue;
use crate::JsonObject;

impl Catalogue {
    /// What is different in `other`, one line for each thing: `+` is there alone, `-` is missing
    /// there, and `~` is another there, with the members that are. Capabilities come first, then
    /// scopes, then resources. None where both are equal.
    #[must_use]
    pub fn changes_to(&self, other: &Self) -> Vec<String> {
        let capabilities = |of: &Self| {
            let all = of.capabilities.iter();
            all.map(|it| (it.name().to_owned(), JsonObject::new())).collect::<BTreeMap<_, _>>()
        };
        let scopes = |of: &Self| {
            let all = of.scopes.values();
            all.map(|it| (it.name.as_str().to_owned(), it.to_json())).collect::<BTreeMap<_, _>>()
        };
        let resources = |of: &Self| {
            let all = of.resources.values();
            all.map(|it| (it.identifier.to_string(), it.to_json())).collect::<BTreeMap<_, _>>()
        };
        let mut lines = differing("capability", &capabilities(self), &capabilities(other));
        lines.extend(differing("scope", &scopes(self), &scopes(other)));
        lines.extend(differing("resource", &resources(self), &resources(other)));
        lines
    }
}

fn differing(
    kind: &str,
    before: &BTreeMap<String, JsonObject>,
    after: &BTreeMap<String, JsonObject>,
) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut lines: Vec<_> = gone.map(|name| format!("- {kind} {name}")).collect();
    for (name, it) in after {
        match before.get(name) {
            None => lines.push(format!("+ {kind} {name}")),
            Some(was) if was == it => (),
            Some(was) => {
                let names = was.keys().chain(it.keys().filter(|name| !was.contains_key(*name)));
                let others: Vec<_> =
                    names.filter(|name| was.get(*name) != it.get(*name)).cloned().collect();
                lines.push(format!("~ {kind} {name}: {}", others.join(", ")));
            }
        }
    }
    lines
}
