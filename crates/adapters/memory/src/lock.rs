//! Locks that are never held across an `.await`, and that a panic does not poison: whoever
//! panicked had not begun to change anything, or had changed it all.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
