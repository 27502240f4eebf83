//! Clients and verifiers that nobody here wrote, against the real binary, over TCP.
//!
//! Python's and Node's libraries run in their own interpreters, as scripts beside this file; Rust's
//! run in here. What they need is fetched by name and pinned: see `testbed::foreign`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests speak by panicking"
)]

#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the other black-box tests need more of it")]
mod support;

mod assertion_audience;
mod awkward_secrets;
mod discovery;
mod ground;
mod life;
mod refusals;
mod registration;
mod rust_libraries;
mod scripts;
mod tls;
mod verification;
