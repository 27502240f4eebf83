//! [`CatalogueRepository`] on one document.

use async_trait::async_trait;
use domain::port::{CatalogueRepository, StoreCatalogueError};
use domain::{Catalogue, CatalogueEdition, Fault};
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::{CatalogueDocument, object};
use crate::moment::kept;
use crate::stores::CATALOGUE;

#[async_trait]
impl CatalogueRepository for MongoStores {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        let find = async {
            let catalogue = self.collection::<CatalogueDocument>(CATALOGUE).await?;
            catalogue.find_one(doc! { "_id": CatalogueDocument::ID }).await
        };
        let kept = self.connection().in_time(find).await?;
        kept.map_or_else(|| Ok(CatalogueEdition::default()), CatalogueEdition::try_from)
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        let document = object(&catalogue.to_json());
        let is_stored = match expected {
            0 => self.insert_new(CATALOGUE, CatalogueDocument::new(1, document)).await?,
            expected => self.replace_catalogue(expected, document).await?,
        };
        if !is_stored {
            return Err(StoreCatalogueError::Conflict);
        }
        Ok(())
    }
}

impl MongoStores {
    async fn replace_catalogue(&self, expected: u64, document: String) -> Result<bool, Fault> {
        let replace = async {
            let all = self.collection::<Document>(CATALOGUE).await?;
            let expected = doc! { "_id": CatalogueDocument::ID, "revision": kept(expected) };
            let renewed = doc! { "$set": { "document": document }, "$inc": { "revision": 1_i64 } };
            all.update_one(expected, renewed).await
        };
        Ok(self.connection().in_time(replace).await?.matched_count != 0)
    }
}
