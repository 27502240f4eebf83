//! News of changes within one process.

use async_trait::async_trait;
use domain::port::{ChangeAnnouncer, ChangeFeed, ChangeListener};
use domain::{Change, Fault};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How many changes a listener may lag behind before it is told that it missed some.
const CAPACITY: usize = 1_024;

/// News of changes within one process: for tests, and for servers that share a process.
#[derive(Debug)]
pub struct MemoryChanges(broadcast::Sender<Change>);

impl Default for MemoryChanges {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

#[async_trait]
impl ChangeFeed for MemoryChanges {
    async fn follow(&self, listener: &dyn ChangeListener) -> Fault {
        let mut changes = self.0.subscribe();
        listener.heard(&Change::Unknown);
        loop {
            match changes.recv().await {
                Ok(change) => listener.heard(&change),
                Err(RecvError::Lagged(_)) => listener.heard(&Change::Unknown),
                Err(error @ RecvError::Closed) => return Fault::unavailable(error),
            }
        }
    }
}

#[async_trait]
impl ChangeAnnouncer for MemoryChanges {
    async fn announce(&self, change: &Change) -> Result<(), Fault> {
        // An error says that nobody follows.
        drop(self.0.send(change.clone()));
        Ok(())
    }
}
