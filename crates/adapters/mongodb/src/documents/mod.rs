//! Documents, before they have been believed: what cannot be true is a `Fault` of kind `Corrupt`.
//!
//! Fields that this release does not know are passed over.

mod catalogue;
mod change_set;
mod client;
mod credential;
pub(crate) mod digest;
mod json;
mod reference_token;
mod revocation;
mod signing_keys;

pub(crate) use catalogue::CatalogueDocument;
pub(crate) use change_set::ChangeSetDocument;
pub(crate) use client::ClientDocument;
pub(crate) use credential::{CredentialDocument, CredentialKey, all_of, is_ours};
pub(crate) use json::object;
pub(crate) use reference_token::ReferenceTokenDocument;
pub(crate) use revocation::{RevokedClient, UsedAssertion};
pub(crate) use signing_keys::{SigningKeysDocument, to_json};
