//! The use-cases against the memory adapters: state in, state out, no mocks.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::default_trait_access,
    reason = "tests speak by panicking, and say no more than they must"
)]

mod support;

mod assertions;
mod authentication;
mod catalogue;
mod changes;
mod clients;
mod gateway;
mod introspection;
mod key_schedule;
mod keys;
mod management;
mod mandates;
mod migration;
mod registration;
mod secrets;
mod self_management;
mod tokens;
