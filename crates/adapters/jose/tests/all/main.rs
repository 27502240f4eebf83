//! The promises of the ports, and the attacks on signatures that must be survived.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod contract;
mod key_files;
mod key_ring;
mod support;
mod threats;
