//! A token in memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use domain::gateway::{FetchedToken, Keeping, KeepingRules};

/// A token in memory.
pub(super) struct Kept {
    pub(super) token: FetchedToken,
    since: Timestamp,
    pub(super) keeping: Option<Keeping>,
    /// From when on whoever uses it has it renewed, in milliseconds since the epoch.
    renew_from: AtomicU64,
    /// What whoever verified it last left here.
    mark: AtomicU64,
}

/// After this time a renewal that failed is tried again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// How far a clock may be set back before what is in memory counts as unknown (threat T45).
const CLOCK_SLACK: Duration = Duration::from_secs(2);

impl Kept {
    /// A token as it comes at `now`; without rules it is given once and not kept.
    pub(super) fn new(
        token: FetchedToken,
        rules: Option<KeepingRules>,
        now: Timestamp,
        chance: u16,
    ) -> Self {
        let keeping = rules.and_then(|rules| Keeping::of(&token, rules, now, chance));
        let renew_from = keeping.map_or(u64::MAX, |it| it.renew_from.as_unix_millis());
        let (renew_from, mark) = (AtomicU64::new(renew_from), AtomicU64::new(0));
        Self { token, since: now, keeping, renew_from, mark }
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let is_past = self.since <= now.after(CLOCK_SLACK);
        is_past && self.keeping.is_some_and(|it| now < it.until)
    }

    /// Whether this caller is the one who has it renewed: one of all, and one again after a while
    /// if nothing came of it.
    pub(super) fn is_to_be_renewed(&self, now: Timestamp) -> bool {
        let due = self.renew_from.load(Ordering::Relaxed);
        let next = now.after(RENEWAL_PAUSE).as_unix_millis();
        due <= now.as_unix_millis()
            && self
                .renew_from
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Ordering::Relaxed)
    }

    pub(super) fn set_mark(&self, mark: u64) {
        self.mark.store(mark, Ordering::Relaxed);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("keeping", &self.keeping).finish_non_exhaustive()
    }
}
