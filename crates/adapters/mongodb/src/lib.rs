//! The ports on MongoDB.
//!
//! [`MongoStores`] implements every storage port, on a single server or a replica set, and on a
//! replica set the feed of changes as well. A write is one command, and changes one document, so
//! there is no half of it to leave behind; where it changes many (the notes of last use, and the
//! removal of all secrets of a client), to do it again is to go on.
//!
//! Whatever must be unique is the `_id` of its document. That index is always there: nothing that
//! the ports promise depends on [`MongoStores::prepare`], which only makes old entries go.

mod batch;
mod client_key;
mod connection;
mod documents;
mod fault;
mod moment;
mod options;
mod ports;
mod prepare;
mod stores;

pub use options::{InvalidMongoUrl, MongoOptions};
pub use stores::MongoStores;
