//! In what a client and its secrets differ from their copy.

use std::fmt;

use domain::port::TokenDigester;
use domain::{Audience, ClaimName, Client, Credential, JsonObject, Permission, TokenDigest};
use serde_json::{Value, json};

use super::report::Fingerprint;

/// In what a client and its secrets differ from their copy. The one comparison there is: before
/// the copy, after it, and in a dry run.
pub(super) struct Difference<'a> {
    /// Whether the client is not there at all.
    pub(super) is_missing: bool,
    /// The members of the client that are others.
    pub(super) members: Vec<String>,
    /// The secrets that the copy lacks.
    pub(super) missing: Vec<&'a Credential>,
    /// The secrets that are others.
    pub(super) changed: Vec<Changed<'a>>,
    /// The secrets that the copy alone has.
    pub(super) alone: Vec<&'a Credential>,
    /// How many secrets are the same.
    pub(super) same: u64,
}

/// A secret that differs from its copy.
pub(super) struct Changed<'a> {
    pub(super) own: &'a Credential,
    pub(super) copy: &'a Credential,
    pub(super) members: Vec<String>,
}

impl<'a> Difference<'a> {
    pub(super) fn between(
        client: &Client,
        secrets: &'a [Credential],
        copy: Option<&Client>,
        copied: &'a [Credential],
    ) -> Self {
        let mut it = Self {
            is_missing: copy.is_none(),
            members: copy
                .map_or_else(Vec::new, |copy| differing(&of_client(client), &of_client(copy))),
            missing: Vec::new(),
            changed: Vec::new(),
            alone: Vec::new(),
            same: 0,
        };
        for own in secrets {
            let Some(copy) = copied.iter().find(|copy| copy.id == own.id) else {
                it.missing.push(own);
                continue;
            };
            let members = differing(&of_secret(own), &of_secret(copy));
            if members.is_empty() {
                it.same += 1;
            } else {
                it.changed.push(Changed { own, copy, members });
            }
        }
        it.alone =
            copied.iter().filter(|copy| !secrets.iter().any(|own| own.id == copy.id)).collect();
        it
    }

    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        !self.is_missing && self.missing.is_empty() && !self.is_in_the_way()
    }

    /// Whether the copy has something else in the place of what would be copied, so that nothing
    /// less than overwriting makes them equal.
    pub(super) fn is_in_the_way(&self) -> bool {
        !self.members.is_empty() || !self.changed.is_empty() || !self.alone.is_empty()
    }
}

/// For people: names, no values.
impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.is_missing {
            parts.push("is not in the target".to_owned());
        }
        if !self.members.is_empty() {
            parts.push(format!("differs in {}", self.members.join(", ")));
        }
        for it in &self.changed {
            parts.push(format!("secret {} differs in {}", it.own.id, it.members.join(", ")));
        }
        for it in &self.missing {
            parts.push(format!("secret {} is not in the target", it.id));
        }
        for it in &self.alone {
            parts.push(format!("secret {} is in the target alone", it.id));
        }
        f.write_str(&parts.join("; "))
    }
}

/// The names of the members that are not the same on both sides, in order.
fn differing(one: &JsonObject, other: &JsonObject) -> Vec<String> {
    let mut names: Vec<_> = one
        .iter()
        .filter(|(name, value)| other.get(*name) != Some(*value))
        .map(|(name, _)| name.clone())
        .collect();
    names.sort();
    names
}

/// All of a client that decides. Moments and revisions are left out: some stores count them in
/// their own way.
fn of_client(client: &Client) -> JsonObject {
    object(json!({
        "id": client.id.as_str(),
        "name": client.name.as_str(),
        "state": client.state.name(),
        "authentication": client.authentication.name(),
        "keys": client.keys.iter().map(domain::PublicJwk::to_json).collect::<Vec<_>>(),
        "capabilities": client.capabilities.iter().map(|it| it.name()).collect::<Vec<_>>(),
        "permissions": client.permissions.iter().map(Permission::as_str).collect::<Vec<_>>(),
        "audience": client.audience.iter().map(Audience::as_str).collect::<Vec<_>>(),
        "scope": client.scope.to_string(),
        "custom_claims":
            client.allowed_custom_claims.iter().map(ClaimName::as_str).collect::<Vec<_>>(),
        "settings": client.settings.to_json(),
        "metadata": client.metadata,
        "informative": client.informative.as_object(),
    }))
}

/// All of a secret that decides.
fn of_secret(it: &Credential) -> JsonObject {
    object(json!({
        "id": it.id.as_str(),
        "name": it.name.as_ref().map(ToString::to_string),
        "hash": it.hash.as_str(),
        "selector": it.selector.map(|it| it.0),
        "expires_at": it.expires_at.map(domain::Timestamp::as_unix_millis),
    }))
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            JsonObject::new()
        }
    }
}

/// A digest that grows.
#[derive(Default)]
pub(super) struct Sum {
    clients: u64,
    secrets: u64,
    digest: Option<TokenDigest>,
}

impl Sum {
    pub(super) fn add(
        &mut self,
        digester: &dyn TokenDigester,
        client: &Client,
        secrets: &[Credential],
    ) {
        let mut ordered: Vec<_> = secrets.iter().collect();
        ordered.sort_by(|one, other| one.id.cmp(&other.id));
        let ordered: Vec<_> = ordered.into_iter().map(of_secret).collect();
        let mut described = json!({"client": of_client(client), "secrets": ordered});
        // Some stores give the members of an object back in an order of their own.
        described.sort_all_objects();
        let text = format!("{}{described}", self.hexadecimal());
        self.digest = Some(digester.digest(&text));
        self.clients += 1;
        self.secrets += secrets.len() as u64;
    }

    fn hexadecimal(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for byte in self.digest.iter().flat_map(|digest| digest.0) {
            // Writing to a text never fails.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let digest = self.hexadecimal();
        Fingerprint { clients: self.clients, secrets: self.secrets, digest }
    }
}
