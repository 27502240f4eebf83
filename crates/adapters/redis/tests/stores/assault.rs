//! Several nodes that burn the same assertions again and again (threat T18).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_redis::{RedisOptions, RedisStores};
use domain::Fault;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::servers::{BOUND, burn, node};

const NODES: usize = 3;
const WORKERS: usize = 12;

/// As many assertions, the newest, come back at any time. One is new every ten milliseconds.
const ALIVE: u64 = 600;

/// Which assertions were let in, and what else happened.
#[derive(Debug, Default)]
pub(crate) struct Record {
    let_in: HashMap<u64, u32>,
    replays: u64,
    faults: HashMap<String, u64>,
    slowest: Duration,
    longest_gap: Duration,
    last: Option<Instant>,
}

impl Record {
    fn note(&mut self, assertion: u64, outcome: Result<bool, Fault>, took: Duration) {
        self.slowest = self.slowest.max(took);
        match outcome {
            Ok(true) => {
                *self.let_in.entry(assertion).or_default() += 1;
                let now = Instant::now();
                let gap = self.last.replace(now).map_or(Duration::ZERO, |last| now - last);
                self.longest_gap = self.longest_gap.max(gap);
            }
            Ok(false) => self.replays += 1,
            Err(fault) => *self.faults.entry(fault.explained()).or_default() += 1,
        }
    }

    /// Prints what happened; fails if an assertion was let in twice, or a caller waited too long.
    pub(crate) fn judge(&self, what: &str) {
        let twice = self.let_in.values().filter(|times| 1 < **times).count();
        eprintln!(
            "{what}: {} let in, {twice} of them twice, {} replays refused, longest gap {:?}, \
             slowest answer {:?}, faults: {:#?}",
            self.let_in.len(),
            self.replays,
            self.longest_gap,
            self.slowest,
            self.faults
        );
        assert_eq!(twice, 0, "an assertion was let in twice");
        assert!(100 < self.let_in.len(), "hardly anything was let in");
        assert!(100 < self.replays, "hardly anything was tried twice");
        assert!(self.slowest < BOUND, "a caller was kept waiting");
    }
}

/// The nodes at work, until they are told to stop.
pub(crate) struct Assault {
    record: Arc<Mutex<Record>>,
    is_over: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Assault {
    #[expect(clippy::disallowed_methods, reason = "nodes work at the same time")]
    pub(crate) fn begin(options: &RedisOptions) -> Self {
        let record = Arc::<Mutex<Record>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let nodes: Vec<_> = (0..NODES).map(|_| node(options)).collect();
        let began = Instant::now();
        let workers = (0..WORKERS).map(|worker| {
            let node = nodes[worker % NODES].clone();
            tokio::spawn(work(worker, node, began, Arc::clone(&record), Arc::clone(&is_over)))
        });
        Self { workers: workers.collect(), record, is_over }
    }

    pub(crate) async fn end(self) -> Record {
        self.is_over.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.unwrap();
        }
        std::mem::take(&mut self.record.lock().unwrap())
    }
}

async fn work(
    worker: usize,
    node: RedisStores,
    began: Instant,
    record: Arc<Mutex<Record>>,
    is_over: Arc<AtomicBool>,
) {
    let mut turn = u64::try_from(worker).unwrap();
    while !is_over.load(Ordering::SeqCst) {
        let newest = u64::try_from(began.elapsed().as_millis()).unwrap() / 10;
        // Every third is as new as can be, so that several workers fight for it.
        let age = if turn.is_multiple_of(3) { 0 } else { turn * 7_919 % ALIVE };
        let assertion = newest.saturating_sub(age);
        let asked_at = Instant::now();
        let outcome = burn(&node, &format!("a-{assertion}")).await;
        record.lock().unwrap().note(assertion, outcome, asked_at.elapsed());
        turn += 1;
        sleep(Duration::from_millis(2)).await;
    }
}
