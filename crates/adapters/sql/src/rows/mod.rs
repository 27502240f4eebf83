//! Rows, before they have been believed: what cannot be true is a `Fault` of kind `Corrupt`.

mod client;
pub(crate) mod credential;
pub(crate) mod signing_keys;

pub(crate) use client::{ClientRow, select_clients};
pub(crate) use credential::CredentialRow;
pub(crate) use signing_keys::SigningKeysRow;
