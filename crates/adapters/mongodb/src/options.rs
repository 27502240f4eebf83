//! How to use a MongoDB database.

use std::time::Duration;

use secrecy::SecretString;

/// How to use a MongoDB database.
#[derive(Clone, Debug)]
pub struct MongoOptions {
    /// Where it is: `mongodb://user:password@host:port/database?parameter=value`, or
    /// `mongodb+srv://`. What it says about time limits and the pool wins over the values here.
    /// What it says about read and write concerns and the read preference does not count: the
    /// promises of the ports depend on them.
    pub url: SecretString,
    /// The database. By default the one that the URL names, and `tokenwright` if it names none.
    pub database: Option<String>,
    /// The collection of the secrets' hashes, which another program may use as well.
    pub credentials_collection: String,
    /// With a salt, secrets are kept under an HMAC of the client's id, and no id is in their
    /// collection. Another salt finds none of them.
    pub client_id_salt: Option<SecretString>,
    /// How long a call may take before it fails as `Unavailable`.
    pub timeout: Duration,
    /// The most connections to hold to one server. Whoever follows the feed of changes uses one.
    pub max_connections: u32,
}

impl MongoOptions {
    /// The database at `url`, with plain client ids, at most 32 connections, and 5 seconds for a
    /// call.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            database: None,
            credentials_collection: "credentials".to_owned(),
            client_id_salt: None,
            timeout: Duration::from_secs(5),
            max_connections: 32,
        }
    }
}

/// The text is no URL of a MongoDB database. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable URL of the form mongodb://user:password@host:port/database?parameter=value")]
pub struct InvalidMongoUrl;
