//! The ports, one file for each.

mod client_directory;
mod client_repository;
mod health_probe;
mod login_ledger;
mod replacing;
