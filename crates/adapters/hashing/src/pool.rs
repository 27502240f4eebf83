//! A bounded share of the machine for slow hashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use domain::Fault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs slow jobs on the runtime's threads for blocking work: so many at a time, so many waiting,
/// and no more. Whoever goes away while it waits leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Pool {
    workers: Arc<Semaphore>,
    queue: usize,
    statistics: Arc<PoolStatistics>,
}

/// How busy the workers are.
#[derive(Debug, Default)]
pub struct PoolStatistics {
    queued: AtomicUsize,
    running: AtomicUsize,
    total: AtomicU64,
    rejected: AtomicU64,
}

impl PoolStatistics {
    /// How many hashes wait for a worker.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// How many hashes are being computed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// How many hashes were begun since the start.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many callers were turned away since the start.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}

impl Pool {
    pub(crate) fn new(workers: usize, queue: usize) -> Self {
        let workers = Arc::new(Semaphore::new(workers.min(Semaphore::MAX_PERMITS)));
        Self { workers, queue, statistics: Arc::default() }
    }

    pub(crate) fn statistics(&self) -> Arc<PoolStatistics> {
        Arc::clone(&self.statistics)
    }

    /// Runs `job` when a worker is free.
    ///
    /// A job that has begun is finished even if the caller goes away, and keeps its worker busy.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let worker = self.worker().await?;
        let statistics = self.statistics();
        let done = tokio::task::spawn_blocking(move || {
            let _worker = worker;
            statistics.total.fetch_add(1, Ordering::Relaxed);
            let _running = Counted::new(&statistics.running);
            job()
        });
        done.await.map_err(Fault::unavailable)
    }

    async fn worker(&self) -> Result<OwnedSemaphorePermit, Fault> {
        // A permit is free only if nobody waits for one: nobody is overtaken.
        if let Ok(worker) = Arc::clone(&self.workers).try_acquire_owned() {
            return Ok(worker);
        }
        let _place = Counted::below(&self.statistics.queued, self.queue).ok_or_else(|| {
            self.statistics.rejected.fetch_add(1, Ordering::Relaxed);
            Fault::overloaded("too many secrets wait to be hashed")
        })?;
        Arc::clone(&self.workers).acquire_owned().await.map_err(Fault::unavailable)
    }
}

/// One more, as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(gauge: &'a AtomicUsize) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }

    fn below(gauge: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let more = |count| (count < limit).then_some(count + 1);
        let counted = gauge.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        // Not `then_some`: what is made in vain would be counted down when it is dropped.
        counted.is_ok().then(|| Self(gauge))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
