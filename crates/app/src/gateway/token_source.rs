//! Tokens of other people's authorization servers, each fetched once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use domain::gateway::{
    CacheUse, Claims, FetchFailure, FetchedToken, Keeping, KeepingRules, TokenFetch, UsedToken,
};
use domain::port::{Background, Clock, Entropy, TokenCache, TokenEndpoint, TokenVault};
use domain::{CacheKey, Fault, Timestamp};
use quick_cache::sync::Cache;

use super::flights::{Boarding, Flights, Ticket};
use super::kept_token::Kept;

/// Where the tokens come from that requests go on with.
///
/// A token is looked for in memory, then in the store that gateways share, then at its token
/// endpoint. However many want it at once, one of them looks; a token that is about to end is
/// fetched anew in the background while the old one is still given, by one of those who use it.
/// A store that is out is a store without tokens.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

/// What a [`TokenSource`] is made of.
pub struct TokenSourceParts {
    /// How tokens are encrypted, and what they are remembered by.
    pub vault: Arc<dyn TokenVault>,
    /// Where gateways share them; `None` for memory alone.
    pub store: Option<Arc<dyn TokenCache>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where jitter comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Where tokens are renewed.
    pub background: Arc<dyn Background>,
    /// How many tokens are kept in memory; the default of the gateway is 10 000.
    pub capacity: usize,
}

/// What is wanted of a [`TokenSource`].
pub struct Wanted {
    /// Whom to ask.
    pub endpoint: Arc<dyn TokenEndpoint>,
    /// What to ask.
    pub fetch: TokenFetch,
    /// How long to keep the answer; `None` asks every time, and for every caller.
    pub keeping: Option<KeepingRules>,
}

/// A token, and where it came from.
#[derive(Clone, Debug)]
pub struct Obtained {
    kept: Arc<Kept>,
    key: CacheKey,
    /// Where it came from.
    pub cache: CacheUse,
}

impl Obtained {
    /// The token.
    #[must_use]
    pub fn token(&self) -> &FetchedToken {
        &self.kept.token
    }

    /// Its claims, if it is a JWT.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.kept.token.claims()
    }

    /// What it is remembered by.
    #[must_use]
    pub fn key(&self) -> &CacheKey {
        &self.key
    }

    /// What was left with [`Obtained::set_mark`] as long as this token is in memory, at first 0.
    #[must_use]
    pub(crate) fn mark(&self) -> u64 {
        self.kept.mark()
    }

    /// Leaves a mark on the token for whoever gets it next from memory: which keys verified it.
    pub(crate) fn set_mark(&self, mark: u64) {
        self.kept.set_mark(mark);
    }

    /// What [`TokenSource::purge`] wants to know if upstream refuses it.
    #[must_use]
    pub fn used_by(&self, policy: usize) -> UsedToken {
        UsedToken { key: self.key.clone(), token: self.kept.token.as_str().into(), policy }
    }
}

/// How often what happened, since the start.
#[derive(Debug, Default)]
pub struct TokenSourceStatistics {
    /// Tokens that came from memory.
    pub hits: AtomicU64,
    /// Tokens that came from the store.
    pub store_hits: AtomicU64,
    /// Questions to token endpoints, renewals among them.
    pub fetches: AtomicU64,
    /// Questions to token endpoints that brought no token.
    pub failures: AtomicU64,
    /// Renewals that were begun.
    pub renewals: AtomicU64,
    /// Reads and writes that the store could not do.
    pub store_faults: AtomicU64,
    /// Tokens that upstream refused, and that were forgotten.
    pub purges: AtomicU64,
}

type Answer = Result<Obtained, Arc<FetchFailure>>;

struct Inner {
    parts: TokenSourceParts,
    near: Cache<CacheKey, Arc<Kept>>,
    purged: Cache<CacheKey, Timestamp>,
    flights: Arc<Flights<CacheKey, Answer>>,
    is_store_out: AtomicBool,
    statistics: Arc<TokenSourceStatistics>,
}

/// A token may be purged once in this time: an upstream that refuses every token must not turn
/// every request into a question to the token endpoint.
const PURGE_PAUSE: Duration = Duration::from_secs(5);

impl TokenSource {
    /// A source that remembers nothing yet.
    #[must_use]
    pub fn new(parts: TokenSourceParts) -> Self {
        let (near, purged) = (Cache::new(parts.capacity), Cache::new(parts.capacity));
        let (flights, is_store_out) = (Arc::default(), AtomicBool::new(false));
        let statistics = Arc::default();
        Self(Arc::new(Inner { parts, near, purged, flights, is_store_out, statistics }))
    }

