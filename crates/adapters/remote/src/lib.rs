//! Keys that clients publish (`jwks_uri`), fetched from wherever a client says.
//!
//! Whoever registers a client chooses where this process goes (threat T27). So it goes to public
//! addresses alone, unless the operator lists others ([`Networks`]); what a name resolves to is
//! judged by the very resolver that the connection uses, so that a name cannot lead elsewhere a
//! moment later; it follows no redirect, uses no proxy, sends nothing of ours, unpacks nothing, and
//! reads 64 KiB within one deadline, and no more. A host has few of the places for fetches, so that one
//! that is slow holds up itself.

mod cache_control;
mod guard;
mod mishap;
mod places;
mod published_keys;
mod resolver;
mod slow_hosts;

pub use guard::Networks;
pub use published_keys::{FetchOptions, InvalidFetchOptions, PublishedKeysFetcher};
