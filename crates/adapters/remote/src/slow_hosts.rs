//! Hosts that kept us waiting.

use std::hash::RandomState;
use std::time::Duration;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use tokio::time::Instant;

use crate::places::Owner;

/// The most hosts that are remembered.
const CAPACITY: usize = 1_024;
/// For how long a host is held to be slow that ran into the deadline.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// What is left of the patience with it: one part in so many.
const SHORTENED_BY: u32 = 4;

/// Remembers which hosts ran into the deadline a moment ago. They are asked with less patience, so
/// that they hold up others for less long.
pub(crate) struct SlowHosts(Cache<Owner, Instant, UnitWeighter, RandomState>);

impl Default for SlowHosts {
    fn default() -> Self {
        let (weight, lifecycle) = (CAPACITY as u64, DefaultLifecycle::default());
        Self(Cache::with(CAPACITY, weight, UnitWeighter, RandomState::new(), lifecycle))
    }
}

impl SlowHosts {
    /// How long to wait for a host, of `patience` with one that nothing is known of.
    pub(crate) fn patience(&self, host: &Owner, patience: Duration) -> Duration {
        match self.0.get(host) {
            Some(since) if since.elapsed() < REMEMBERED_FOR => patience / SHORTENED_BY,
            Some(_) | None => patience,
        }
    }

    /// It ran into the deadline.
    pub(crate) fn note(&self, host: &Owner) {
        self.0.insert(host.clone(), Instant::now());
    }

    /// It answered in time.
    pub(crate) fn forgive(&self, host: &Owner) {
        self.0.remove(host);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, pause};

    use super::*;

    #[tokio::test]
    async fn t06_patience_with_a_slow_host_is_short_for_a_minute_or_until_it_answers() {
        pause();
        let (hosts, whole) = (SlowHosts::default(), Duration::from_secs(4));
        let (slow, other) = (Owner::Host("slow".to_owned()), Owner::Host("other".to_owned()));
        assert_eq!(hosts.patience(&slow, whole), whole);

        hosts.note(&slow);

        advance(Duration::from_secs(59)).await;
        assert_eq!(hosts.patience(&slow, whole), Duration::from_secs(1));
        assert_eq!(hosts.patience(&other, whole), whole);
        advance(Duration::from_secs(1)).await;
        assert_eq!(hosts.patience(&slow, whole), whole);
        hosts.note(&slow);
        hosts.forgive(&slow);
        assert_eq!(hosts.patience(&slow, whole), whole);
    }

    #[tokio::test]
    async fn only_so_many_are_remembered() {
        let hosts = SlowHosts::default();
        for host in 0..10_000 {
            hosts.note(&Owner::Host(host.to_string()));
        }
        assert!(hosts.0.len() <= CAPACITY);
    }
}
