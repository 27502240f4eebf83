//! Black-box tests: the real binary, over TCP, as its users meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests speak by panicking"
)]

mod support;

mod token;
