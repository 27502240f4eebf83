//! One fault, told to everybody who waited for the same answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use domain::{Fault, FaultKind};

/// A fault of the same kind with the same cause.
pub(crate) fn again(fault: &Arc<Fault>) -> Fault {
    let cause = Shared(Arc::clone(fault));
    match fault.kind() {
        FaultKind::Unavailable => Fault::unavailable(cause),
        FaultKind::Overloaded => Fault::overloaded(cause),
        FaultKind::Corrupt => Fault::corrupt(cause),
    }
}

/// The cause of a fault, without the fault itself: its kind was told already.
#[derive(Debug)]
struct Shared(Arc<Fault>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => fmt::Display::fmt(cause, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_kind_and_the_cause_once() {
        let first = Arc::new(Fault::overloaded("the queue is full"));

        let second = again(&first);

        assert_eq!(second.kind(), FaultKind::Overloaded);
        assert_eq!(second.source().unwrap().to_string(), "the queue is full");
        assert!(second.source().unwrap().source().is_none());
    }
}
