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

/// Notes of who was here, written down later and together.
///
/// A note takes a lock for a moment, and never waits for a store. Of many notes of one client (or
/// of one secret) the latest is written. It starts nothing by itself: whoever owns it calls
/// [`WriteBehind::flush`], every second and once more at the end.
pub struct WriteBehind {
    logins: Notes<ClientId>,
    uses: Notes<(ClientId, SecretId)>,
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
        let batch = Batch::take(&self.logins);
        if batch.taken.is_empty() {
            return Ok(());
        }
        let login =
            |(client, at): (&ClientId, &Timestamp)| Login { client: client.clone(), at: *at };
        let logins: Vec<Login> = batch.taken.iter().map(login).collect();
        self.ledger.record(&logins).await?;
        batch.discard();
        Ok(())
    }

    async fn flush_uses(&self) -> Result<(), Fault> {
        let batch = Batch::take(&self.uses);
        if batch.taken.is_empty() {
            return Ok(());
        }
        let secret_use = |((client, secret), at): (&(ClientId, SecretId), &Timestamp)| SecretUse {
            client: client.clone(),
            secret: secret.clone(),
            at: *at,
        };
        let uses: Vec<SecretUse> = batch.taken.iter().map(secret_use).collect();
        self.credentials.record_uses(&uses).await?;
        batch.discard();
        Ok(())
    }
}

impl LastUse for WriteBehind {
    fn note_login(&self, login: Login) {
        self.logins.note(login.client, login.at);
    }

    fn note_secret(&self, secret_use: SecretUse) {
        self.uses.note((secret_use.client, secret_use.secret), secret_use.at);
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

/// The latest moment of each key.
struct Notes<K> {
    latest: Mutex<HashMap<K, Timestamp>>,
    capacity: usize,
    dropped: AtomicU64,
}

impl<K: Eq + Hash> Notes<K> {
    fn new(capacity: usize) -> Self {
        Self { latest: Mutex::default(), capacity, dropped: AtomicU64::new(0) }
    }

    fn note(&self, key: K, at: Timestamp) {
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

/// Notes on their way to a store. Unless they are written they go back when the batch goes, be it
/// for a fault or because whoever flushed gave up waiting; newer notes stay.
struct Batch<'a, K: Eq + Hash> {
    notes: &'a Notes<K>,
    taken: HashMap<K, Timestamp>,
}

impl<'a, K: Eq + Hash> Batch<'a, K> {
    fn take(notes: &'a Notes<K>) -> Self {
        let taken = std::mem::take(&mut *locked(&notes.latest));
        Self { notes, taken }
    }

    fn discard(mut self) {
        self.taken.clear();
    }
}

impl<K: Eq + Hash> Drop for Batch<'_, K> {
    fn drop(&mut self) {
        for (key, at) in self.taken.drain() {
            self.notes.note(key, at);
        }
    }
}
