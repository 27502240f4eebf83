//! Clients are changed together: what comes before the transaction, and what follows from it.
//!
//! The secrets are in a port of their own, maybe in another store, so they cannot be part of the
//! transaction. The order keeps every crash harmless:
//!
//! 1. Tokens of clients that come (back) into use are taken back up to now.
//! 2. The set notes which secrets are about to be put down. From its new revision on, no earlier
//!    attempt can be carried out any more.
//! 3. They are put down. Without their clients they are worth nothing.
//! 4. The transaction changes the clients and the set, which says from then on what is left to do.
//! 5. Secrets that are lost, and tokens of clients that are, are taken away; the set forgets that.
//!
//! A crash before 4 leaves a draft that knows what to take away, one after 4 a commit that every
//! node can bring to its end.

use domain::change_set::{ChangeSet, ChangeSetState, PendingSecret, Settlement, Transition};
use domain::port::{ApplyError, ClientWrite};
use domain::{Client, ClientId, Credential, Fault, Timestamp};

use super::draft::check_size;
use super::staging::{ChangesError, Staging};

/// What shall be done, and what shall be kept of it.
pub(super) struct Work {
    /// The set as it is stored.
    pub(super) set: ChangeSet,
    /// What it will be.
    pub(super) state: ChangeSetState,
    /// What becomes of each client.
    pub(super) transitions: Vec<Transition>,
    /// The secrets that clients are given.
    pub(super) given: Vec<(ClientId, Credential)>,
    pub(super) now: Timestamp,
}

impl Staging {
    /// Does all of `work`, or nothing.
    pub(super) async fn carry_out(&self, work: Work) -> Result<ChangeSet, ChangesError> {
        let Work { set, state, transitions, given, now } = work;
        let unsettled = transitions.iter().filter_map(|it| self.settlement(it, &given, now));
        let done =
            ChangeSet { state, pending: Vec::new(), unsettled: unsettled.collect(), ..set.clone() };
        check_size(&done)?;
        self.take_old_tokens_back(&transitions, now).await?;
        let begun = self.begin(set, &given, now).await?;
        let done = ChangeSet { revision: begun.revision, ..done }.renewed(now);
        let writes: Vec<ClientWrite> = transitions.into_iter().filter_map(write).collect();
        match self.transaction.apply(&writes, &done, begun.revision).await {
            Ok(()) => (),
            Err(ApplyError::Fault(fault)) => self.find_out(&begun, &done, fault).await?,
            Err(refused) => {
                self.take_pending_away(begun, now).await;
                return Err(match refused {
                    ApplyError::Moved(clients) => ChangesError::Moved(clients),
                    ApplyError::Superseded => ChangesError::Superseded,
                    ApplyError::Impossible(why) => ChangesError::Impossible(why),
                    ApplyError::Fault(fault) => fault.into(),
                });
            }
        }
        match self.settle(done.clone()).await {
            Ok(settled) => Ok(settled),
            Err(fault) => {
                let id = done.id.as_str();
                let error = fault.explained();
                tracing::warn!(
                    set = id,
                    error,
                    "what follows from a commit is done a little later"
                );
                Ok(done)
            }
        }
    }

    /// Whoever disabled or deleted a client took its tokens back, and those that a node issued
    /// meanwhile which had not heard of it must not come alive with the client.
    async fn take_old_tokens_back(
        &self,
        transitions: &[Transition],
        now: Timestamp,
    ) -> Result<(), Fault> {
        for Transition { client, before, after, .. } in transitions {
            let comes_into_use = after.as_ref().is_some_and(Client::is_enabled)
                && !before.as_ref().is_some_and(Client::is_enabled);
            let was_there = comes_into_use
                && (before.is_some() || self.tokens.client_revoked_until(client).await?.is_some());
            if was_there {
                let end = now.after(self.longest_lifetime);
                self.tokens.revoke_client(client, now, end).await?;
            }
        }
        Ok(())
    }

