//! How old entries go.

use std::time::Duration;

use domain::Fault;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

use crate::MongoStores;
use crate::stores::{REVOKED_CLIENTS, REVOKED_TOKENS, USED_ASSERTIONS};

/// How long an entry that protects us is kept beyond its end, so that a server whose clock is
/// ahead of ours by less does not undo a revocation or let a replay in (threat T45).
const GRACE: Duration = Duration::from_mins(15);

impl MongoStores {
    /// Lets the server forget used assertions and revocations that have ended. Any number of nodes
    /// may do so at once; where nothing is to be done, nothing is changed.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; `Corrupt` if an index of ours was replaced by another.
    pub async fn prepare(&self) -> Result<(), Fault> {
        for collection in [USED_ASSERTIONS, REVOKED_TOKENS, REVOKED_CLIENTS] {
            let forgetting = IndexModel::builder()
                .keys(doc! { "until": 1 })
                .options(IndexOptions::builder().expire_after(GRACE).build())
                .build();
            let create = async {
                self.collection::<Document>(collection).await?.create_index(forgetting).await
            };
            self.connection().in_time(create).await?;
        }
        Ok(())
    }
}
