//! What the metrics show of what is wired.

use std::sync::Arc;

use adapter_hashing::{MemoryStatistics, PoolStatistics};
use adapter_memory::{
    CachedClients, CachedCredentials, CachedReferences, CachedRemoteKeys, CachedTokens, WriteBehind,
};

use crate::telemetry::Sample;

/// How the caches fare.
pub(super) fn cache_samples(
    clients: &CachedClients,
    credentials: &CachedCredentials,
    tokens: &CachedTokens,
    references: &CachedReferences,
    remote_keys: &CachedRemoteKeys,
) -> Vec<Sample> {
    let all = [
        (clients.statistics(), ["client_cache_hits", "client_cache_misses", "client_cache_stale"]),
        (
            credentials.statistics(),
            ["credential_cache_hits", "credential_cache_misses", "credential_cache_stale"],
        ),
        (
            tokens.statistics(),
            ["revocation_cache_hits", "revocation_cache_misses", "revocation_cache_stale"],
        ),
        (
            references.statistics(),
            ["reference_cache_hits", "reference_cache_misses", "reference_cache_stale"],
        ),
        (
            remote_keys.statistics(),
            ["jwks_uri_cache_hits", "jwks_uri_cache_misses", "jwks_uri_cache_stale"],
        ),
    ];
    let mut samples = Vec::new();
    for (statistics, [hits, misses, stale]) in all {
        let (it, other) = (Arc::clone(&statistics), Arc::clone(&statistics));
        samples.extend([
            Sample::Counter(hits, "Answers without asking the store", Box::new(move || it.hits())),
            Sample::Counter(
                misses,
                "Answers the store was asked for",
                Box::new(move || other.misses()),
            ),
            Sample::Counter(
                stale,
                "Answers kept because the store was out",
                Box::new(move || statistics.stale()),
            ),
        ]);
    }
    samples
}

/// How the notes of last use fare.
pub(super) fn note_samples(notes: &Arc<WriteBehind>) -> [Sample; 2] {
    let (waiting, dropped) = (Arc::clone(notes), Arc::clone(notes));
    [
        Sample::Gauge(
            "last_use_waiting",
            "Notes of last use that wait to be written",
            Box::new(move || waiting.waiting() as u64),
        ),
        Sample::Counter(
            "last_use_dropped",
            "Notes of last use that were dropped",
            Box::new(move || dropped.dropped()),
        ),
    ]
}

/// How the hashing of secrets fares.
pub(super) fn hashing_samples(
    pool: &Arc<PoolStatistics>,
    memory: &Arc<MemoryStatistics>,
) -> [Sample; 6] {
    let [queued, running, total, rejected] = [(); 4].map(|()| Arc::clone(pool));
    let [hits, misses] = [(); 2].map(|()| Arc::clone(memory));
    [
        Sample::Gauge(
            "hashing_queued",
            "Hashes that wait for a worker",
            Box::new(move || queued.queued() as u64),
        ),
        Sample::Gauge(
            "hashing_running",
            "Hashes being computed",
            Box::new(move || running.running() as u64),
        ),
        Sample::Counter(
            "hashing_finished",
            "Hashes that were computed",
            Box::new(move || total.total()),
        ),
        Sample::Counter(
            "hashing_rejected",
            "Hashes refused because too many waited",
            Box::new(move || rejected.rejected()),
        ),
        Sample::Counter(
            "verified_secret_cache_hits",
            "Secrets that needed no hash",
            Box::new(move || hits.hits()),
        ),
        Sample::Counter(
            "verified_secret_cache_misses",
            "Secrets that needed a hash",
            Box::new(move || misses.misses()),
        ),
    ]
}
