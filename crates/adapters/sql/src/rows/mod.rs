//! Rows, before they have been believed: what cannot be true is a `Fault` of kind `Corrupt`.

mod catalogue;
mod change_set;
mod client;
pub(crate) mod credential;
mod json;
mod reference_token;
pub(crate) mod signing_keys;

pub(crate) use catalogue::CatalogueRow;
pub(crate) use change_set::ChangeSetRow;
pub(crate) use client::{ClientRow, select_clients};
pub(crate) use credential::{CredentialRow, EndingRow};
pub(crate) use json::object;
pub(crate) use reference_token::ReferenceTokenRow;
pub(crate) use signing_keys::SigningKeysRow;
