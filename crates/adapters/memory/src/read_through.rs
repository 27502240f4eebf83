//! The cache behind every `Cached*` decorator.

use std::fmt;
use std::hash::{Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use domain::port::{Clock, Known};
use domain::{Fault, FaultKind, Timestamp};
use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;

use crate::answer::{Answer, Keep};
use crate::bounded::bounded;
use crate::cache_options::{CacheOptions, CacheStatistics};
use crate::single_flight::{Boarding, SingleFlight};

/// How old an answer may be that is given because the store has too much to do: what was changed
/// elsewhere bites within this time, whoever floods us.
pub(crate) const CROWDED_BOUND: Duration = Duration::from_secs(30);

/// Answers of a store, each loaded once by however many want it.
///
/// - A fresh answer costs no I/O.
/// - Otherwise one caller per key asks the store, and the others wait for its answer.
/// - If the store is out, an answer younger than `stale_for` is given, and whoever has one does
///   not ask the store for `retry_after`, or until it answers somebody; without one, everybody who
///   waited gets the fault.
/// - A store that is there and has too much to do is not out: whoever floods it with questions must
///   not keep old answers alive. Then an answer is given that is younger than [`CROWDED_BOUND`].
/// - A load that began before [`ReadThrough::forget`] keeps nothing.
/// - Answers from the future, after a clock jumped back, are not fresh (threat T45).
/// - After [`ReadThrough::doubt_all`] no answer is fresh that was asked for before; while the store
///   is out they are given all the same, since nobody knows that they are wrong.
pub(crate) struct ReadThrough<K, V> {
    answers: Cache<K, Answer<V>, UnitWeighter, RandomState>,
    loads: SingleFlight<K, Answer<V>>,
    second_looks: SingleFlight<K, V>,
    /// When a load last found the store out, in milliseconds since the epoch; 0 for never.
    out_at: AtomicU64,
    /// How often everything was doubted; it may begin anew, long after the last answer was fresh.
    doubts: AtomicU32,
    keep: fn(&V) -> Keep,
    options: CacheOptions,
    clock: Arc<dyn Clock>,
    statistics: Arc<CacheStatistics>,
}

impl<K, V> ReadThrough<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(options: CacheOptions, clock: Arc<dyn Clock>, keep: fn(&V) -> Keep) -> Self {
        Self {
            answers: bounded(options.capacity),
            loads: SingleFlight::default(),
            second_looks: SingleFlight::default(),
            out_at: AtomicU64::new(0),
            doubts: AtomicU32::new(0),
            keep,
            options,
            clock,
            statistics: Arc::default(),
        }
    }

    pub(crate) fn statistics(&self) -> Arc<CacheStatistics> {
        Arc::clone(&self.statistics)
    }

    /// The answer for `key`: the one that is kept if it is fresh, else that of `load`.
    pub(crate) async fn get(
        &self,
        key: &K,
        load: impl Future<Output = Result<V, Fault>>,
    ) -> Result<V, Fault> {
        Ok(self.look_up(key, load).await?.value)
    }

    /// As [`ReadThrough::get`], and says whether the answer was kept. One that another caller is
    /// loading at this moment was not.
    pub(crate) async fn look_up(
        &self,
        key: &K,
        load: impl Future<Output = Result<V, Fault>>,
    ) -> Result<Known<V>, Fault> {
        let fresh = || {
            let is_fresh =
                |it: &Answer<V>| it.is_fresh(self.clock.now(), self.doubts(), &self.options);
            self.answers.get(key).filter(is_fresh)
        };
        if let Some(answer) = fresh() {
            self.statistics.count_hit();
            return Ok(Known { value: answer.value, is_remembered: true });
        }
        if self.is_out()
            && let Some(old) = self.stale(key, self.options.stale_for)
        {
            // Somebody has just waited for the store in vain: those who need not wait do not.
            return Ok(Known { value: old.value, is_remembered: true });
        }
        self.statistics.count_miss();
        let flight = match self.loads.board(key, fresh) {
            Boarding::Landed(answer) => return Ok(Known::read(answer.value)),
            Boarding::Flight(flight) => flight,
        };
        let load = async {
            let (asked_at, doubts) = (self.clock.now(), self.doubts());
            match load.await {
                Ok(value) => {
                    self.out_at.store(0, Ordering::Relaxed);
                    Ok(self.answer(value, asked_at, doubts))
                }
                Err(fault) => match fault.kind() {
                    FaultKind::Unavailable => {
                        let now = self.clock.now().as_unix_millis();
                        self.out_at.store(now, Ordering::Relaxed);
                        self.stale(key, self.options.stale_for).ok_or(fault)
                    }
                    FaultKind::Overloaded => {
                        let bound = self.options.stale_for.min(CROWDED_BOUND);
                        self.stale(key, bound).ok_or(fault)
                    }
                    FaultKind::Corrupt => Err(fault),
                },
            }
        };
        let answer = self.loads.fly(key, flight, load, |answer| self.keep(key, answer)).await?;
        Ok(Known { value: answer.value, is_remembered: answer.is_old })
    }

    /// What `load` says, whatever is kept; callers at the same time share it. It is not kept: a
    /// write may have come between, and forgets only what is there by then.
    pub(crate) async fn look_again(
        &self,
        key: &K,
        load: impl Future<Output = Result<V, Fault>>,
    ) -> Result<V, Fault> {
        if self.is_out() {
            return Err(Fault::unavailable("the store was out a moment ago"));
        }
        match self.second_looks.board(key, || None) {
            Boarding::Landed(value) => Ok(value),
            Boarding::Flight(flight) => self.second_looks.fly(key, flight, load, |_| ()).await,
        }
    }

    /// Whether somebody waited for the store in vain less than `retry_after` ago.
    fn is_out(&self) -> bool {
        let out_at = Timestamp::from_unix_millis(self.out_at.load(Ordering::Relaxed));
        let now = self.clock.now();
        out_at <= now && now.since(out_at) < self.options.retry_after
    }

    /// Forgets the answer for `key`, and those that are being loaded.
    pub(crate) fn forget(&self, key: &K) {
        self.second_looks.supersede(key, || ());
        self.loads.supersede(key, || drop(self.answers.remove(key)));
    }

    /// Holds nothing for fresh any more: anything may have changed.
    pub(crate) fn doubt_all(&self) {
        self.doubts.fetch_add(1, Ordering::SeqCst);
        // A load that is under way may have asked before; whoever comes now begins a new one.
        self.loads.supersede_all();
        self.second_looks.supersede_all();
    }

    fn doubts(&self) -> u32 {
        self.doubts.load(Ordering::SeqCst)
    }

    /// Forgets the answer for `key` when the guard goes: at the end of a write, however it ends,
    /// since a write that failed may have been carried out all the same.
    pub(crate) fn forget_at_end<'a>(&'a self, key: &'a K) -> impl Drop + use<'a, K, V> {
        ForgetAtEnd { cache: self, key }
    }

    /// Keeps an answer that we know without asking.
    pub(crate) fn learn(&self, key: &K, value: V) {
        let answer = self.answer(value, self.clock.now(), self.doubts());
        self.loads.supersede(key, || self.keep(key, &answer));
    }

    fn answer(&self, value: V, asked_at: Timestamp, doubts: u32) -> Answer<V> {
        let keep = (self.keep)(&value);
        let (loaded_at, checked_at) = (asked_at, asked_at);
        Answer { value, loaded_at, checked_at, doubts, keep, is_old: false }
    }

    /// The old answer, if it may still be given while the store is out.
    fn stale(&self, key: &K, bound: Duration) -> Option<Answer<V>> {
        let now = self.clock.now();
        let old = self.answers.get(key)?;
        if bound <= now.since(old.loaded_at) {
            return None;
        }
        self.statistics.count_stale();
        Some(Answer { checked_at: now, doubts: self.doubts(), is_old: true, ..old })
    }

    fn keep(&self, key: &K, answer: &Answer<V>) {
        match answer.keep {
            Keep::Not => drop(self.answers.remove(key)),
            Keep::Fresh | Keep::Always => self.answers.insert(key.clone(), answer.clone()),
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }
}

struct ForgetAtEnd<'a, K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache: &'a ReadThrough<K, V>,
    key: &'a K,
}

impl<K, V> Drop for ForgetAtEnd<'_, K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        self.cache.forget(self.key);
    }
}

impl<K, V> fmt::Debug for ReadThrough<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadThrough").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "read_through_tests.rs"]
mod tests;
