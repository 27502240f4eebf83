//! What time it is.

use crate::Timestamp;

/// What time it is. A port, so that every test can stop the clock.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