    /// How often what happened.
    #[must_use]
    pub fn statistics(&self) -> Arc<TokenSourceStatistics> {
        Arc::clone(&self.0.statistics)
    }

    /// The token that `wanted` asks for.
    ///
    /// # Errors
    ///
    /// Whatever the token endpoint failed with; everybody who waited for one question gets the
    /// same.
    pub async fn obtain(&self, wanted: Wanted) -> Result<Obtained, Arc<FetchFailure>> {
        let inner = &self.0;
        let key = inner.parts.vault.key(&wanted.fetch);
        let Some(rules) = wanted.keeping else {
            let kept = inner.fetched(&wanted, None).await?;
            return Ok(Obtained { kept, key, cache: CacheUse::Miss });
        };
        if let Some(kept) = inner.near(&key) {
            count(&inner.statistics.hits);
            let obtained = Obtained { kept, key, cache: CacheUse::Hit };
            if obtained.kept.is_to_be_renewed(inner.parts.clock.now()) {
                self.renew(&obtained, wanted, rules);
            }
            return Ok(obtained);
        }
        self.look(&key, wanted, rules, None).await
    }

    /// Forgets a token that upstream refused, unless another one has taken its place, or one of
    /// this place was forgotten a moment ago. Says whether it did.
    ///
    /// A question that is under way by then still gets its answer, which nobody keeps.
    pub async fn purge(&self, used: &UsedToken) -> bool {
        let inner = &self.0;
        if !inner.is_kept(&used.key, &used.token).await {
            return false;
        }
        let now = inner.parts.clock.now();
        let may_purge = inner.flights.undisturbed(|| {
            let last = inner.purged.get(&used.key).filter(|it| *it <= now);
            let is_soon = last.is_some_and(|it| now.since(it) < PURGE_PAUSE);
            if !is_soon {
                inner.purged.insert(used.key.clone(), now);
            }
            !is_soon
        });
        if may_purge {
            count(&inner.statistics.purges);
            inner.drop_kept(&used.key, &used.token).await;
        }
        may_purge
    }

    /// Forgets a token that is of no use any more, unless another one has taken its place: its key
    /// is gone, say. However many find that out at once, the next question is one.
    pub async fn discard(&self, obtained: &Obtained) {
        let (inner, token) = (&self.0, obtained.token().as_str());
        if inner.is_kept(&obtained.key, token).await {
            inner.drop_kept(&obtained.key, token).await;
        }
    }

    /// Looks for a token together with all who look for it; `old` is the one to be renewed.
    async fn look(
        &self,
        key: &CacheKey,
        wanted: Wanted,
        rules: KeepingRules,
        old: Option<Arc<Kept>>,
    ) -> Answer {
        let inner = &self.0;
        let landed = || {
            let kept = inner.near(key)?;
            let is_news = old.as_ref().is_none_or(|old| !Arc::ptr_eq(old, &kept));
            is_news.then(|| Ok(Obtained { kept, key: key.clone(), cache: CacheUse::Hit }))
        };
        let begin = |ticket: Ticket<CacheKey, Answer>| {
            let (inner, key, old) = (Arc::clone(inner), key.clone(), old.clone());
            let work = async move {
                let answer = inner.looked_up(&key, &wanted, rules, old.as_deref(), &ticket).await;
                ticket.leave();
                answer
            };
            Box::pin(work) as _
        };
        match inner.flights.join(key, landed, begin) {
            Boarding::Landed(answer) => answer,
            Boarding::Waiting(passenger) => passenger.land().await.unwrap_or_else(|| {
                Err(Arc::new(Fault::unavailable("the question was dropped").into()))
            }),
        }
    }

    fn renew(&self, old: &Obtained, wanted: Wanted, rules: KeepingRules) {
        count(&self.0.statistics.renewals);
        let (source, kept, key) = (self.clone(), Arc::clone(&old.kept), old.key.clone());
        self.0.parts.background.begin(Box::pin(async move {
            if let Err(failure) = source.look(&key, wanted, rules, Some(kept)).await {
                tracing::warn!(%failure, "a token could not be renewed, and is used until it ends");
            }
        }));
    }
}

impl Inner {
    /// The token in memory that may still be given.
    fn near(&self, key: &CacheKey) -> Option<Arc<Kept>> {
        let now = self.parts.clock.now();
        self.near.get(key).filter(|it| it.is_fresh(now))
    }

