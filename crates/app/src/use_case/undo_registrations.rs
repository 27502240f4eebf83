//! What is left of registrations that failed halfway.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::port::{ClientRepository, Clock, CredentialRepository};
use domain::{ClientId, Fault, Timestamp};

/// How long after a registration failed something of it may still arrive in a store: a request that
/// was given up may be carried out all the same.
const MAY_ARRIVE: Duration = Duration::from_secs(30);
/// How many registrations wait to be undone, while a store is out for long.
const CAPACITY: usize = 10_000;

/// Registrations that failed, and may have left something behind. Nobody was told of their clients,
/// so whatever there is of them may go.
#[derive(Debug, Default)]
pub struct Unfinished(Mutex<VecDeque<(ClientId, Timestamp)>>);

impl Unfinished {
    pub(crate) fn note(&self, client: ClientId, now: Timestamp) {
        let mut waiting = self.locked();
        if CAPACITY <= waiting.len() {
            waiting.pop_front();
        }
        waiting.push_back((client, now));
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.locked().len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locked().is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(ClientId, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what is left of registrations that failed halfway.
#[derive(Clone)]
pub struct UndoRegistrations {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// Which registrations failed.
    pub unfinished: Arc<Unfinished>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl UndoRegistrations {
    /// Runs the use-case: to be called every few seconds. A registration is undone again until
    /// nothing of it can arrive any more.
    ///
    /// # Errors
    ///
    /// The [`Fault`] of a store that is out; what waits for it waits on.
    #[tracing::instrument(level = "debug", name = "undo_registrations", skip_all)]
    pub async fn execute(&self) -> Result<(), Fault> {
        for _ in 0..self.unfinished.len() {
            let Some((client, failed_at)) = self.unfinished.locked().pop_front() else {
                return Ok(());
            };
            let now = self.clock.now();
            let outcome = self.undo(&client).await;
            // A clock that jumped back makes it be undone once more, which does no harm.
            let is_over = outcome.is_ok() && MAY_ARRIVE <= now.since(failed_at);
            if !is_over {
                self.unfinished.locked().push_back((client, failed_at));
            }
            outcome?;
        }
        Ok(())
    }

    async fn undo(&self, client: &ClientId) -> Result<(), Fault> {
        self.clients.remove(client).await?;
        self.credentials.remove_all(client).await
    }
}
