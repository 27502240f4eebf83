//! A change set that took effect is taken back.

use std::collections::BTreeMap;

use domain::change_set::{ChangeSet, ChangeSetState, Commitment, Transition};
use domain::management::Mandate;
use domain::{Author, ChangeSetId, Client, ClientId, ClientSettings, Timestamp};

use super::carry_out::Work;
use super::staging::{ChangesError, Staging, check_mandate};

/// Takes a change set back, all of it or nothing.
#[derive(Clone)]
pub struct RollBackChanges {
    /// What change sets need.
    pub staging: Staging,
}

impl RollBackChanges {
    /// Runs the use-case: every client is what it was before the commit, with the secrets that it
    /// had then. Tokens that were taken back meanwhile stay so, and so do registration access tokens.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`]; [`ChangesError::Moved`] names the clients that were changed since the
    /// commit.
    #[tracing::instrument(level = "debug", name = "roll_back_changes", skip_all)]
    pub async fn execute(
        &self,
        id: &ChangeSetId,
        by: Author,
        mandate: &Mandate,
    ) -> Result<ChangeSet, ChangesError> {
        let staging = &self.staging;
        staging.check_store().await?;
        staging.settle_all().await?;
        let set = staging.find(id).await?;
        let commitment = match &set.state {
            ChangeSetState::Committed(commitment) => commitment.clone(),
            state @ (ChangeSetState::Draft | ChangeSetState::RolledBack { .. }) => {
                let mend = "only what was committed can be rolled back";
                return Err(ChangesError::WrongState { state: state.name(), mend });
            }
        };
        let now = staging.clock.now();
        let ids: Vec<ClientId> =
            commitment.transitions.iter().map(|it| it.client.clone()).collect();
        let stored = staging.stored(ids).await?;
        let moved: Vec<ClientId> = commitment
            .transitions
            .iter()
            .filter(|it| has_moved(it, &stored))
            .map(|it| it.client.clone())
            .collect();
        if !moved.is_empty() {
            return Err(ChangesError::Moved(moved));
        }
        let given = commitment.transitions.iter().flat_map(|it| {
            it.lost_secrets.iter().map(|secret| (it.client.clone(), secret.clone()))
        });
        let given = given.collect();
        let transitions: Vec<Transition> =
            commitment.transitions.iter().map(|it| reversed(it, &stored, now)).collect();
        check_mandate(&transitions, mandate)?;
        // Whoever was taken back has no use for hashes any more.
        let without_hashes = Commitment {
            transitions: commitment.transitions.into_iter().map(without_secrets).collect(),
            ..commitment
        };
        let state = ChangeSetState::RolledBack { commitment: without_hashes, by, at: now };
        staging.carry_out(Work { set, state, transitions, given, now }).await
    }
}

/// Whether a client is no longer what the commit made of it.
fn has_moved(transition: &Transition, stored: &BTreeMap<ClientId, Client>) -> bool {
    match (&transition.after, stored.get(&transition.client)) {
        (None, None) => false,
        // The moment tells clients apart that had one id, one after the other.
        (Some(after), Some(stored)) => {
            (after.revision, after.updated_at) != (stored.revision, stored.updated_at)
        }
        (Some(_), None) | (None, Some(_)) => true,
    }
}

/// The way back. Revisions only ever grow: what somebody saw of a client is never seen again.
fn reversed(
    transition: &Transition,
    stored: &BTreeMap<ClientId, Client>,
    now: Timestamp,
) -> Transition {
    let Transition { client, before, after: _, lost_secrets: _ } = transition;
    let stored = stored.get(client).cloned();
    let last = stored.as_ref().or(before.as_ref()).map(|it| it.revision);
    let after = before.clone().zip(last).map(|(before, last)| Client {
        revision: last.next(),
        updated_at: now,
        settings: ClientSettings {
            registration_token: match &stored {
                Some(it) => it.settings.registration_token.clone(),
                None => before.settings.registration_token.clone(),
            },
            ..before.settings.clone()
        },
        ..before
    });
    Transition { client: client.clone(), before: stored, after, lost_secrets: Vec::new() }
}

fn without_secrets(transition: Transition) -> Transition {
    Transition { lost_secrets: Vec::new(), ..transition }
}
