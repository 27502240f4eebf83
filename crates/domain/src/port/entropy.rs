//! Where randomness comes from.

use crate::Fault;

/// Where randomness comes from: the operating system, but for tests.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unpredictable values.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the source fails; then nothing may be made from `bytes`.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault>;
}
