//! Work that nobody waits for.

use std::pin::Pin;

/// Does work that nobody waits for.
pub trait Background: Send + Sync {
    /// Begins the work and comes back at once. The work may be dropped at any time: when the
    /// process ends, or at once if too much is under way.
    fn begin(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>);
}
