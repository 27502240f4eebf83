//! The stores keep the ports' promises on a single server and on a replica set, and fail as they
//! should.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "these are tests: panicking is how they speak"
)]

mod both;
mod contract;
mod credentials;
mod cut;
mod damage;
mod failover;
mod feed;
mod indexes;
mod load;
mod outage;
mod reference_tokens;
mod scratch;
mod servers;
mod tls;
mod transactions;
