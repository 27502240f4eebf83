//! What becomes of each client, if a change set is committed.

use std::collections::BTreeMap;

use domain::change_set::{ClientAction, ClientOperation, Operation, Transition};
use domain::{Client, ClientId, ClientSettings, ClientState, Fault, Revision, Timestamp};

use super::problems::{DraftProblem, every_problem};
use super::staging::{Known, Staging};
use crate::catalogue_in_use::GiftRefusal;
use crate::client_metadata::{Authority, ClientChanges, InvalidMetadata, NewClient};
use crate::use_case::register_client::check_keys;
use crate::use_case::update_client::check_secrets;

/// What would become of the clients.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Ordered by client; of clients that stay what they are, nothing.
    pub(super) transitions: Vec<Transition>,
    /// Everything that is in the way.
    pub(super) problems: Vec<DraftProblem>,
    /// The clients that are not what they were when the operations were drafted.
    pub(super) moved: Vec<ClientId>,
}

/// The operations about one client, each with its position in the set.
type OfClient<'a> = Vec<(usize, &'a ClientOperation)>;

impl Staging {
    /// What `operations` would make of what is `known`.
    pub(super) fn plan(
        &self,
        operations: &[Operation],
        known: &BTreeMap<ClientId, Known>,
        now: Timestamp,
    ) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let mut by_client: BTreeMap<&ClientId, OfClient<'_>> = BTreeMap::new();
        for (position, Operation::Client(operation)) in operations.iter().enumerate() {
            by_client.entry(&operation.client).or_default().push((position, operation));
        }
        if by_client.is_empty() {
            plan.problems
                .push(DraftProblem::of_set("it has no operations: there is nothing to do"));
        }
        let nothing = Known::default();
        for (id, operations) in by_client {
            let known = known.get(id).unwrap_or(&nothing);
            if let Some(problem) = contradiction(id, &operations) {
                plan.problems.push(problem);
            } else if let Some(problem) = moved(id, &operations, known) {
                plan.problems.push(problem);
                plan.moved.push(id.clone());
            } else {
                match self.transition(id, &operations, known, now)? {
                    Ok(transition) => plan.transitions.extend(transition),
                    Err(problems) => plan.problems.extend(problems),
                }
            }
        }
        plan.problems.sort_by_key(|it| it.operation);
        Ok(plan)
    }

    /// What becomes of one client; `None` if it stays what it is.
    fn transition(
        &self,
        id: &ClientId,
        operations: &OfClient<'_>,
        known: &Known,
        now: Timestamp,
    ) -> Result<Result<Option<Transition>, Vec<DraftProblem>>, Fault> {
        let before = known.client.clone();
        let mut after = before.clone();
        let mut problems = Vec::new();
        for (position, ClientOperation { action, .. }) in operations {
            let of_member = |error| DraftProblem::of_member(*position, id, error);
            let of_members = |errors: Vec<_>| errors.into_iter().map(of_member).collect::<Vec<_>>();
            match self.acted(id, action, after.as_ref(), known, now) {
                Ok(acted) => {
                    if let (Some(before), Some(acted)) = (&before, &acted)
                        && let Err(error) = check_secrets(acted, before, &known.secrets, now)
                    {
                        problems.push(of_member(error));
                    }
                    let gifts = acted.as_ref().map_or(Ok(()), |acted| {
                        self.catalogue.check_gifts(before.as_ref(), acted, now)
                    });
                    match gifts {
                        Ok(()) => (),
                        Err(GiftRefusal::Invalid(error)) => problems.push(of_member(error)),
                        Err(GiftRefusal::Fault(fault)) => return Err(fault),
                    }
                    after = acted;
                }
                Err(Refused::Members(errors)) => problems.extend(of_members(errors)),
                Err(Refused::Whole(reason)) => {
                    problems.push(DraftProblem::of(*position, id, reason));
                }
            }
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        if before == after {
            return Ok(Ok(None));
        }
        if let (Some(before), Some(after)) = (&before, &mut after) {
            after.revision = before.revision.next();
            after.updated_at = now;
            // What is lost by being disabled does not come back by being enabled.
            if !before.is_self_managed() || !after.is_self_managed() {
                after.settings.registration_token = None;
            }
        }
        let keeps_secrets = after.as_ref().is_some_and(|it| it.authentication.uses_secret());
        let lost_secrets = match &before {
            Some(_) if !keeps_secrets => known.secrets.clone(),
            Some(_) | None => Vec::new(),
        };
        Ok(Ok(Some(Transition { client: id.clone(), before, after, lost_secrets })))
    }

    /// What one operation makes of a client.
    fn acted(
        &self,
        id: &ClientId,
        action: &ClientAction,
        client: Option<&Client>,
        known: &Known,
        now: Timestamp,
    ) -> Result<Option<Client>, Refused> {
        if let (ClientAction::Create(members), None) = (action, client) {
            let drafted = every_problem(members, |object| self.new_client(id, object, now));
            // What is taken back would take back the tokens of the new client, too.
            return match known.tokens_until {
                Some(until) if now < until => Err(Refused::Whole(format!(
                    "a client with this id was deleted, and tokens of this id are worth nothing \
                     until {} (Unix time): choose another client_id",
                    until.as_unix_seconds()
                ))),
                Some(_) | None => Ok(Some(drafted?.client)),
            };
        }
        let client = match (action, client) {
            (ClientAction::Create(_), Some(_)) => {
                let reason = "there is a client with this id already: change it, or replace it";
                return Err(Refused::Whole(reason.to_owned()));
            }
            (_, Some(client)) => client,
            (_, None) => {
                let reason = "there is no client with this id: create it, or leave this out";
                return Err(Refused::Whole(reason.to_owned()));
            }
        };
        Ok(match action {
            ClientAction::Create(_) | ClientAction::Delete => None,
            ClientAction::Replace(members) => {
                let replaced = every_problem(members, |object| {
                    self.new_client(id, object, now).map(|new| replacement(new, client))
                });
                Some(replaced?)
            }
            ClientAction::Change(members) => {
                Some(every_problem(members, |object| self.changed(object, client))?)
            }
            ClientAction::Disable => Some(with_state(client, ClientState::Trash)),
            ClientAction::Enable => Some(with_state(client, ClientState::Public)),
        })
    }

    /// A client of these members, and what they say of one that it replaces.
    fn new_client(
        &self,
        id: &ClientId,
        object: domain::JsonObject,
        now: Timestamp,
    ) -> Result<Drafted, InvalidMetadata> {
        let registration = NewClient::parse(object, Authority::Management, &self.rules)?;
        let (state, ends_self_management) =
            (registration.state, registration.ends_self_management());
        let client = registration.into_client(id.clone(), now);
        self.check_keys(&client)?;
        Ok(Drafted { client, state, ends_self_management })
    }

    fn changed(
        &self,
        object: domain::JsonObject,
        client: &Client,
    ) -> Result<Client, InvalidMetadata> {
        let patch = ClientChanges::parse(object, &self.rules)?;
        patch.check(client)?;
        let mut changed = client.clone();
        patch.apply(&mut changed);
        self.check_keys(&changed)?;
        Ok(changed)
    }

    fn check_keys(&self, client: &Client) -> Result<(), InvalidMetadata> {
        check_keys(client, self.signatures.as_ref(), self.remote_keys.as_ref())
    }

    /// What a client would be, if these members were all that is said of it.
    pub(super) fn replaced(
        &self,
        client: &Client,
        object: domain::JsonObject,
    ) -> Result<Client, InvalidMetadata> {
        let new = self.new_client(&client.id, object, client.created_at)?;
        Ok(replacement(new, client))
    }
}

