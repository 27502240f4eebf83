//! The stores keep the ports' promises on real servers, and fail as they should.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "these are tests: panicking is how they speak, and what they measure is worth seeing"
)]

mod access;
mod assault;
mod cluster;
mod contract;
mod cut;
mod expiry;
mod failover;
mod load;
mod options;
mod sentinel;
mod servers;
mod standalone;
mod tls;
