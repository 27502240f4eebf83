//! Black-box tests: the real binary, over TCP, as its users meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests speak by panicking"
)]

mod support;

mod client_credentials;
mod configuration;
mod example;
mod forward_auth;
mod forwarding;
mod http2;
mod lifecycle;
mod limits;
mod openid_connect;
mod other_proxies;
mod servers;
mod streaming;
