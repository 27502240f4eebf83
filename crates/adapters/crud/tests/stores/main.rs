//! Clients behind a CRUD service keep the ports' promises, and fail as they should.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "these are tests: panicking is how they speak"
)]

mod contract;
mod documents;
mod faults;
mod logins;
mod lost_answers;
mod mongo;
mod published;
mod replacing;
mod scratch;
mod wire;
