//! Documents, before they have been believed: what cannot be true is a `Fault` of kind `Corrupt`.
//!
//! Fields that this release does not know are passed over.

mod client;
mod credential;
mod revocation;
mod signing_keys;

pub(crate) use client::ClientDocument;
pub(crate) use credential::{CredentialDocument, CredentialKey, all_of};
pub(crate) use revocation::{RevokedClient, UsedAssertion};
pub(crate) use signing_keys::{SigningKeysDocument, to_json};
