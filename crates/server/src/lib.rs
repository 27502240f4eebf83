//! The authorization server: routes, configuration, wiring, telemetry, command line.

mod change_document;
mod client_document;
mod clients_file;
mod command;
mod http;
mod key_document;
mod serve;
mod service;
mod settings;
mod telemetry;
mod welcome;
mod wiring;

pub use command::run;
