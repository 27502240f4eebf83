//! Everything that is wrong with a draft, and not only the first of it.

use std::fmt;

use domain::change_set::InvalidOperation;
use domain::{ClientId, JsonObject};
use serde_json::Value;

use crate::client_metadata::{Authority, InvalidMetadata, NewClient, RegistrationRules};

/// Something that keeps a change set from being committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftProblem {
    /// Which of its operations, counted from 0; `None` where it is the set as a whole.
    pub operation: Option<usize>,
    /// The client that the operation is about, where it names one.
    pub client: Option<ClientId>,
    /// The member that is wrong, where it is one.
    pub member: Option<String>,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

impl DraftProblem {
    pub(super) fn of_set(reason: impl Into<String>) -> Self {
        Self { operation: None, client: None, member: None, reason: reason.into() }
    }

    pub(super) fn of(operation: usize, client: &ClientId, reason: impl Into<String>) -> Self {
        let client = Some(client.clone());
        Self { operation: Some(operation), client, member: None, reason: reason.into() }
    }

    pub(super) fn of_member(operation: usize, client: &ClientId, error: InvalidMetadata) -> Self {
        let InvalidMetadata { member, reason } = error;
        Self { member: Some(member), ..Self::of(operation, client, reason) }
    }

    pub(super) fn unreadable(operation: usize, error: InvalidOperation) -> Self {
        let InvalidOperation { member, reason } = error;
        let member = Some(member.to_owned());
        Self { operation: Some(operation), client: None, member, reason }
    }
}

impl fmt::Display for DraftProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(f, "operations[{operation}]")?;
            if let Some(member) = &self.member {
                write!(f, ".{member}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Everything that is wrong with the members of a new client.
#[must_use]
pub fn client_problems(members: &JsonObject, rules: &RegistrationRules) -> Vec<InvalidMetadata> {
    let parse = |object| NewClient::parse(object, Authority::Management, rules);
    every_problem(members, parse).err().unwrap_or_default()
}

/// What `parse` makes of `members`, or everything that it refuses: it names one member at a time,
/// and is asked again without those that it named.
pub(super) fn every_problem<T>(
    members: &JsonObject,
    parse: impl Fn(JsonObject) -> Result<T, InvalidMetadata>,
) -> Result<T, Vec<InvalidMetadata>> {
    let mut rest = members.clone();
    let mut named: Vec<String> = Vec::new();
    let mut found: Vec<InvalidMetadata> = Vec::new();
    loop {
        match parse(rest.clone()) {
            Ok(value) if found.is_empty() => return Ok(value),
            Err(error) if !named.contains(&error.member) => {
                without(&mut rest, &error.member);
                named.push(error.member.clone());
                if !follows(&error, &found) {
                    found.push(error);
                }
            }
            // It has nothing new to say.
            Ok(_) | Err(_) => return Err(found),
        }
    }
}

/// Takes a member away, or puts something in the place of one that is missing.
fn without(members: &mut JsonObject, member: &str) {
    const KEYS: [&str; 2] = ["public_key", "jwks"];
    let had_member = members.remove(member).is_some();
    if KEYS.contains(&member) {
        let had_keys = KEYS.map(|it| members.remove(it).is_some()).contains(&true);
        // Keys are missing, or are there without need: no matter which.
        if !had_member && !had_keys {
            members.remove("token_endpoint_auth_method");
        }
    }
    if member == "client_name" {
        members.insert(member.to_owned(), Value::from("a stand-in"));
    }
}

/// Whether an error is there only because another one is.
fn follows(error: &InvalidMetadata, found: &[InvalidMetadata]) -> bool {
    let is_wrong = |member: &str| found.iter().any(|it| it.member == member);
    match error.member.as_str() {
        "default_scope" => is_wrong("scope"),
        "public_key" | "jwks" => {
            ["public_key", "jwks", "token_endpoint_auth_method"].into_iter().any(is_wrong)
        }
        _ => false,
    }
}
