//! Lines on standard output, written together.

use std::io::{self, Write as _};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a line waits for others before it is written.
const GATHER: Duration = Duration::from_millis(20);
/// What may wait to be written: whoever reads the log may stop for a while, not for ever.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Takes lines without waiting, and writes those of the last 20 ms in one call.
///
/// A thread that is woken for each line costs the core more than the line does. What does not fit
/// is dropped and counted, since no request may wait for whoever reads the log.
#[derive(Clone)]
pub(crate) struct LineWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    is_ending: bool,
}

/// Writes what is left when it is dropped.
pub(crate) struct LastLines {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LineWriter {
    /// Starts the thread that writes to standard output.
    pub(crate) fn start() -> io::Result<(Self, LastLines)> {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || writing.run())?;
        Ok((Self(Arc::clone(&shared)), LastLines { shared, thread: Some(thread) }))
    }

    /// Takes a line, without its newline.
    pub(crate) fn write(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if MAX_WAITING_BYTES < waiting.bytes.len() + line.len() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        waiting.bytes.push(b'\n');
        drop(waiting);
        if is_first {
            self.0.arrived.notify_one();
        }
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// A panic elsewhere cannot leave half a line behind.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut batch = Vec::new();
        loop {
            let mut waiting = self.lock();
            while waiting.bytes.is_empty() && !waiting.is_ending {
                waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let is_ending = waiting.is_ending;
            if !is_ending {
                drop(waiting);
                thread::sleep(GATHER);
                waiting = self.lock();
            }
            mem::swap(&mut waiting.bytes, &mut batch);
            drop(waiting);
            // Nobody reads standard output any more: there is nobody to tell.
            drop(io::stdout().lock().write_all(&batch).and_then(|()| io::stdout().flush()));
            batch.clear();
            batch.shrink_to(1024 * 1024);
            if is_ending {
                return;
            }
        }
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        self.shared.lock().is_ending = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
