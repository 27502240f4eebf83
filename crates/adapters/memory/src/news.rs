//! News of this node, on their way to the others.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Mutex;

use domain::port::ChangeAnnouncer;
use domain::{Change, Fault};
use tokio::sync::Notify;

use crate::lock::locked;

/// How many changes wait before it is told, once, that anything may have changed.
const CAPACITY: usize = 10_000;

/// News of this node, on their way to the others.
///
/// Taking note of a change never waits. What could not be told stays, in order, until it can: an
/// announcer that was out for a while hears of all that happened meanwhile. It starts nothing by
/// itself: whoever owns it calls [`News::deliver`] whenever [`News::come`] returns.
#[derive(Default)]
pub struct News {
    waiting: Mutex<Waiting>,
    has_come: Notify,
}

impl News {
    /// Takes note of a change.
    pub fn tell(&self, change: Change) {
        locked(&self.waiting).add(change);
        self.has_come.notify_one();
    }

    /// Waits until there is something to tell.
    pub async fn come(&self) {
        while self.is_empty() {
            self.has_come.notified().await;
        }
    }

    /// Tells `announcer` everything that waits.
    ///
    /// # Errors
    ///
    /// The first [`Fault`]; what was not told waits on.
    pub async fn deliver(&self, announcer: &dyn ChangeAnnouncer) -> Result<(), Fault> {
        loop {
            // Taken out first: one that comes again from now on is told again.
            let Some(change) = locked(&self.waiting).take() else {
                return Ok(());
            };
            let back = PutBack { waiting: &self.waiting, change: Some(change.clone()) };
            announcer.announce(&change).await?;
            back.disarm();
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        locked(&self.waiting).queue.is_empty()
    }
}

/// Changes in the order in which they came, each of them once.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<Change>,
    known: HashSet<Change>,
}

impl Waiting {
    fn add(&mut self, change: Change) {
        if self.queue.len() < CAPACITY {
            if self.known.insert(change.clone()) {
                self.queue.push_back(change);
            }
        } else {
            *self = Self::default();
            self.known.insert(Change::Unknown);
            self.queue.push_back(Change::Unknown);
        }
    }

    fn take(&mut self) -> Option<Change> {
        let change = self.queue.pop_front()?;
        self.known.remove(&change);
        Some(change)
    }
}

/// Puts a change back unless it was told, also where whoever told it gave up.
struct PutBack<'a> {
    waiting: &'a Mutex<Waiting>,
    change: Option<Change>,
}

impl PutBack<'_> {
    fn disarm(mut self) {
        self.change = None;
    }
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            let mut waiting = locked(self.waiting);
            if waiting.known.insert(change.clone()) {
                waiting.queue.push_front(change);
            }
        }
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News")
            .field("waiting", &locked(&self.waiting).queue.len())
            .finish_non_exhaustive()
    }
}
