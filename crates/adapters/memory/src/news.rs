//! News of this node, on their way to the others.

use std::collections::VecDeque;
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
    waiting: Mutex<VecDeque<Change>>,
    has_come: Notify,
}

impl News {
    /// Takes note of a change.
    pub fn tell(&self, change: Change) {
        let mut waiting = locked(&self.waiting);
        if waiting.contains(&change) {
            return;
        }
        if waiting.len() < CAPACITY {
            waiting.push_back(change);
        } else {
            waiting.clear();
            waiting.push_back(Change::Unknown);
        }
        drop(waiting);
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
            let Some(change) = locked(&self.waiting).front().cloned() else {
                return Ok(());
            };
            announcer.announce(&change).await?;
            let mut waiting = locked(&self.waiting);
            // Unless so many came meanwhile that all were given up.
            if waiting.front() == Some(&change) {
                waiting.pop_front();
            }
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        locked(&self.waiting).is_empty()
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News")
            .field("waiting", &locked(&self.waiting).len())
            .finish_non_exhaustive()
    }
}
