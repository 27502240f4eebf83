//! The indexes: how old entries go, and how what is left to be done is found.

use std::time::Duration;

use domain::Fault;
use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

use crate::MongoStores;
use crate::moment::EPOCH;
use crate::stores::{
    CHANGE_SETS, REFERENCE_TOKENS, REVOKED_CLIENTS, REVOKED_TOKENS, USED_ASSERTIONS,
};

/// How long an entry is kept beyond its end, so that a server whose clock is ahead of ours by less
/// does not undo a revocation, let a replay in (threat T45), or end a token before its time.
const GRACE: Duration = Duration::from_mins(15);

/// The collections of tokens whose documents end, and the field that says when.
const TOKENS: [(&str, &str); 3] =
    [(REVOKED_TOKENS, "until"), (REVOKED_CLIENTS, "until"), (REFERENCE_TOKENS, "expires_at")];
/// The same of used assertions.
const REPLAY: [(&str, &str); 1] = [(USED_ASSERTIONS, "until")];

impl MongoStores {
    /// Lets the server forget used assertions, revocations and reference tokens that have ended. Any
    /// number of nodes may do so at once; where nothing is to be done, nothing is changed.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; `Corrupt` if an index of ours was replaced by another, or if the user may not
    /// make indexes.
    pub async fn prepare(&self) -> Result<(), Fault> {
        self.prepare_tokens().await?;
        self.prepare_replay().await?;
        self.prepare_credentials().await?;
        self.prepare_change_sets().await
    }

    /// As [`MongoStores::prepare`], for change sets alone: those of which something is left to be
    /// done are found without looking at all of them.
    ///
    /// # Errors
    ///
    /// As [`MongoStores::prepare`].
    pub async fn prepare_change_sets(&self) -> Result<(), Fault> {
        let unsettled = IndexModel::builder()
            .keys(doc! { "is_settled": 1 })
            .options(
                IndexOptions::builder()
                    .partial_filter_expression(doc! { "is_settled": false })
                    .build(),
            )
            .build();
        let create =
            async { self.collection::<Document>(CHANGE_SETS).await?.create_index(unsettled).await };
        self.connection().in_time(create).await.map(drop)
    }

    /// As [`MongoStores::prepare`], for revocations and reference tokens alone.
    ///
    /// # Errors
    ///
    /// As [`MongoStores::prepare`].
    pub async fn prepare_tokens(&self) -> Result<(), Fault> {
        self.forgetting(&TOKENS).await
    }

    /// As [`MongoStores::prepare`], for used assertions alone.
    ///
    /// # Errors
    ///
    /// As [`MongoStores::prepare`].
    pub async fn prepare_replay(&self) -> Result<(), Fault> {
        self.forgetting(&REPLAY).await
    }

    /// Lets secrets be found by their end. The collection may be shared: whoever may not make an
    /// index there does without, and reads all of it.
    ///
    /// # Errors
    ///
    /// As [`MongoStores::prepare`].
    pub async fn prepare_credentials(&self) -> Result<(), Fault> {
        // Most secrets never end, and take no room in it.
        let ending = IndexModel::builder()
            .keys(doc! { "expires_at": 1 })
            .options(
                IndexOptions::builder()
                    .name("tokenwright_expires_at".to_owned())
                    .partial_filter_expression(doc! { "expires_at": { "$gt": EPOCH } })
                    .build(),
            )
            .build();
        let create = async {
            self.collection::<Document>(self.credentials()).await?.create_index(ending).await
        };
        self.connection().in_time(create).await.map(drop)
    }

    async fn forgetting(&self, ending: &[(&str, &str)]) -> Result<(), Fault> {
        for (collection, end) in ending {
            let forgetting = IndexModel::builder()
                .keys(doc! { *end: 1 })
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
