//! What is remembered of secrets that verified.

use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use tokio::time::Instant;

/// What a stored hash and a secret are remembered by.
pub(crate) type Memory = [u8; 32];

/// What is outdated is forgotten in time, so that it can be told again.
const OUTDATED: Duration = Duration::from_mins(10);

/// Room for so many is made at once, which costs nothing until they come.
const MOST_RESERVED: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Current,
    Outdated,
}

/// Secrets that verified, until nobody presents them or their room is needed.
pub(crate) struct Remembered {
    entries: Cache<Memory, Entry, UnitWeighter, RandomState>,
    /// In milliseconds, as all that follows.
    time_to_idle: u64,
    /// Since when time is counted.
    start: Instant,
    /// When those that nobody presents are looked for.
    next_sweep: AtomicU64,
}

#[derive(Clone, Copy)]
struct Entry {
    ends_at: u64,
    verified: Match,
}

impl Remembered {
    /// At most `capacity`, each until nobody has presented it for `time_to_idle`.
    pub(crate) fn new(capacity: u64, time_to_idle: Duration) -> Self {
        let most = usize::try_from(capacity).unwrap_or(usize::MAX);
        // What gave way is remembered by an entry's room, too: for few of them.
        let (expected, lifecycle) = (most / 8, DefaultLifecycle::default());
        let entries = Cache::with(expected, capacity, UnitWeighter, RandomState::new(), lifecycle);
        entries.reserve(most.min(MOST_RESERVED));
        let (time_to_idle, start) = (millis(time_to_idle), Instant::now());
        Self { entries, time_to_idle, start, next_sweep: AtomicU64::new(time_to_idle) }
    }

    /// Whether it verified, and was presented since often enough. It is presented now.
    pub(crate) fn recalls(&self, memory: &Memory) -> bool {
        let now = millis(self.start.elapsed());
        let Some(entry) = self.entries.get(memory) else {
            return false;
        };
        if entry.ends_at <= now {
            self.entries.remove_if(memory, |it| it.ends_at <= now);
            return false;
        }
        // Not every time, since readers lock nobody out: it may end a sixteenth too soon.
        let is_due = entry.ends_at - now <= self.time_to_idle - self.time_to_idle / 16;
        if entry.verified == Match::Current && is_due {
            let later = Entry { ends_at: now.saturating_add(self.time_to_idle), ..entry };
            // If it is gone by now, it is gone.
            self.entries.replace(*memory, later, true).ok();
        }
        true
    }

    /// It has verified.
    pub(crate) fn remember(&self, memory: Memory, verified: Match) {
        let now = millis(self.start.elapsed());
        self.sweep(now);
        let lives_for = match verified {
            Match::Current => self.time_to_idle,
            Match::Outdated => self.time_to_idle.min(millis(OUTDATED)),
        };
        let ends_at = now.saturating_add(lives_for);
        self.entries.insert(memory, Entry { ends_at, verified });
    }

    /// Forgets what has ended, once in the time in which anything does.
    fn sweep(&self, now: u64) {
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now.saturating_add(self.time_to_idle);
        let (order, failed) = (Ordering::Relaxed, Ordering::Relaxed);
        if due <= now && self.next_sweep.compare_exchange(due, next, order, failed).is_ok() {
            self.entries.retain(|_, it| now < it.ends_at);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Long enough for a machine that is busy.
    const IDLE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn what_is_presented_is_not_forgotten_and_the_rest_is() {
        let remembered = Remembered::new(100, IDLE);
        for memory in [[1; 32], [2; 32]] {
            remembered.remember(memory, Match::Current);
        }

        let start = Instant::now();
        while start.elapsed() < IDLE * 2 {
            assert!(remembered.recalls(&[1; 32]));
            tokio::time::sleep(IDLE / 16).await;
        }
        remembered.remember([3; 32], Match::Current);

        assert_eq!(remembered.entries.len(), 2, "swept");
        assert!(!remembered.recalls(&[2; 32]));
    }

    #[tokio::test]
    async fn what_is_outdated_is_forgotten_however_often_it_is_presented() {
        let remembered = Remembered::new(100, IDLE);
        remembered.remember([1; 32], Match::Outdated);

        let start = Instant::now();
        while remembered.recalls(&[1; 32]) {
            assert!(start.elapsed() < IDLE * 20);
            tokio::time::sleep(IDLE / 16).await;
        }

        assert!(IDLE <= start.elapsed() + IDLE / 8);
        assert_eq!(remembered.entries.len(), 0);
    }

    #[test]
    fn holds_no_more_than_it_may() {
        let remembered = Remembered::new(10, IDLE);
        for number in 0..100 {
            remembered.remember([number; 32], Match::Current);
        }

        assert!(remembered.entries.len() <= 10);
    }
}
