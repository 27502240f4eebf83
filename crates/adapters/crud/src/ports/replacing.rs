//! How a client is replaced: its fields in one change, its state step by step.
//!
//! The service changes states one allowed step at a time, and apart from the fields. So a
//! replacement may break in the middle, and the order decides what is left then:
//!
//! - The change of the fields is what compares and swaps: it comes first, and if the client was
//!   changed meanwhile, nothing is done at all.
//! - A client that is disabled *and* changed otherwise is first claimed (its revision moves on,
//!   nothing else), then disabled, then changed. Broken in the middle, it is as it was, or disabled.
//! - A client that is enabled gets its fields while it is still disabled. No way from one state to
//!   another leads through `PUBLIC`, so a disabled client is never enabled on the way.

use domain::port::UpdateClientError;
use domain::{Client, ClientState, Fault};
use serde_json::{Value, json};

use crate::CrudClients;
use crate::clients::is_alike;
use crate::collection::{Reply, Request, count};
use crate::document::{Stored, Version, field, fields, update};
use crate::mishap::Mishap;
use crate::schema::Culprit;

/// What a change of a document depends on.
enum Guard<'a> {
    /// It is still that version.
    Version(&'a Version),
    /// It is the one that we claimed.
    Claimed,
}

impl CrudClients {
    /// Makes `client` of what is stored, unless somebody changed that meanwhile.
    pub(crate) async fn replace(
        &self,
        stored: &Stored,
        client: &Client,
    ) -> Result<(), UpdateClientError> {
        if matches!(stored.version, Version::Counted(_)) {
            // Whoever compares the count has to move it on.
            self.schema.has(field::REVISION);
        }
        let was = &stored.client;
        let in_old_state = Client { state: was.state, ..client.clone() };
        let guard = Guard::Version(&stored.version);
        if was.is_enabled() && !client.is_enabled() && !is_alike(was, &in_old_state) {
            let claim =
                Client { revision: client.revision, updated_at: client.updated_at, ..was.clone() };
            self.write(stored, &claim, &guard).await?;
            self.lead(stored, client).await?;
            return self.write(stored, client, &Guard::Claimed).await;
        }
        self.write(stored, client, &guard).await?;
        self.lead(stored, client).await
    }

    /// Writes the fields of `client`, all but its state.
    async fn write(
        &self,
        stored: &Stored,
        client: &Client,
        guard: &Guard<'_>,
    ) -> Result<(), UpdateClientError> {
        let mut fields = fields(client);
        let mut may_leave_out = true;
        loop {
            self.schema.fit(&mut fields);
            let update = update(&fields, stored);
            let request = Request::patch(&update).with(field::CLIENT_ID, client.id.as_str());
            let request = match self.condition(client, guard) {
                Some(condition) => request.with("_q", condition.to_string()),
                None => request,
            };
            let answer = self.collection.ask(&request).await.map_err(Fault::from)?;
            if !matches!(answer.reply, Reply::Refused) {
                let body = answer.reply.done("a change of a client").map_err(Fault::from)?;
                self.schema.has_all(&fields);
                return match count(&body).map_err(Fault::from)? {
                    0 => self.explain(client, answer.is_repeated).await,
                    1 => Ok(()),
                    _ => Err(Fault::from(Mishap::Ambiguous).into()),
                };
            }
            match self.schema.culprit(&self.collection, &fields).await? {
                Culprit::Dispensable if may_leave_out => may_leave_out = false,
                Culprit::Field(name) => {
                    let member = field::member(&name).to_owned();
                    return Err(UpdateClientError::Refused { member });
                }
                Culprit::Dispensable | Culprit::Nobody => {
                    return Err(
                        Fault::from(Mishap::Refused { what: "a change of a client" }).into()
                    );
                }
            }
        }
    }

    fn condition(&self, client: &Client, guard: &Guard<'_>) -> Option<Value> {
        Some(match guard {
            Guard::Version(Version::Counted(count)) => json!({field::REVISION: count}),
            Guard::Version(Version::Dated(moment)) => json!({field::UPDATED_AT: moment}),
            // Where there is no count there is nothing to compare: a state was changed meanwhile.
            Guard::Claimed if self.schema.lacks(field::REVISION) => return None,
            Guard::Claimed => json!({field::REVISION: client.revision.0}),
        })
    }

    /// Why no document was changed.
    async fn explain(&self, client: &Client, is_repeated: bool) -> Result<(), UpdateClientError> {
        let stored = self.read(&client.id).await?.ok_or(UpdateClientError::Unknown)?;
        let now = &stored.client;
        let is_of_that_revision = match stored.version {
            Version::Counted(_) => now.revision == client.revision,
            Version::Dated(_) => true,
        };
        // The first of two tries may have done it, and its answer was lost.
        let in_state = Client { state: now.state, ..client.clone() };
        if is_repeated && is_of_that_revision && is_alike(now, &in_state) {
            return Ok(());
        }
        Err(UpdateClientError::Conflict)
    }

    /// Leads a document from its state to that of `client`.
    async fn lead(&self, stored: &Stored, client: &Client) -> Result<(), UpdateClientError> {
        let mut state = stored.client.state;
        while state != client.state {
            state = next_step(state, client.state);
            let request = Request::change_state(&stored.object_id, state.name());
            match self.collection.ask(&request).await.map_err(Fault::from)?.reply {
                // It is gone, or in another state than we thought; perhaps in that one already.
                Reply::Absent => match self.read(&client.id).await? {
                    None => return Err(UpdateClientError::Unknown),
                    Some(now) if now.client.state == state => (),
                    Some(_) => return Err(UpdateClientError::Conflict),
                },
                reply @ (Reply::Done(_) | Reply::Refused | Reply::Taken) => {
                    reply.done("a change of a state").map_err(Fault::from)?;
                }
            }
        }
        Ok(())
    }
}

/// The next state on the shortest way from one to another. Only the last one is ever `PUBLIC`.
fn next_step(from: ClientState, to: ClientState) -> ClientState {
    use ClientState::{Deleted, Draft, Public, Trash};
    match (from, to) {
        (Draft, Public) => Public,
        (Trash, Deleted) => Deleted,
        (Trash, Draft | Public | Trash) => Draft,
        (Draft, Draft | Trash | Deleted) | (Public | Deleted, _) => Trash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_short_and_leads_through_no_enabled_state() {
        use ClientState::{Deleted, Draft, Public, Trash};
        for from in [Public, Draft, Trash, Deleted] {
            for to in [Public, Draft, Trash, Deleted] {
                let mut way = vec![from];
                while *way.last().unwrap() != to {
                    let step = next_step(*way.last().unwrap(), to);
                    assert!(is_allowed(*way.last().unwrap(), step), "{way:?} {step:?}");
                    way.push(step);
                    assert!(way.len() <= 4, "{way:?}");
                }
                assert!(way.iter().skip(1).rev().skip(1).all(|it| *it != Public), "{way:?}");
            }
        }
    }

    fn is_allowed(from: ClientState, to: ClientState) -> bool {
        use ClientState::{Deleted, Draft, Public, Trash};
        matches!(
            (from, to),
            (Public | Deleted, Trash) | (Draft, Public | Trash) | (Trash, Deleted | Draft)
        )
    }
}
