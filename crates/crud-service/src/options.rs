//! What a service needs to know.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::Definition;

/// What differs between the versions of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A duplicate is 422.
    V6,
    /// A duplicate is 409.
    V7,
}

/// What a service needs to know.
#[derive(Clone)]
pub struct Options {
    /// Where MongoDB is. It may hold a password: it is never shown.
    pub mongodb_url: String,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// What the collection holds.
    pub definition: Definition,
    /// Which version it is like.
    pub dialect: Dialect,
    /// The header that says who asks.
    pub user_header: String,
    /// Where the collection is, below the root.
    pub path: String,
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on; 0 stands for a free one.
    pub port: u16,
    /// Whether the documents are forgotten when the service ends.
    pub is_scratch: bool,
    /// How many requests are remembered for tests.
    pub memory: usize,
}

impl Options {
    /// The options of a test: a free port of this machine, and nothing is kept.
    #[must_use]
    pub fn scratch(mongodb_url: &str, collection: &str, definition: Definition) -> Self {
        Self {
            mongodb_url: mongodb_url.to_owned(),
            database: "tokenwright_test_crud".to_owned(),
            collection: collection.to_owned(),
            definition,
            dialect: Dialect::V7,
            user_header: "miauserid".to_owned(),
            path: "/clients".to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            is_scratch: true,
            memory: 10_000,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("collection", &self.collection)
            .field("dialect", &self.dialect)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
