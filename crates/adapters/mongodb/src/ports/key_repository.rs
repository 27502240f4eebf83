//! [`KeyRepository`] on one document.

use async_trait::async_trait;
use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeySet, SigningKey};
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::{SigningKeysDocument, to_json};
use crate::moment::kept;
use crate::stores::SIGNING_KEYS;

#[async_trait]
impl KeyRepository for MongoStores {
    async fn load(&self) -> Result<KeySet, Fault> {
        let find = async {
            let keys = self.collection::<SigningKeysDocument>(SIGNING_KEYS).await?;
            keys.find_one(doc! { "_id": SigningKeysDocument::ID }).await
        };
        let kept = self.connection().in_time(find).await?;
        kept.map_or_else(|| Ok(KeySet::default()), KeySet::try_from)
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let keys = to_json(keys)?;
        let is_stored = match expected {
            0 => self.insert_new(SIGNING_KEYS, SigningKeysDocument::new(1, keys)).await?,
            expected => self.replace_keys(expected, keys).await?,
        };
        if !is_stored {
            return Err(StoreKeysError::Conflict);
        }
        Ok(())
    }
}

impl MongoStores {
    async fn replace_keys(&self, expected: u64, keys: String) -> Result<bool, Fault> {
        let replace = async {
            let all = self.collection::<Document>(SIGNING_KEYS).await?;
            let expected = doc! { "_id": SigningKeysDocument::ID, "revision": kept(expected) };
            let renewed = doc! { "$set": { "keys": keys }, "$inc": { "revision": 1_i64 } };
            all.update_one(expected, renewed).await
        };
        Ok(self.connection().in_time(replace).await?.matched_count != 0)
    }
}