/// A client as it was drafted.
struct Drafted {
    client: Client,
    /// The state that was named.
    state: Option<ClientState>,
    /// Whether one that it replaces shall not manage itself any more.
    ends_self_management: bool,
}

/// Why an operation cannot be carried out.
enum Refused {
    Members(Vec<InvalidMetadata>),
    Whole(String),
}

impl From<Vec<InvalidMetadata>> for Refused {
    fn from(errors: Vec<InvalidMetadata>) -> Self {
        Self::Members(errors)
    }
}

/// The new client in the place of the old one: what was never said about it stays.
fn replacement(drafted: Drafted, old: &Client) -> Client {
    let Drafted { client: new, state, ends_self_management } = drafted;
    let kept = old.settings.registration_token.clone();
    Client {
        state: state.unwrap_or(old.state),
        created_at: old.created_at,
        updated_at: old.updated_at,
        last_login: old.last_login,
        revision: old.revision,
        settings: ClientSettings {
            registration_token: kept.filter(|_| !ends_self_management),
            ..new.settings
        },
        ..new
    }
}

fn with_state(client: &Client, state: ClientState) -> Client {
    Client { state, ..client.clone() }
}

/// Two operations about one client that cannot both be meant.
fn contradiction(id: &ClientId, operations: &OfClient<'_>) -> Option<DraftProblem> {
    let count = |is_one: fn(&ClientAction) -> bool| {
        operations.iter().filter(|(_, it)| is_one(&it.action)).count()
    };
    let of_state = count(|it| matches!(it, ClientAction::Disable | ClientAction::Enable));
    let of_members = count(|it| matches!(it, ClientAction::Change(_) | ClientAction::Replace(_)));
    let mut bases: Vec<Revision> = operations.iter().filter_map(|(_, it)| it.base).collect();
    bases.dedup();
    let (position, last) = operations.last()?;
    let (_, first) = operations.first()?;
    let is_one = operations.len() == 1;
    let is_both = of_state <= 1 && of_members <= 1 && of_state + of_members == operations.len();
    if !is_one && !is_both {
        let (first, last) = (first.action.name(), last.action.name());
        let reason = format!(
            "{last} contradicts {first} of the same client: a client may have one operation, or \
             one that changes its members and one that disables or enables it"
        );
        return Some(DraftProblem::of(*position, id, reason));
    }
    if 1 < bases.len() {
        let reason = "two operations on this client were drafted against two revisions of it: \
                      leave revision out";
        return Some(DraftProblem::of(*position, id, reason));
    }
    None
}

/// Whether a client is no longer what it was when the operations were drafted.
fn moved(id: &ClientId, operations: &OfClient<'_>, known: &Known) -> Option<DraftProblem> {
    let (position, operation) = operations.first()?;
    if matches!(operation.action, ClientAction::Create(_)) {
        return None;
    }
    let base = operations.iter().find_map(|(_, it)| it.base);
    let stored = known.client.as_ref().map(|it| it.revision);
    let reason = match (base, stored) {
        (base, stored) if base == stored => return None,
        (None, _) => "the client was made since this was drafted".to_owned(),
        (Some(Revision(base)), None) => {
            format!("the client was deleted since this was drafted (against revision {base})")
        }
        (Some(Revision(base)), Some(Revision(stored))) => format!(
            "the client was changed since this was drafted (against revision {base}; it is at \
             {stored} now)"
        ),
    };
    Some(DraftProblem::of(*position, id, format!("{reason}: draft the operation again")))
}
