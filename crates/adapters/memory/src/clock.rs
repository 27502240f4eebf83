//! What time it is outside.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::port::Clock;

/// The clock of the operating system.
///
/// It jumps when that clock is set, backwards too (threat T45). It does not hide that: a clock
/// that held still until the time caught up would, after one wrong step ahead, hand out tokens
/// from the future for as long as the step was wide. Whoever remembers moments allows for a jump
/// instead: caches do not trust entries from the future, and the replay guard remembers for
/// longer than it must.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the port's adapter")]
static FIRST_ASKED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's adapter")]
    fn now(&self) -> Timestamp {
        // Before 1970 it is 1970.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(0).after(since_epoch)
    }

    fn uptime(&self) -> Duration {
        FIRST_ASKED.elapsed()
    }
}
