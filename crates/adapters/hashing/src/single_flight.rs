//! One verification, however many wait for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::remembered::Memory;

type Flight<T> = Arc<OnceCell<T>>;

/// Verifications under way.
///
/// Whoever asks what is being verified waits and gets the same answer, whatever it is. If the one
/// who verifies goes away, another who waits takes over.
pub(crate) struct SingleFlight<T>(Mutex<HashMap<Memory, Flight<T>>>);

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> SingleFlight<T> {
    /// The answer of the verification under way, or of `verify` if nobody verifies by now.
    ///
    /// `None` if `has_landed` says that it is not needed. `keep` sees the answer before anybody
    /// else does.
    pub(crate) async fn fly(
        &self,
        memory: Memory,
        has_landed: impl FnOnce() -> bool,
        verify: impl Future<Output = T>,
        keep: impl FnOnce(&T),
    ) -> Option<T> {
        let flight = {
            let mut board = self.board();
            // Under the lock, since a verification that ends is kept and leaves under it.
            if has_landed() {
                return None;
            }
            Arc::clone(board.entry(memory).or_default())
        };
        let passenger = Passenger { flights: self, memory, flight };
        let answer = passenger.flight.get_or_init(|| async {
            let answer = verify.await;
            let mut board = self.board();
            keep(&answer);
            board.remove(&memory);
            answer
        });
        Some(answer.await.clone())
    }
}

impl<T> SingleFlight<T> {
    fn board(&self) -> MutexGuard<'_, HashMap<Memory, Flight<T>>> {
        // Whoever panicked had not begun to change anything, or had changed it all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits. The last to go away takes an unfinished flight off the board, so that callers
/// who give up leave nothing behind.
struct Passenger<'a, T> {
    flights: &'a SingleFlight<T>,
    memory: Memory,
    flight: Flight<T>,
}

impl<T> Drop for Passenger<'_, T> {
    fn drop(&mut self) {
        if self.flight.initialized() {
            return;
        }
        let mut board = self.flights.board();
        // One is the board's, one is ours. Nobody joins or leaves while the board is locked.
        let is_last = Arc::strong_count(&self.flight) == 2;
        if is_last && board.get(&self.memory).is_some_and(|it| Arc::ptr_eq(it, &self.flight)) {
            board.remove(&self.memory);
        }
        self.flight = Flight::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn callers_who_give_up_leave_nothing_behind() {
        let flights = SingleFlight::<u8>::default();
        let fly = || flights.fly([0; 32], || false, std::future::pending(), |_| ());
        {
            let (one, other) = (fly(), fly());
            tokio::pin!(one, other);
            assert!(futures_util::poll!(one.as_mut()).is_pending());
            assert!(futures_util::poll!(other.as_mut()).is_pending());
            assert_eq!(flights.board().len(), 1);
        }

        assert!(flights.board().is_empty());
    }

    #[tokio::test]
    async fn what_has_landed_is_not_begun_again() {
        let flights = SingleFlight::default();
        let mut kept = None;

        let first = flights.fly([0; 32], || false, async { 7 }, |it| kept = Some(*it)).await;
        let second = flights.fly([0; 32], || true, async { 8 }, |_| ()).await;

        assert_eq!((first, kept, second), (Some(7), Some(7), None));
        assert!(flights.board().is_empty());
    }
}
