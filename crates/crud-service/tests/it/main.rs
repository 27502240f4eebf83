//! The service keeps to what is known of the original.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests: panicking is how they speak"
)]

mod mongo;
mod moods;
mod program;
mod queries;
mod support;
mod writes;
