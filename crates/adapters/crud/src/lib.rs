//! Clients behind a CRUD service: documents of a collection, over HTTP.
//!
//! [`CrudClients`] implements the ports of clients on a collection of the vendor's crud-service or
//! of one like it. The collection belongs to whoever runs that service: it may lack fields that we
//! would like to keep, and others may change its documents. So only what differs from its default
//! is sent; fields that we can do without are left out where the collection does not know them; and
//! whatever comes back is parsed into domain values or is a fault.
//!
//! # What a collection without our fields cannot do
//!
//! - Without `revision` the moment of the last write (`updatedAt`) stands for it, in milliseconds:
//!   of two updates within one millisecond the later may win over the earlier, the revision that an
//!   update announces is not the one that is read afterwards, and every write counts as a change.
//! - Without `clientIdIssuedAt` and `clientUpdatedAt` the service's own `createdAt` and `updatedAt`
//!   are shown.
//! - Without `lastLogin` logins are not written down.
//! - Whoever changes a document past us does not move our `revision` nor our `clientUpdatedAt`.
//! - The original keeps numbers as JavaScript does: integers beyond 2^53 in `metadata` are rounded
//!   there.

mod clients;
mod collection;
mod document;
mod mishap;
mod moment;
mod options;
mod ports;
mod schema;

pub use clients::{CrudClients, InvalidCrudOptions};
pub use options::{CrudOptions, PassedOn};
