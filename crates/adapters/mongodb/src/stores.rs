//! Every storage port, over one database.

use std::fmt;
use std::sync::Arc;

use domain::Fault;
use mongodb::Collection;
use mongodb::error::Error;
use serde::Serialize;

use crate::client_key::ClientKeys;
use crate::connection::Connection;
use crate::fault::is_taken;
use crate::{InvalidMongoUrl, MongoOptions};

/// The collections that are ours alone. The database may be shared with other programs.
pub(crate) const CLIENTS: &str = "tokenwright_clients";
pub(crate) const CHANGE_SETS: &str = "tokenwright_change_sets";
pub(crate) const REVOKED_TOKENS: &str = "tokenwright_revoked_tokens";
pub(crate) const REVOKED_CLIENTS: &str = "tokenwright_revoked_clients";
pub(crate) const USED_ASSERTIONS: &str = "tokenwright_used_assertions";
pub(crate) const REFERENCE_TOKENS: &str = "tokenwright_reference_tokens";
pub(crate) const SIGNING_KEYS: &str = "tokenwright_signing_keys";
pub(crate) const CATALOGUE: &str = "tokenwright_catalogue";
pub(crate) const BOOTSTRAP: &str = "tokenwright_bootstrap";

/// Every storage port, in one MongoDB database. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct MongoStores {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    credentials: String,
    client_keys: ClientKeys,
}

impl MongoStores {
    /// Prepares to connect: the server need not be up.
    ///
    /// The names in a `mongodb+srv` URL are looked up here; where nobody answers, whoever uses the
    /// stores tries again.
    ///
    /// # Errors
    ///
    /// [`InvalidMongoUrl`], also where a file that the URL names cannot be used.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, which looks after the connections.
    pub async fn new(options: &MongoOptions) -> Result<Self, InvalidMongoUrl> {
        let inner = Inner {
            connection: Connection::new(options).await?,
            credentials: options.credentials_collection.clone(),
            client_keys: ClientKeys::new(options.client_id_salt.as_ref()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Closes the connections, those in use as well.
    pub async fn close(&self) {
        self.inner.connection.close().await;
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// How clients are called in the collection of secrets.
    pub(crate) fn client_keys(&self) -> &ClientKeys {
        &self.inner.client_keys
    }

    /// What the collection of secrets is called.
    pub(crate) fn credentials(&self) -> &str {
        &self.inner.credentials
    }

    pub(crate) async fn collection<T: Send + Sync>(
        &self,
        name: &str,
    ) -> Result<Collection<T>, Error> {
        Ok(self.connection().database().await?.collection(name))
    }

    /// Keeps a document whose `_id` is new. `false`, and nothing is changed, if it is taken.
    ///
    /// On a replica set the driver sends an insert again if its answer was lost, and the servers
    /// know it again by its number: so its own document is never what it finds to be in the way.
    /// A single server has no such numbers, and there nothing is sent again.
    pub(crate) async fn insert_new<T>(&self, collection: &str, document: T) -> Result<bool, Fault>
    where
        T: Serialize + Send + Sync,
    {
        let insert = async {
            match self.collection::<T>(collection).await?.insert_one(document).await {
                Ok(_) => Ok(true),
                Err(error) if is_taken(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.connection().in_time(insert).await
    }
}

impl fmt::Debug for MongoStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the connection: it knows a password.
        f.debug_struct("MongoStores")
            .field("credentials", &self.inner.credentials)
            .finish_non_exhaustive()
    }
}
