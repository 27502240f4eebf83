//! How many requests are on their way, and how many wait.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::mishap::Mishap;

/// Lets in so many at a time, and lets so many wait.
pub(crate) struct Gate {
    inside: Semaphore,
    admitted: Semaphore,
}

/// Somebody's place inside.
pub(crate) struct Place<'a> {
    _inside: SemaphorePermit<'a>,
    _admitted: SemaphorePermit<'a>,
}

impl Gate {
    pub(crate) fn new(max_inside: usize, max_waiting: usize) -> Self {
        Self {
            inside: Semaphore::new(max_inside.min(Semaphore::MAX_PERMITS)),
            admitted: Semaphore::new(
                max_inside.saturating_add(max_waiting).min(Semaphore::MAX_PERMITS),
            ),
        }
    }

    /// Waits for a place, not for long, and not where too many wait already.
    pub(crate) async fn enter(&self, patience: Duration) -> Result<Place<'_>, Mishap> {
        let admitted = self.admitted.try_acquire().map_err(|_| Mishap::Crowded)?;
        let inside = timeout(patience, self.inside.acquire())
            .await
            .map_err(|_| Mishap::Crowded)?
            .map_err(|_| Mishap::Crowded)?;
        Ok(Place { _inside: inside, _admitted: admitted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_told_at_once_or_soon() {
        let gate = Gate::new(1, 1);
        let place = gate.enter(Duration::ZERO).await.unwrap();

        let (second, third) =
            tokio::join!(gate.enter(Duration::from_millis(20)), gate.enter(Duration::MAX));
        assert!(matches!(second, Err(Mishap::Crowded)));
        assert!(matches!(third, Err(Mishap::Crowded)));

        drop(place);
        assert!(gate.enter(Duration::ZERO).await.is_ok());
    }
}
