//! How long something takes. Decisions take their time from the `Clock` port; this is for
//! telemetry only.

use std::time::{Duration, Instant};

/// A moment from which time is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

/// Starts to measure.
#[expect(clippy::disallowed_methods, reason = "telemetry measures, it does not decide")]
pub(crate) fn start() -> Stopwatch {
    Stopwatch(Instant::now())
}

impl Stopwatch {
    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
