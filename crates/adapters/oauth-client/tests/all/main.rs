//! The client against a server that misbehaves in every way the specifications name.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests speak by panicking, and run servers of their own"
)]

mod authentication;
mod bad_server;
mod documents;
mod failures;
mod support;
mod tls;
