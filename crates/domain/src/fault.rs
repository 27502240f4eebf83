//! Failures no caller can repair.

use std::error::Error;

/// The outside world did not keep its side of a port's contract.
///
/// The cause is for logs; nothing in it may reach a client.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    kind: FaultKind,
    source: Box<dyn Error + Send + Sync>,
}

/// What to do about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Trying again later may succeed.
    #[error("a dependency is unavailable")]
    Unavailable,
    /// We have more work than we accept; trying again in a moment may succeed.
    #[error("too much work is waiting")]
    Overloaded,
    /// Trying again will not help; somebody must look.
    #[error("a dependency returned something that cannot be true")]
    Corrupt,
}

impl Fault {
    /// The dependency cannot be reached, or is too slow, or is full.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Unavailable, source: source.into() }
    }

    /// A bounded queue of ours is full.
    pub fn overloaded(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Overloaded, source: source.into() }
    }

    /// The dependency answered, and the answer breaks an invariant.
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Corrupt, source: source.into() }
    }

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The fault with all its causes, for a log or an operator's terminal.
    #[must_use]
    pub fn explained(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// Whether trying again later may succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.kind {
            FaultKind::Unavailable | FaultKind::Overloaded => true,
            FaultKind::Corrupt => false,
        }
    }
}