    /// Puts down the secrets that are given. From then on only this attempt can succeed.
    async fn begin(
        &self,
        set: ChangeSet,
        given: &[(ClientId, Credential)],
        now: Timestamp,
    ) -> Result<ChangeSet, ChangesError> {
        if given.is_empty() && set.pending.is_empty() {
            return Ok(set);
        }
        let (expected, old) = (set.revision, set.pending.clone());
        let new = given.iter().map(|(client, credential)| PendingSecret {
            client: client.clone(),
            secret: credential.id.clone(),
        });
        let pending = old.iter().cloned().chain(new).collect();
        let begun = ChangeSet { pending, ..set }.renewed(now);
        if !self.sets.update(&begun, expected).await? {
            return Err(ChangesError::Superseded);
        }
        self.remove(&old).await?;
        for (client, credential) in given {
            // One that a rollback brings back may be there still.
            self.credentials.insert(client, credential).await?;
        }
        Ok(begun)
    }

    /// Whether the transaction was carried out, although nobody said so: an error if not, and then
    /// it never will be.
    async fn find_out(
        &self,
        begun: &ChangeSet,
        done: &ChangeSet,
        fault: Fault,
    ) -> Result<(), ChangesError> {
        let id = begun.id.as_str();
        tracing::warn!(set = id, error = fault.explained(), "nobody knows yet what was changed");
        let fenced = begun.clone().renewed(done.updated_at);
        match self.sets.update(&fenced, begun.revision).await {
            Ok(true) => {
                self.take_pending_away(fenced, done.updated_at).await;
                Err(fault.into())
            }
            Ok(false) => match self.sets.find(&begun.id).await {
                Ok(Some(stored)) if stored.state == done.state => Ok(()),
                Ok(Some(_) | None) => Err(ChangesError::Superseded),
                Err(_) => Err(fault.into()),
            },
            // The secrets stay noted, and the next attempt takes them away.
            Err(_) => Err(fault.into()),
        }
    }

    /// Takes away what no client has. What cannot be taken away now stays noted.
    pub(super) async fn take_pending_away(&self, set: ChangeSet, now: Timestamp) {
        if set.pending.is_empty() {
            return;
        }
        let expected = set.revision;
        let outcome = match self.remove(&set.pending).await {
            Ok(()) => {
                let clean = ChangeSet { pending: Vec::new(), ..set }.renewed(now);
                self.sets.update(&clean, expected).await.map(drop)
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            tracing::warn!(error = fault.explained(), "a secret of nobody waits to be removed");
        }
    }

    pub(super) async fn remove(&self, pending: &[PendingSecret]) -> Result<(), Fault> {
        for PendingSecret { client, secret } in pending {
            self.credentials.remove(client, secret).await?;
        }
        Ok(())
    }

    /// What follows from the change of a client; `None` if nothing does.
    fn settlement(
        &self,
        transition: &Transition,
        given: &[(ClientId, Credential)],
        at: Timestamp,
    ) -> Option<Settlement> {
        let Transition { client, before, after, .. } = transition;
        let of_client = given.iter().filter(|(of, _)| of == client);
        let new_secrets = || of_client.map(|(_, it)| it.id.clone()).collect();
        let old_way = before.as_ref().map(|it| it.authentication.uses_secret());
        let new_way = after.as_ref().map(|it| it.authentication.uses_secret());
        let secrets = match (old_way, new_way) {
            // Gone, or goes over to keys.
            (_, None) | (Some(true), Some(false)) => Some(Vec::new()),
            // New, or goes over to secrets.
            (None, Some(_)) | (Some(false), Some(true)) => Some(new_secrets()),
            (Some(true), Some(true)) | (Some(false), Some(false)) => None,
        };
        let tokens_until = match (before, after) {
            (Some(_), None) => Some(at.after(self.remembered_for)),
            (Some(before), Some(after)) if before.is_enabled() && !after.is_enabled() => Some(at),
            (Some(_) | None, Some(_)) | (None, None) => None,
        };
        let is_needed = secrets.is_some() || tokens_until.is_some();
        is_needed.then(|| Settlement { client: client.clone(), at, secrets, tokens_until })
    }
}

fn write(transition: Transition) -> Option<ClientWrite> {
    match (transition.before, transition.after) {
        (None, None) => None,
        (None, Some(client)) => Some(ClientWrite::Insert(client)),
        (Some(before), None) => {
            Some(ClientWrite::Remove { id: before.id, expected: before.revision })
        }
        (Some(before), Some(client)) => {
            Some(ClientWrite::Update { client, expected: before.revision })
        }
    }
}
