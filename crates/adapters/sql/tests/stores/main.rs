//! The stores keep the ports' promises on both databases, and fail as they should.

#![expect(clippy::unwrap_used, reason = "these are tests: panicking is how they speak")]

mod both;
mod changes;
mod contract;
mod migrations;
mod postgres;
mod scratch;
mod sqlite;
mod sweeps;
mod transactions;
