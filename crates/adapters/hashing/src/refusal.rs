//! One answer for all who waited for it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use domain::{Fault, FaultKind};

/// Why there is nothing to remember.
pub(crate) enum Refusal {
    Mismatch,
    Fault(Fault),
}

/// One fault for each of those who waited for it.
pub(crate) fn shared(kind: FaultKind, refusal: Arc<Refusal>) -> Fault {
    let source = SharedRefusal(refusal);
    match kind {
        FaultKind::Unavailable => Fault::unavailable(source),
        FaultKind::Overloaded => Fault::overloaded(source),
        FaultKind::Corrupt => Fault::corrupt(source),
    }
}

struct SharedRefusal(Arc<Refusal>);

impl SharedRefusal {
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Refusal::Mismatch => None,
            Refusal::Fault(fault) => fault.source(),
        }
    }
}

impl fmt::Display for SharedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause() {
            None => f.write_str("a secret could not be verified"),
            Some(cause) => fmt::Display::fmt(cause, f),
        }
    }
}

impl fmt::Debug for SharedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedRefusal({self})")
    }
}

impl Error for SharedRefusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().and_then(Error::source)
    }
}
