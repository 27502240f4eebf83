//! How a node hears of what others changed.

use async_trait::async_trait;

use crate::{Change, Fault};

/// Where a node hears of what others changed (threat T34).
///
/// A feed is what makes a change bite at once. Without one, or while it is broken, it bites when
/// what is remembered is no longer fresh: nothing but speed depends on a feed.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// Tells `listener` of every change made from now on, by any node, this one included, until
    /// the feed breaks; what broke it is returned.
    ///
    /// The first thing told is [`Change::Unknown`], once changes can no longer be missed: nobody
    /// knows what was changed before. A feed that cannot tell what was changed, or lost count,
    /// tells that as well. Any number may follow at the same time; who goes away harms nobody.
    async fn follow(&self, listener: &dyn ChangeListener) -> Fault;
}

/// Who wants to know.
pub trait ChangeListener: Send + Sync {
    /// Takes note of a change, without waiting for anything.
    fn heard(&self, change: &Change);
}

/// Tells other nodes what this one changed. Needed where the stores themselves do not tell.
#[async_trait]
pub trait ChangeAnnouncer: Send + Sync {
    /// Tells everybody who follows the feed of this announcer.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]: then some may have heard of it, or nobody.
    async fn announce(&self, change: &Change) -> Result<(), Fault>;
}
