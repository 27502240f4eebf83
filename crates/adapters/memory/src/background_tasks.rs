//! Work that nobody waits for, on the runtime of whoever begins it.

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;

use domain::port::Background;
use tokio::task::JoinSet;

use crate::lock::locked;

/// Work that nobody waits for, so much of it at a time. It ends with this value: dropping it, or
/// [`BackgroundTasks::stop`], drops what is unfinished.
pub struct BackgroundTasks {
    tasks: Mutex<JoinSet<()>>,
    capacity: usize,
}

impl BackgroundTasks {
    /// Does up to `capacity` pieces of work at a time; further ones are dropped.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { tasks: Mutex::default(), capacity }
    }

    /// Drops all work that is unfinished.
    pub fn stop(&self) {
        locked(&self.tasks).abort_all();
    }
}

impl Background for BackgroundTasks {
    fn begin(&self, work: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        if tasks.len() < self.capacity {
            tasks.spawn(work);
        }
    }
}

impl fmt::Debug for BackgroundTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundTasks").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn work_is_done_without_anybody_who_waits() {
        let tasks = BackgroundTasks::new(1);
        let (done, mut finished) = mpsc::channel(1);

        for round in 0..10 {
            let done = done.clone();
            tasks.begin(Box::pin(async move { done.send(round).await.unwrap_or_default() }));

            assert_eq!(finished.recv().await, Some(round));
            // It leaves room as soon as it is over, which is a moment after it has spoken.
            while locked(&tasks.tasks).try_join_next().is_none() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn t48_too_much_work_is_dropped_at_once() {
        let tasks = BackgroundTasks::new(2);
        for _ in 0..2 {
            tasks.begin(Box::pin(pending()));
        }
        let (alive, gone) = oneshot::channel::<()>();

        tasks.begin(Box::pin(async move {
            let _alive = alive;
            pending::<()>().await;
        }));

        assert!(gone.await.is_err());
    }

    #[tokio::test]
    async fn stopping_drops_what_is_unfinished() {
        let tasks = Arc::new(BackgroundTasks::new(2));
        let (alive, gone) = oneshot::channel::<()>();
        tasks.begin(Box::pin(async move {
            let _alive = alive;
            pending::<()>().await;
        }));

        tasks.stop();

        assert!(gone.await.is_err());
    }
}
