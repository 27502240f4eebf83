//! The catalogue that this node goes by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use domain::{Catalogue, CatalogueEdition, CatalogueMode, Client, Fault, Timestamp};
use futures_util::lock::{Mutex, MutexGuard};

use crate::client_metadata::{InvalidMetadata, invalid};

/// The catalogue that this node goes by: held in memory, so that no request waits for a store.
///
/// It serves while the store is out, for a stated time: a node that cannot hear of a removal must
/// not go on for ever.
pub struct CatalogueInUse {
    held: ArcSwapOption<Held>,
    /// Who reads the store and who changes it take turns: what was read before a change never
    /// replaces what came of the change.
    turn: Mutex<()>,
    mode: CatalogueMode,
    valid_for: Duration,
}

struct Held {
    revision: u64,
    catalogue: Arc<Catalogue>,
    /// No later than when it was read.
    read_at: Timestamp,
}

impl CatalogueInUse {
    /// None yet. What is taken up is good for `valid_for`, unless it is taken up again.
    #[must_use]
    pub fn new(mode: CatalogueMode, valid_for: Duration) -> Self {
        Self { held: ArcSwapOption::empty(), turn: Mutex::new(()), mode, valid_for }
    }

    /// What is in use at `now`.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Unavailable` where nothing was ever taken up, or too long ago.
    pub fn current(&self, now: Timestamp) -> Result<Arc<Catalogue>, Fault> {
        let held = self.held.load();
        let held = held.as_ref().ok_or_else(|| Fault::unavailable("no catalogue was read yet"))?;
        if self.valid_for < now.since(held.read_at) {
            return Err(Fault::unavailable("the catalogue was read too long ago"));
        }
        Ok(Arc::clone(&held.catalogue))
    }

    /// What was last taken up, however long ago: for what decides nothing.
    #[must_use]
    pub fn last_known(&self) -> Arc<Catalogue> {
        let held = self.held.load();
        held.as_ref().map_or_else(Arc::default, |held| Arc::clone(&held.catalogue))
    }

    /// Waits for the turn to read or to change the store.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { in_use: self, _guard: self.turn.lock().await }
    }

    /// Whether what `after` has, and `before` has not, may be given to a client.
    pub(crate) fn check_gifts(
        &self,
        before: Option<&Client>,
        after: &Client,
        now: Timestamp,
    ) -> Result<(), GiftRefusal> {
        if self.mode == CatalogueMode::Open {
            return Ok(());
        }
        let Some(it) = self.current(now)?.unregistered(before, after) else { return Ok(()) };
        let what = if it.member == "audience" { "resource" } else { "scope" };
        let value = match it.item {
            Some(item) => format!("item {item} ({})", it.value),
            None => it.value,
        };
        let reason =
            format!("{value} is not a registered {what}: register it first, or leave it out");
        Err(invalid(it.member, reason).into())
    }
}

/// Why something is not given to a client.
#[derive(Debug)]
pub(crate) enum GiftRefusal {
    /// It is not registered.
    Invalid(InvalidMetadata),
    /// Nobody knows what is registered.
    Fault(Fault),
}

impl From<InvalidMetadata> for GiftRefusal {
    fn from(error: InvalidMetadata) -> Self {
        Self::Invalid(error)
    }
}

impl From<Fault> for GiftRefusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The right to read or to change the store. It ends when this is dropped.
pub(crate) struct Turn<'a> {
    in_use: &'a CatalogueInUse,
    _guard: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Takes up what the store has since `read_at`, at least. `true` if it is another than before.
    pub(crate) fn take_up(self, edition: CatalogueEdition, read_at: Timestamp) -> bool {
        let held = self.in_use.held.load();
        // What is the same is not copied: requests hold on to it.
        let (catalogue, is_new) = match held.as_ref() {
            Some(held) if *held.catalogue == edition.catalogue => {
                (Arc::clone(&held.catalogue), held.revision != edition.revision)
            }
            Some(_) | None => (Arc::new(edition.catalogue), true),
        };
        let held = Held { revision: edition.revision, catalogue, read_at };
        self.in_use.held.store(Some(Arc::new(held)));
        is_new
    }
}

impl fmt::Debug for CatalogueInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.held.load().as_ref().map(|held| held.revision);
        f.debug_struct("CatalogueInUse").field("revision", &revision).finish_non_exhaustive()
    }
}
