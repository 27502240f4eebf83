//! The use-cases against the memory adapters: state in, state out, no mocks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests speak by panicking")]

mod support;

mod authentication;
mod clients;
mod keys;
mod management;
mod registration;
mod secrets;
mod tokens;
