//! One piece of work for a key, however many wait for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{Shared, WeakShared};

pub(crate) type Work<V> = Pin<Box<dyn Future<Output = V> + Send>>;

/// Work under way, by key.
///
/// Whoever comes for a key that is being worked on waits for that work. It belongs to those who
/// wait: it goes on as long as one of them is left, whoever began it, and ends with the last.
pub(crate) struct Flights<K, V: Clone>(Mutex<Board<K, V>>);

struct Board<K, V: Clone> {
    begun: u64,
    flights: HashMap<K, Flight<V>>,
}

struct Flight<V: Clone> {
    generation: u64,
    work: WeakShared<Work<V>>,
}

/// What a caller finds.
pub(crate) enum Boarding<K: Eq + Hash, V: Clone> {
    /// Somebody has just finished; this is what came of it.
    Landed(V),
    /// Work that is under way, maybe begun just now.
    Waiting(Passenger<K, V>),
}

impl<K, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Board { begun: 0, flights: HashMap::new() }))
    }
}

impl<K, V: Clone> Flights<K, V> {
    fn board(&self) -> MutexGuard<'_, Board<K, V>> {
        // Whoever panicked under the lock had not begun to change anything, or had changed it all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    /// Joins the work on `key`, or begins it unless `landed` shows that it is not needed.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &K,
        landed: impl FnOnce() -> Option<V>,
        begin: impl FnOnce(Ticket<K, V>) -> Work<V>,
    ) -> Boarding<K, V> {
        let mut board = self.board();
        // Under the lock, since work that ends keeps what came of it and leaves under it.
        if let Some(value) = landed() {
            return Boarding::Landed(value);
        }
        if let Some(flight) = board.flights.get(key)
            && let Some(work) = flight.work.upgrade()
        {
            let ticket = Ticket {
                flights: Arc::clone(self),
                key: key.clone(),
                generation: flight.generation,
            };
            return Boarding::Waiting(Passenger { work: Some(work), ticket });
        }
        board.begun += 1;
        let ticket =
            Ticket { flights: Arc::clone(self), key: key.clone(), generation: board.begun };
        let work = begin(ticket.clone()).shared();
        if let Some(weak) = work.downgrade() {
            let flight = Flight { generation: ticket.generation, work: weak };
            board.flights.insert(key.clone(), flight);
        }
        Boarding::Waiting(Passenger { work: Some(work), ticket })
    }

    /// Runs `decide` while nobody boards or lands.
    pub(crate) fn undisturbed<T>(&self, decide: impl FnOnce() -> T) -> T {
        let _board = self.board();
        decide()
    }

    /// Runs `decide` while nobody boards or lands; if it says so, whoever is under way for `key` is
    /// superseded: what comes of it is given to those who wait, and kept by nobody.
    pub(crate) fn supersede(&self, key: &K, decide: impl FnOnce() -> bool) -> bool {
        let mut board = self.board();
        let is_superseded = decide();
        if is_superseded {
            board.flights.remove(key);
        }
        is_superseded
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.board().flights.is_empty()
    }
}

/// What makes work that was superseded see it: the generation counter of its key.
pub(crate) struct Ticket<K, V: Clone> {
    flights: Arc<Flights<K, V>>,
    key: K,
    generation: u64,
}

