//! A clock that stands still.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use domain::port::Clock;

/// A clock that stands still until somebody moves it, in either direction.
///
/// Its uptime moves with [`ManualClock::advance`] alone: to set a clock lets no time pass.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    uptime: AtomicU64,
}

impl ManualClock {
    /// A clock that says `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.as_unix_millis()), uptime: AtomicU64::new(0) }
    }

    /// Says `now` from now on.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_unix_millis(), Ordering::SeqCst);
    }

    /// Goes `span` ahead.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.uptime.fetch_add(millis, Ordering::SeqCst);
    }

    /// Goes `span` back.
    pub fn set_back(&self, span: Duration) {
        self.set(self.now().before(span));
    }
}

/// The beginning of the year 2030.
impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Timestamp::from_unix_seconds(1_893_456_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime.load(Ordering::SeqCst))
    }
}
