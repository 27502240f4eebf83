//! What time it is.

use std::time::Duration;

use crate::Timestamp;

/// What time it is. A port, so that every test can stop the clock.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// How long it has been since some moment of this process, which stays the same: two answers
    /// tell how much time passed between them, whoever set the clock meanwhile (threat T45).
    fn uptime(&self) -> Duration;
}
