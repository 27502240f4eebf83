//! Change sets, and what they do, as an operator sees them. Never a secret, nor the hash of one.

use app::{DraftProblem, ReviewedChanges};
use domain::change_set::{ChangeSet, ChangeSetState, ChangeSetSummary, Operation, Transition};
use domain::{ChangeNote, Client, ClientId};
use serde_json::{Map, Value, json};

use crate::client_document::{self, moment};

/// Members of a client that are not anybody's choice.
const NOBODYS: [&str; 3] = ["createdAt", "updatedAt", "lastLogin"];

/// A change set with its operations.
pub(crate) fn change_set(set: &ChangeSet) -> Value {
    let mut document = head(&set.summary());
    let mut add = |name: &str, value: Value| document.insert(name.to_owned(), value);
    add("operations", set.operations.iter().map(Operation::to_json).collect());
    match &set.state {
        ChangeSetState::Draft => (),
        ChangeSetState::Committed(it) => {
            add("committed_by", it.by.as_str().into());
            add("committed_at", moment(it.at));
        }
        ChangeSetState::RolledBack { commitment, by, at } => {
            add("committed_by", commitment.by.as_str().into());
            add("committed_at", moment(commitment.at));
            add("rolled_back_by", by.as_str().into());
            add("rolled_back_at", moment(*at));
        }
    }
    Value::Object(document)
}

/// What a list shows of a change set.
pub(crate) fn summary(summary: &ChangeSetSummary) -> Value {
    let mut document = head(summary);
    document.insert("operations".to_owned(), summary.operations.into());
    Value::Object(document)
}

fn head(it: &ChangeSetSummary) -> Map<String, Value> {
    let mut document = Map::new();
    let mut add = |name: &str, value: Value| document.insert(name.to_owned(), value);
    add("id", it.id.as_str().into());
    add("state", it.state.as_str().into());
    add("note", it.note.as_ref().map(ChangeNote::as_str).into());
    add("created_by", it.author.as_str().into());
    add("created_at", moment(it.created_at));
    add("updated_at", moment(it.updated_at));
    document
}

/// What a change set would do, or did.
pub(crate) fn review(reviewed: &ReviewedChanges) -> Value {
    let ReviewedChanges { set, transitions, problems } = reviewed;
    json!({
        "id": set.id.as_str(),
        "state": set.state.name(),
        "clients": transitions.iter().map(transition).collect::<Vec<_>>(),
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

/// What becomes of one client, member by member.
pub(crate) fn transition(it: &Transition) -> Value {
    let members: Map<String, Value> = members(it)
        .into_iter()
        .map(|(name, before, after)| (name, json!({"before": before, "after": after})))
        .collect();
    json!({
        "client_id": it.client.as_str(),
        "change": kind(it),
        "secret": secret(it),
        "members": members,
    })
}

/// What happens to a client, in one word.
pub(crate) fn kind(it: &Transition) -> &'static str {
    match (&it.before, &it.after) {
        (None, _) => "create",
        (Some(_), None) => "delete",
        (Some(_), Some(_)) => "change",
    }
}

/// What happens to its secrets; `null` if nothing does.
fn secret(it: &Transition) -> Option<&'static str> {
    let uses_secret = |it: &Option<Client>| it.as_ref().map(|it| it.authentication.uses_secret());
    match (uses_secret(&it.before), uses_secret(&it.after)) {
        (None | Some(false), Some(true)) => Some("made"),
        (Some(true), None | Some(false)) => Some("lost"),
        (None | Some(false), None | Some(false)) | (Some(true), Some(true)) => None,
    }
}

/// The members that differ: name, before, after; `null` stands for a member that is not there.
pub(crate) fn members(it: &Transition) -> Vec<(String, Value, Value)> {
    let document = |client: &Option<Client>| match client.as_ref().map(client_document::client) {
        Some(Value::Object(members)) => members,
        Some(_) | None => Map::new(),
    };
    let (mut before, mut after) = (document(&it.before), document(&it.after));
    let names: std::collections::BTreeSet<String> =
        before.keys().chain(after.keys()).cloned().collect();
    let mut differing = Vec::new();
    for name in names {
        let (old, new) = (before.remove(&name), after.remove(&name));
        if old != new && !NOBODYS.contains(&name.as_str()) && name != "client_id" {
            differing.push((name, old.unwrap_or_default(), new.unwrap_or_default()));
        }
    }
    differing
}

/// What is in the way of a commit.
pub(crate) fn problem(it: &DraftProblem) -> Value {
    json!({
        "operation": it.operation,
        "client_id": it.client.as_ref().map(ClientId::as_str),
        "member": it.member,
        "reason": it.reason,
    })
}
