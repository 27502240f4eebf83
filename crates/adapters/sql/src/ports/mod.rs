//! One file per port.

mod bootstrap_repository;
mod catalogue_repository;
mod change_feed;
mod change_set_repository;
mod client_directory;
mod client_repository;
mod client_transaction;
mod credential_repository;
mod health_probe;
mod key_repository;
mod login_ledger;
mod reference_token_repository;
mod replay_guard;
mod token_repository;
