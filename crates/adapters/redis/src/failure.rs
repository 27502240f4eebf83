//! What went wrong on the way to an answer, and what that means.

use std::error::Error;
use std::fmt;

use domain::Fault;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::address::Address;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection came about, so nothing was sent.
    #[error("cannot connect to Redis at {0}")]
    Unreachable(Address, #[source] Said),
    /// The server at that address does not hold us for whom we say we are.
    #[error("authentication failed at Redis at {0}")]
    Unauthenticated(Address, #[source] Said),
    /// The server at that address is a replica.
    #[error("Redis at {0} is no master")]
    NoMaster(Address),
    /// It was carried out by a master that was replaced meanwhile.
    #[error("Redis at {0} was replaced as the master")]
    Replaced(Address),
    /// No sentinel answered.
    #[error("no sentinel answers")]
    NoSentinel(#[source] Said),
    /// Sentinels answer, and know no master of that name.
    #[error("the sentinels know no master of that name")]
    UnknownMaster,
    /// No node of the cluster answered.
    #[error("no node of the cluster answers")]
    NoNode(#[source] Box<Failure>),
    /// No node serves the keys of that slot.
    #[error("no node of the cluster serves slot {0}")]
    NoOwner(u16),
    /// A node of the cluster says that the cluster is not whole.
    #[error("the cluster is not whole")]
    Broken,
    /// The server carried nothing out.
    #[error("Redis refuses")]
    Refused(#[source] Said),
    /// What was sent may have been carried out, or not.
    #[error("the answer of Redis was lost")]
    Lost(#[source] Said),
    /// It was carried out, and a failover may undo it.
    #[error("{have} of {asked} replicas have what was written")]
    NotReplicated {
        /// As many as acknowledged it.
        have: i64,
        /// As many as must.
        asked: u32,
    },
    /// The sentinels did not say which replicas there are, so nothing was sent.
    #[error("the sentinels do not tell the replicas of the master")]
    HeirsUnknown,
    /// It was carried out, and nobody knows which replicas have it.
    #[error("the replicas were not heard of")]
    ReplicasUnheard(#[source] Said),
    /// It took longer than a caller may be kept waiting.
    #[error("Redis takes too long")]
    TooLong,
    /// The stores were closed.
    #[error("the connections to Redis are closed")]
    Closed,
    /// No such answer exists.
    #[error("Redis answers what it cannot mean: {0}")]
    Absurd(&'static str),
}

/// An error of the driver. Its cause says the same once more, and is left out.
#[derive(Clone, Debug)]
pub(crate) struct Said(RedisError);

impl From<RedisError> for Said {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Said {}

impl Failure {
    /// Why there is no connection.
    pub(crate) fn unreachable(address: &Address, error: RedisError) -> Self {
        let is_ours = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"));
        if is_ours {
            return Self::Unauthenticated(address.clone(), error.into());
        }
        Self::Unreachable(address.clone(), error.into())
    }

    /// What the server said instead of carrying a command out.
    pub(crate) fn refused(error: RedisError) -> Self {
        match error.code() {
            Some("CORRUPT") => Self::Absurd("a moment that is no number"),
            Some("WRONGTYPE") => Self::Absurd("a key of another kind"),
            _ => Self::Refused(error.into()),
        }
    }

    /// Whether nothing was carried out, and another try, perhaps elsewhere, may do better.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Unreachable(..) | Self::NoMaster(_) | Self::NoOwner(_) => true,
            Self::Refused(Said(error)) => is_passing(error),
            Self::Unauthenticated(..)
            | Self::Replaced(_)
            | Self::NoSentinel(_)
            | Self::UnknownMaster
            | Self::NoNode(_)
            | Self::Broken
            | Self::Lost(_)
            | Self::NotReplicated { .. }
            | Self::HeirsUnknown
            | Self::ReplicasUnheard(_)
            | Self::TooLong
            | Self::Closed
            | Self::Absurd(_) => false,
        }
    }

    /// Whether something may have been carried out, so that only what may be done twice may be
    /// tried again.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// Whether the server is perhaps no master any more, so that no connection to it can be used.
    pub(crate) fn is_of_no_master(&self) -> bool {
        match self {
            // Replicas leave a master that was replaced and does not know.
            Self::ReplicasUnheard(_)
            | Self::NotReplicated { .. }
            | Self::NoMaster(_)
            | Self::Replaced(_) => true,
            Self::Refused(Said(error)) => is_passing(error) && error.redirect_node().is_none(),
            Self::Unreachable(..)
            | Self::Unauthenticated(..)
            | Self::NoSentinel(_)
            | Self::UnknownMaster
            | Self::NoNode(_)
            | Self::NoOwner(_)
            | Self::Broken
            | Self::Lost(_)
            | Self::HeirsUnknown
            | Self::TooLong
            | Self::Closed
            | Self::Absurd(_) => false,
        }
    }

    /// Where a node of a cluster says that the key is, and whether it is on its way there.
    pub(crate) fn redirection(&self) -> Option<(&str, bool)> {
        let Self::Refused(Said(error)) = self else { return None };
        let (address, _) = error.redirect_node()?;
        Some((address, error.kind() == ErrorKind::Server(ServerErrorKind::Ask)))
    }
}

/// Whether another server, or the same in a moment, may say something else.
fn is_passing(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    [Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain]
        .into_iter()
        .any(|kind| error.kind() == ErrorKind::Server(kind))
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Absurd(_) => Self::corrupt(failure),
            Failure::Unreachable(..)
            | Failure::Unauthenticated(..)
            | Failure::NoMaster(_)
            | Failure::Replaced(_)
            | Failure::NoSentinel(_)
            | Failure::UnknownMaster
            | Failure::NoNode(_)
            | Failure::NoOwner(_)
            | Failure::Broken
            | Failure::Refused(_)
            | Failure::Lost(_)
            | Failure::NotReplicated { .. }
            | Failure::HeirsUnknown
            | Failure::ReplicasUnheard(_)
            | Failure::TooLong
            | Failure::Closed => Self::unavailable(failure),
        }
    }
}
