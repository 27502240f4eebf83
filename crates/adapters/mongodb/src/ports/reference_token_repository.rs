//! [`ReferenceTokenRepository`] on a collection.

use async_trait::async_trait;
use domain::port::ReferenceTokenRepository;
use domain::{Fault, ReferenceToken, TokenDigest};
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::{ReferenceTokenDocument, digest::kept};
use crate::stores::REFERENCE_TOKENS;

#[async_trait]
impl ReferenceTokenRepository for MongoStores {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        self.insert_new(REFERENCE_TOKENS, ReferenceTokenDocument::new(digest, token)).await
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        let find = async {
            let tokens = self.collection::<ReferenceTokenDocument>(REFERENCE_TOKENS).await?;
            tokens.find_one(doc! { "_id": kept(digest) }).await
        };
        self.connection().in_time(find).await?.map(ReferenceToken::try_from).transpose()
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        let remove = async {
            let tokens = self.collection::<Document>(REFERENCE_TOKENS).await?;
            tokens.delete_one(doc! { "_id": kept(digest) }).await
        };
        Ok(self.connection().in_time(remove).await?.deleted_count != 0)
    }
}
