//! Notes of who was here, written down later and together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use domain::port::{CredentialRepository, LastUse, LoginLedger};
use domain::{ClientId, Fault, Login, SecretId, SecretUse, Timestamp};

use crate::lock::locked;

/// The most notes that a store is given at once: a store makes a text or a document of them, which
/// takes many times their room.
const SLICE: usize = 1_000;

/// Notes of who was here, written down later and together.
///
/// A note takes a lock for a moment, and never waits for a store. Of many notes of one client (or
/// of one secret) the latest is written. It starts nothing by itself: whoever owns it calls
/// [`WriteBehind::flush`], every second and once more at the end.
pub struct WriteBehind {
    logins: Notes<Login>,
    uses: Notes<SecretUse>,
    ledger: Arc<dyn LoginLedger>,
    credentials: Arc<dyn CredentialRepository>,
}

impl WriteBehind {
    /// Writes to `ledger` and `credentials`. At most `capacity` clients and as many secrets wait
    /// to be written, however long a store is out; further ones are dropped, and counted.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn LoginLedger>,
        credentials: Arc<dyn CredentialRepository>,
        capacity: usize,
    ) -> Self {
        Self { logins: Notes::new(capacity), uses: Notes::new(capacity), ledger, credentials }
    }

    /// Writes down what was noted until now. What could not be written waits for the next time.
    ///
    /// # Errors
    ///
    /// The [`Fault`] of one of the stores, after both were tried.
    pub async fn flush(&self) -> Result<(), Fault> {
        // At once: one store that is out must not cost the other its notes at the end.
        let (logins, uses) = tokio::join!(self.flush_logins(), self.flush_uses());
        uses.and(logins)
    }

    /// How many notes wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.logins.len() + self.uses.len()
    }

    /// How many notes were dropped, because too many waited already.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.logins.dropped() + self.uses.dropped()
    }

    async fn flush_logins(&self) -> Result<(), Fault> {
        let mut batch = Batch::take(&self.logins);
        while !batch.taken.is_empty() {
            self.ledger.record(batch.slice()).await?;
            batch.discard_slice();
        }
        Ok(())
    }

    async fn flush_uses(&self) -> Result<(), Fault> {
        let mut batch = Batch::take(&self.uses);
        while !batch.taken.is_empty() {
            self.credentials.record_uses(batch.slice()).await?;
            batch.discard_slice();
        }
        Ok(())
    }
}

impl LastUse for WriteBehind {
    fn note_login(&self, login: Login) {
        self.logins.note(login);
    }

    fn note_secret(&self, secret_use: SecretUse) {
        self.uses.note(secret_use);
    }
}

impl fmt::Debug for WriteBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("waiting", &self.waiting())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// What is noted: a moment, and whose it is.
trait Note {
    type Key: Eq + Hash;

    fn new(key: Self::Key, at: Timestamp) -> Self;

    fn into_parts(self) -> (Self::Key, Timestamp);
}

impl Note for Login {
    type Key = ClientId;

    fn new(client: ClientId, at: Timestamp) -> Self {
        Self { client, at }
    }

    fn into_parts(self) -> (ClientId, Timestamp) {
        (self.client, self.at)
    }
}

impl Note for SecretUse {
    type Key = (ClientId, SecretId);

    fn new((client, secret): Self::Key, at: Timestamp) -> Self {
        Self { client, secret, at }
    }

    fn into_parts(self) -> (Self::Key, Timestamp) {
        ((self.client, self.secret), self.at)
    }
}

/// The latest moment of each key.
struct Notes<N: Note> {
    latest: Mutex<HashMap<N::Key, Timestamp>>,
    capacity: usize,
    dropped: AtomicU64,
}

impl<N: Note> Notes<N> {
    fn new(capacity: usize) -> Self {
        Self { latest: Mutex::default(), capacity, dropped: AtomicU64::new(0) }
    }

    fn note(&self, note: N) {
        let (key, at) = note.into_parts();
        let mut latest = locked(&self.latest);
        let is_full = self.capacity <= latest.len();
        match latest.entry(key) {
            Entry::Occupied(mut noted) => {
                let moment = at.max(*noted.get());
                noted.insert(moment);
            }
            Entry::Vacant(slot) if !is_full => {
                slot.insert(at);
            }
            Entry::Vacant(_) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn len(&self) -> usize {
        locked(&self.latest).len()
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Notes on their way to a store, slice by slice. Those that are not written go back when the
/// batch goes, be it for a fault or because whoever flushed gave up waiting; newer notes stay.
struct Batch<'a, N: Note> {
    notes: &'a Notes<N>,
    taken: Vec<N>,
}

impl<'a, N: Note> Batch<'a, N> {
    fn take(notes: &'a Notes<N>) -> Self {
        let latest = std::mem::take(&mut *locked(&notes.latest));
        Self { notes, taken: latest.into_iter().map(|(key, at)| N::new(key, at)).collect() }
    }

    fn rest(&self) -> usize {
        self.taken.len().saturating_sub(SLICE)
    }

    /// What is to be written next.
    fn slice(&self) -> &[N] {
        self.taken.get(self.rest()..).unwrap_or_default()
    }

    /// It was written.
    fn discard_slice(&mut self) {
        self.taken.truncate(self.rest());
    }
}

impl<N: Note> Drop for Batch<'_, N> {
    fn drop(&mut self) {
        for note in self.taken.drain(..) {
            self.notes.note(note);
        }
    }
}
