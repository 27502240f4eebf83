//! Whether a dependency answers.

use async_trait::async_trait;

use crate::Fault;

/// Whether a dependency answers. One for each store that is in use.
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// What `/-/check-up` calls it.
    fn name(&self) -> &'static str;

    /// Asks the dependency for something that it can only answer if it works.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that a use-case would meet.
    async fn check(&self) -> Result<(), Fault>;
}
