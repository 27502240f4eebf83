//! Keys that clients publish, remembered.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{Clock, Known, RemoteKeySet, RemoteKeys};
use domain::{Fault, FaultKind, JwksUri, JwksUriRefusal, Timestamp};
use quick_cache::UnitWeighter;
use quick_cache::sync::Cache;

use crate::bounded::bounded;
use crate::cache_options::CacheStatistics;
use crate::shared_fault;
use crate::single_flight::{Boarding, SingleFlight};

/// How long keys are fresh whose publisher does not say.
const FRESH_UNLESS_SAID: Duration = Duration::from_mins(5);
/// How long keys are fresh at most, whatever their publisher says: a key that was taken back is good
/// for no longer.
const FRESH_AT_MOST: Duration = Duration::from_hours(1);

/// Keys that clients publish, each address asked once by however many want it.
///
/// - Fresh keys cost no I/O. They are fresh for as long as their publisher says, within bounds: at
///   least [`RemoteKeysOptions::ask_at_most_every`], at most an hour; five minutes if it says nothing.
/// - One address is asked at most once in that interval, whatever came of it and however many unknown
///   keys are named (threat T06); who calls in between gets what is kept, or the fault.
/// - While an address is out, its keys are given for [`RemoteKeysOptions::stale_for`] after they
///   ceased to be fresh. Without any, everybody gets the fault.
/// - Only so many addresses are remembered, those that are out too.
pub struct CachedRemoteKeys {
    inner: Arc<dyn RemoteKeys>,
    entries: Cache<JwksUri, Entry, UnitWeighter, RandomState>,
    fetches: SingleFlight<JwksUri, Entry>,
    options: RemoteKeysOptions,
    clock: Arc<dyn Clock>,
    statistics: Arc<CacheStatistics>,
}

/// How published keys are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteKeysOptions {
    /// The most addresses.
    pub capacity: u64,
    /// How long one address is not asked again, whatever came of it.
    pub ask_at_most_every: Duration,
    /// How long keys are given that are fresh no more, while their address is out.
    pub stale_for: Duration,
}

/// What is known of one address.
#[derive(Clone)]
struct Entry {
    keys: Option<Arc<RemoteKeySet>>,
    /// When the keys were asked for.
    fetched_at: Timestamp,
    /// When the address was last asked, maybe in vain.
    asked_at: Timestamp,
    /// What came of it, where it was in vain.
    fault: Option<Arc<Fault>>,
}

impl CachedRemoteKeys {
    /// Remembers keys that `inner` fetches.
    #[must_use]
    pub fn new(
        inner: Arc<dyn RemoteKeys>,
        options: RemoteKeysOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inner,
            entries: bounded(options.capacity),
            fetches: SingleFlight::default(),
            options,
            clock,
            statistics: Arc::default(),
        }
    }

    /// How often it helped.
    #[must_use]
    pub fn statistics(&self) -> Arc<CacheStatistics> {
        Arc::clone(&self.statistics)
    }

    /// What is kept and was asked for a moment ago.
    fn asked(&self, uri: &JwksUri) -> Option<Entry> {
        let now = self.clock.now();
        let every = self.options.ask_at_most_every;
        self.entries.get(uri).filter(|it| it.asked_at <= now && now.since(it.asked_at) < every)
    }

    /// Asks the address, unless somebody did a moment ago.
    async fn ask(&self, uri: &JwksUri) -> Result<Arc<RemoteKeySet>, Fault> {
        let flight = match self.fetches.board(uri, || self.asked(uri)) {
            Boarding::Landed(entry) => return self.given(entry),
            Boarding::Flight(flight) => flight,
        };
        self.statistics.count_miss();
        let fetch = async {
            let asked_at = self.clock.now();
            let fault = match self.inner.look_again(uri).await {
                Ok(keys) => {
                    let (keys, fetched_at) = (Some(keys), asked_at);
                    return Ok(Entry { keys, fetched_at, asked_at, fault: None });
                }
                // It was not asked.
                Err(fault) if fault.kind() == FaultKind::Overloaded => return Err(fault),
                Err(fault) => Some(Arc::new(fault)),
            };
            let (keys, fetched_at) = match self.entries.get(uri) {
                Some(old) => (old.keys, old.fetched_at),
                None => (None, asked_at),
            };
            Ok(Entry { keys, fetched_at, asked_at, fault })
        };
        let keep = |entry: &Entry| self.entries.insert(uri.clone(), entry.clone());
        match self.fetches.fly(uri, flight, fetch, keep).await {
            Ok(entry) => self.given(entry),
            Err(fault) => match self.entries.get(uri).map(|it| self.given(it)) {
                Some(Ok(keys)) => Ok(keys),
                Some(Err(_)) | None => Err(fault),
            },
        }
    }

    /// The keys of an entry, unless they are too old.
    fn given(&self, entry: Entry) -> Result<Arc<RemoteKeySet>, Fault> {
        let age = self.clock.now().since(entry.fetched_at);
        match (entry.keys, entry.fault) {
            (Some(keys), fault) if age < self.fresh_for(&keys) + self.options.stale_for => {
                if fault.is_some() {
                    self.statistics.count_stale();
                }
                Ok(keys)
            }
            (_, Some(fault)) => Err(shared_fault::again(&fault)),
            (_, None) => Err(Fault::unavailable("the keys of an address are too old")),
        }
    }

    fn fresh_for(&self, keys: &RemoteKeySet) -> Duration {
        let said = keys.max_age.unwrap_or(FRESH_UNLESS_SAID);
        said.min(FRESH_AT_MOST).max(self.options.ask_at_most_every)
    }
}

#[async_trait]
impl RemoteKeys for CachedRemoteKeys {
    fn refusal(&self, uri: &JwksUri) -> Option<JwksUriRefusal> {
        self.inner.refusal(uri)
    }

    async fn look_up(&self, uri: &JwksUri) -> Result<Known<Arc<RemoteKeySet>>, Fault> {
        let now = self.clock.now();
        if let Some(entry) = self.entries.get(uri)
            && let Some(keys) = entry.keys
            && entry.fetched_at <= now
            && now.since(entry.fetched_at) < self.fresh_for(&keys)
        {
            self.statistics.count_hit();
            return Ok(Known { value: keys, is_remembered: true });
        }
        if let Some(entry) = self.asked(uri) {
            return Ok(Known { value: self.given(entry)?, is_remembered: true });
        }
        Ok(Known::read(self.ask(uri).await?))
    }

    async fn look_again(&self, uri: &JwksUri) -> Result<Arc<RemoteKeySet>, Fault> {
        match self.asked(uri) {
            Some(entry) => self.given(entry),
            None => self.ask(uri).await,
        }
    }
}

impl fmt::Debug for CachedRemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedRemoteKeys").field("options", &self.options).finish_non_exhaustive()
    }
}
