//! One file per port.

mod change_announcer;
mod change_feed;
mod health_probe;
mod reference_token_repository;
mod replay_guard;
mod token_cache;
mod token_repository;

use std::time::Duration;

/// How long an entry that protects us is kept beyond its end, so that clocks that differ by less do
/// not undo a revocation or let a replay in (threat T45).
const GRACE: Duration = Duration::from_mins(15);
