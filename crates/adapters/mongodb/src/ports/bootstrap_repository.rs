//! [`BootstrapRepository`] on one document.

use async_trait::async_trait;
use domain::port::BootstrapRepository;
use domain::{Fault, TokenDigest};
use mongodb::bson::{Binary, Document, doc};
use serde::{Deserialize, Serialize};

use crate::MongoStores;
use crate::documents::digest::{believed, kept};
use crate::stores::BOOTSTRAP;

/// The `_id` of the one document.
const ID: &str = "bootstrap";

/// The one document of `tokenwright_bootstrap`.
#[derive(Serialize, Deserialize)]
struct BootstrapDocument {
    #[serde(rename = "_id")]
    id: String,
    digest: Binary,
}

#[async_trait]
impl BootstrapRepository for MongoStores {
    async fn find(&self) -> Result<Option<TokenDigest>, Fault> {
        let find = async {
            let bootstrap = self.collection::<BootstrapDocument>(BOOTSTRAP).await?;
            bootstrap.find_one(doc! { "_id": ID }).await
        };
        self.connection().in_time(find).await?.map(|it| believed(it.digest)).transpose()
    }

    async fn claim(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        let document = BootstrapDocument { id: ID.to_owned(), digest: kept(digest) };
        self.insert_new(BOOTSTRAP, document).await
    }

    async fn replace(&self, digest: &TokenDigest) -> Result<(), Fault> {
        let replace = async {
            let bootstrap = self.collection::<Document>(BOOTSTRAP).await?;
            let renewed = doc! { "$set": { "digest": kept(digest) } };
            bootstrap.update_one(doc! { "_id": ID }, renewed).upsert(true).await
        };
        self.connection().in_time(replace).await.map(drop)
    }
}
