//! Black-box tests: the real binary, over TCP, as its users meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests speak by panicking"
)]

mod support;

mod apply;
mod assertion;
mod basic;
mod catalogue;
mod changes;
mod cli;
mod client_methods;
mod client_secret_jwt;
mod conformance;
mod dialects;
mod disk_full;
mod documentation;
mod errors_of_the_specs;
mod introspection;
mod jose_attacks;
mod key_management;
mod keys;
mod lifecycle;
mod management;
mod mandates;
mod postgres;
mod published_keys;
mod register;
mod registration_management;
mod revoke;
mod rotation;
mod secrets;
mod settings;
mod stacks;
mod status;
mod telemetry;
mod tls;
mod token;
mod tokeninfo;
mod web;
mod welcome;