impl<K: Clone, V: Clone> Clone for Ticket<K, V> {
    fn clone(&self) -> Self {
        let (flights, key) = (Arc::clone(&self.flights), self.key.clone());
        Self { flights, key, generation: self.generation }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Ticket<K, V> {
    /// Runs `keep` if nobody superseded this work, and says whether it did.
    pub(crate) fn if_valid(&self, keep: impl FnOnce()) -> bool {
        let board = self.flights.board();
        let is_valid = self.is_on(&board);
        if is_valid {
            keep();
        }
        is_valid
    }

    /// The work is done: whoever comes from now on begins anew.
    pub(crate) fn leave(&self) {
        let mut board = self.flights.board();
        if self.is_on(&board) {
            board.flights.remove(&self.key);
        }
    }

    fn is_on(&self, board: &Board<K, V>) -> bool {
        board.flights.get(&self.key).is_some_and(|it| it.generation == self.generation)
    }
}

/// One who waits.
pub(crate) struct Passenger<K: Eq + Hash, V: Clone> {
    work: Option<Shared<Work<V>>>,
    ticket: Ticket<K, V>,
}

impl<K: Eq + Hash, V: Clone> Passenger<K, V> {
    /// What comes of the work.
    pub(crate) async fn land(self) -> Option<V> {
        let work = self.work.clone()?;
        Some(work.await)
    }
}

/// The last who goes away takes unfinished work off the board: it leaves nothing behind.
impl<K: Eq + Hash, V: Clone> Drop for Passenger<K, V> {
    fn drop(&mut self) {
        // Outside of the lock: with the last of it the work itself is dropped, whatever that does.
        drop(self.work.take());
        let mut board = self.ticket.flights.board();
        let is_over = board.flights.get(&self.ticket.key).is_some_and(|it| {
            it.generation == self.ticket.generation && it.work.upgrade().is_none()
        });
        if is_over {
            board.flights.remove(&self.ticket.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::{join_all, pending};

    use super::*;

    const KEY: u8 = 1;

    type Tested = Flights<u8, u64>;

    fn boarded(
        flights: &Arc<Tested>,
        work: impl FnOnce(Ticket<u8, u64>) -> Work<u64>,
    ) -> Passenger<u8, u64> {
        match flights.join(&KEY, || None, work) {
            Boarding::Landed(_) => panic!("nothing has landed"),
            Boarding::Waiting(passenger) => passenger,
        }
    }

    #[tokio::test]
    async fn a_thousand_who_come_at_once_have_one_piece_of_work_done() {
        let (flights, begun) = (Arc::new(Tested::default()), AtomicUsize::new(0));

        let passengers = (0..1_000).map(|_| {
            boarded(&flights, |ticket| {
                begun.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    ticket.leave();
                    7
                })
            })
        });
        let landed = join_all(passengers.map(Passenger::land).collect::<Vec<_>>()).await;

        assert_eq!(begun.into_inner(), 1);
        assert!(landed.iter().all(|it| *it == Some(7)));
        assert!(flights.is_idle());
    }

    #[tokio::test]
    async fn work_goes_on_without_the_one_who_began_it() {
        let flights = Arc::new(Tested::default());
        let (done, wait) = tokio::sync::oneshot::channel();
        let first = boarded(&flights, |ticket| {
            Box::pin(async move {
                let value = wait.await.unwrap();
                ticket.leave();
                value
            })
        });
        let mut first = Box::pin(first.land());
        assert!((&mut first).now_or_never().is_none());
        let second = boarded(&flights, |_| Box::pin(pending()));
        let mut second = Box::pin(second.land());
        assert!((&mut second).now_or_never().is_none());

        drop(first);
        done.send(7).unwrap();

        assert_eq!(second.await, Some(7));
        assert!(flights.is_idle());
    }

    #[tokio::test]
    async fn work_ends_with_the_last_who_waits_and_leaves_nothing_behind() {
        let flights = Arc::new(Tested::default());
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let (first, second) = {
            let begin = |_| -> Work<u64> {
                Box::pin(async move {
                    let _alive = alive;
                    pending().await
                })
            };
            (boarded(&flights, begin), boarded(&flights, |_| Box::pin(pending())))
        };
        let mut gone = Box::pin(gone);

        drop(first);
        assert!((&mut gone).now_or_never().is_none());
        drop(second);

        assert!(gone.await.is_err());
        assert!(flights.is_idle());
    }

    #[tokio::test]
    async fn work_that_was_superseded_sees_it() {
        let flights = Arc::new(Tested::default());
        let passenger =
            boarded(&flights, |ticket| Box::pin(async move { u64::from(ticket.if_valid(|| ())) }));

        assert!(!flights.supersede(&KEY, || false));
        assert!(flights.supersede(&KEY, || true));
        let newer =
            boarded(&flights, |ticket| Box::pin(async move { u64::from(ticket.if_valid(|| ())) }));

        assert_eq!(passenger.land().await, Some(0));
        assert_eq!(newer.land().await, Some(1));
    }

    #[test]
    fn who_boards_when_another_has_just_landed_begins_nothing() {
        let flights = Arc::new(Tested::default());

        let boarding = flights.join(&KEY, || Some(7), |_| Box::pin(pending()));

        assert!(matches!(boarding, Boarding::Landed(7)));
        assert!(flights.is_idle());
    }
}