    /// What one of those who look does.
    async fn looked_up(
        &self,
        key: &CacheKey,
        wanted: &Wanted,
        rules: KeepingRules,
        old: Option<&Kept>,
        ticket: &Ticket<CacheKey, Answer>,
    ) -> Answer {
        if let Some(token) = self.stored(key).await
            && old.is_none_or(|old| old.token.fetched_at() < token.fetched_at())
        {
            let kept = Arc::new(self.kept(token, Some(rules)));
            if kept.keeping.is_some() {
                count(&self.statistics.store_hits);
                ticket.if_valid(|| self.near.insert(key.clone(), Arc::clone(&kept)));
                return Ok(Obtained { kept, key: key.clone(), cache: CacheUse::Hit });
            }
        }
        let kept = match self.fetched(wanted, Some(rules)).await {
            Ok(kept) => kept,
            Err(failure) => {
                if matches!(*failure, FetchFailure::Refused(_))
                    && ticket.if_valid(|| drop(self.near.remove(key)))
                {
                    // Whoever holds credentials that are refused by now holds no token either.
                    self.forget(key).await;
                }
                return Err(failure);
            }
        };
        if let Some(keeping) = kept.keeping
            && ticket.if_valid(|| self.near.insert(key.clone(), Arc::clone(&kept)))
        {
            self.store(key, &kept, keeping).await;
            if !ticket.if_valid(|| ()) {
                // It was purged while it was written, and maybe before it was there.
                self.forget(key).await;
            }
        }
        Ok(Obtained { kept, key: key.clone(), cache: CacheUse::Miss })
    }

    async fn fetched(
        &self,
        wanted: &Wanted,
        rules: Option<KeepingRules>,
    ) -> Result<Arc<Kept>, Arc<FetchFailure>> {
        count(&self.statistics.fetches);
        match wanted.endpoint.fetch(&wanted.fetch).await {
            Ok(token) => Ok(Arc::new(self.kept(token, rules))),
            Err(failure) => {
                count(&self.statistics.failures);
                Err(Arc::new(failure))
            }
        }
    }

    fn kept(&self, token: FetchedToken, rules: Option<KeepingRules>) -> Kept {
        let mut chance = [0; 2];
        // Jitter is a courtesy: without randomness there is none.
        let chance =
            self.parts.entropy.fill(&mut chance).map_or(0, |()| u16::from_ne_bytes(chance));
        Kept::new(token, rules, self.parts.clock.now(), chance)
    }

    /// The token in the store. One that is out has none.
    async fn stored(&self, key: &CacheKey) -> Option<FetchedToken> {
        let store = self.parts.store.as_ref()?;
        let found = self.noted(store.find(key).await)??;
        self.parts.vault.open(key, &found)
    }

    async fn store(&self, key: &CacheKey, kept: &Kept, keeping: Keeping) {
        let Some(store) = &self.parts.store else {
            return;
        };
        let kept = match self.parts.vault.seal(key, &kept.token) {
            Ok(sealed) => store.keep(key, &sealed, keeping.until, self.parts.clock.now()).await,
            Err(fault) => Err(fault),
        };
        self.noted(kept);
    }

    /// Whether this very token is the one that is kept.
    async fn is_kept(&self, key: &CacheKey, token: &str) -> bool {
        match self.near.get(key) {
            Some(kept) => kept.token.as_str() == token,
            None => self.stored(key).await.is_some_and(|it| it.as_str() == token),
        }
    }

    /// Forgets this token: first in the store, so that nobody who comes in between finds it there,
    /// then in memory, with the question that is under way and may have found it.
    async fn drop_kept(&self, key: &CacheKey, token: &str) {
        self.forget(key).await;
        self.flights.supersede(key, || {
            let is_it = self.near.get(key).is_some_and(|it| it.token.as_str() == token);
            if is_it {
                drop(self.near.remove(key));
            }
            is_it
        });
    }

    async fn forget(&self, key: &CacheKey) {
        if let Some(store) = &self.parts.store {
            self.noted(store.forget(key).await);
        }
    }

    /// Goes on without a store that is out, and says so once.
    fn noted<T>(&self, outcome: Result<T, Fault>) -> Option<T> {
        match outcome {
            Ok(value) => {
                if self.is_store_out.swap(false, Ordering::Relaxed) {
                    tracing::info!("the store of tokens works again");
                }
                Some(value)
            }
            Err(fault) => {
                count(&self.statistics.store_faults);
                if !self.is_store_out.swap(true, Ordering::Relaxed) {
                    let fault = fault.explained();
                    tracing::warn!(%fault, "the store of tokens is out: going on without it");
                }
                None
            }
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("statistics", &self.0.statistics)
            .finish_non_exhaustive()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
