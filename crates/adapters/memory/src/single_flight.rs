//! One question to a store, however many ask it at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use domain::Fault;
use tokio::sync::OnceCell;

use crate::lock::locked;
use crate::shared_fault;

type Flight<V> = Arc<OnceCell<Result<V, Arc<Fault>>>>;

/// Loads under way, by key.
///
/// Whoever asks for a key that is being loaded waits for that load and gets its answer, be it a
/// value, nothing or a fault: a thousand who ask for a client that is not there, or of a store
/// that is out, cost one question, not a thousand in a row. If the one who loads goes away,
/// another who waits takes over.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, V>(Mutex<HashMap<K, Flight<V>>>);

/// What a caller finds when it comes to load.
pub(crate) enum Boarding<V> {
    /// Somebody loaded meanwhile; this is it.
    Landed(V),
    /// The load that is under way, maybe begun just now.
    Flight(Flight<V>),
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// Joins the load of `key`, or begins one unless `landed` shows that it is not needed.
    pub(crate) fn board(&self, key: &K, landed: impl FnOnce() -> Option<V>) -> Boarding<V> {
        let mut flights = locked(&self.0);
        // Under the lock, since a load that ends keeps its value and leaves under it.
        if let Some(value) = landed() {
            return Boarding::Landed(value);
        }
        Boarding::Flight(Arc::clone(flights.entry(key.clone()).or_default()))
    }

    /// The answer of a load: of the one under way, or of `load` if nobody loads by now.
    ///
    /// `keep` sees the value of a load that nobody superseded, before anybody else does.
    pub(crate) async fn fly(
        &self,
        key: &K,
        flight: Flight<V>,
        load: impl Future<Output = Result<V, Fault>>,
        keep: impl FnOnce(&V),
    ) -> Result<V, Fault> {
        let passenger = Passenger { flights: self, key, flight };
        let answer = passenger.flight.get_or_init(|| async {
            let answer = load.await.map_err(Arc::new);
            let mut flights = locked(&self.0);
            if passenger.is_on_the_board(&flights) {
                flights.remove(key);
                if let Ok(value) = &answer {
                    keep(value);
                }
            }
            answer
        });
        answer.await.clone().map_err(|fault| shared_fault::again(&fault))
    }

    /// Runs `forget` and supersedes the load of `key` that is under way: who waits for it still
    /// gets its answer, which nobody keeps, and who comes from now on begins a new one.
    pub(crate) fn supersede(&self, key: &K, forget: impl FnOnce()) {
        let mut flights = locked(&self.0);
        flights.remove(key);
        forget();
    }

    /// As [`SingleFlight::supersede`], for every key.
    pub(crate) fn supersede_all(&self) {
        locked(&self.0).clear();
    }

    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        locked(&self.0).is_empty()
    }
}

/// One who waits. The last to go away takes an unfinished flight off the board, so that callers
/// who give up leave nothing behind.
struct Passenger<'a, K: Eq + Hash, V> {
    flights: &'a SingleFlight<K, V>,
    key: &'a K,
    flight: Flight<V>,
}

impl<K: Eq + Hash, V> Passenger<'_, K, V> {
    fn is_on_the_board(&self, flights: &HashMap<K, Flight<V>>) -> bool {
        flights.get(self.key).is_some_and(|it| Arc::ptr_eq(it, &self.flight))
    }
}

impl<K: Eq + Hash, V> Drop for Passenger<'_, K, V> {
    fn drop(&mut self) {
        if self.flight.initialized() {
            return;
        }
        let mut flights = locked(&self.flights.0);
        // One is the board's, one is ours. Nobody joins or leaves while the board is locked.
        if self.is_on_the_board(&flights) && Arc::strong_count(&self.flight) == 2 {
            flights.remove(self.key);
        }
        self.flight = Flight::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_boards_when_another_has_just_landed_begins_nothing() {
        let flights = SingleFlight::<u64, u64>::default();

        assert!(matches!(flights.board(&1, || Some(7)), Boarding::Landed(7)));
        assert!(flights.is_idle());
    }
}
