//! `tokenwright-gateway`: a reverse proxy whose routes ask policies, and an endpoint where other
//! proxies ask the same policies.
//!
//! It translates: what a policy decides stands in `app` and `domain`. Proxying is pingora's.

mod command;
mod forwarded;
mod gate;
mod listener;
mod proxy;
mod routing;
mod run;
mod settings;
mod target;
mod telemetry;
mod upstream;
mod wiring;

pub use command::run;
