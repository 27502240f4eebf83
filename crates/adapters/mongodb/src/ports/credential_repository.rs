//! [`CredentialRepository`] on a collection, which other programs may use too.

use async_trait::async_trait;
use domain::port::CredentialRepository;
use domain::{
    ClientId, Credential, EndingSecret, Fault, SecretHash, SecretId, SecretUse, Timestamp,
};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, deserialize_from_document, doc};
use mongodb::options::UpdateModifications;

use crate::MongoStores;
use crate::documents::{CredentialDocument, CredentialKey, all_of, is_ours};
use crate::moment::{EPOCH, kept_moment};

#[async_trait]
impl CredentialRepository for MongoStores {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        let key = self.client_keys().key(client);
        let find = async {
            let secrets = self.collection::<CredentialDocument>(self.credentials()).await?;
            let oldest_first = doc! { "created_at": 1, "sequence": 1 };
            secrets.find(all_of(&key)).sort(oldest_first).await?.try_collect::<Vec<_>>().await
        };
        let documents = self.connection().in_time(find).await?;
        documents.into_iter().map(Credential::try_from).collect()
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        let document = CredentialDocument::new(self.client_keys().key(client), credential);
        self.insert_new(self.credentials(), document).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        let mut with_old = self.one(client, secret);
        with_old.insert("hash", old.as_str());
        self.update_secret(with_old, doc! { "$set": { "hash": new.as_str() } }).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        // As an expression `$min` passes over what is missing; as an update it would keep a null.
        let end = doc! { "$min": ["$expires_at", kept_moment(at)] };
        let sooner = vec![doc! { "$set": { "expires_at": end } }];
        self.update_secret(self.one(client, secret), sooner).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        let remove = async {
            let secrets = self.collection::<Document>(self.credentials()).await?;
            secrets.delete_one(self.one(client, secret)).await
        };
        Ok(self.connection().in_time(remove).await?.deleted_count != 0)
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        let key = self.client_keys().key(client);
        let remove = async {
            let secrets = self.collection::<Document>(self.credentials()).await?;
            secrets.delete_many(all_of(&key)).await
        };
        self.connection().in_time(remove).await.map(drop)
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        let updates = uses.iter().map(|it| {
            doc! {
                "q": self.one(&it.client, &it.secret),
                "u": { "$max": { "last_used": kept_moment(it.at) } },
            }
        });
        self.update_each(self.credentials(), updates.collect()).await
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        let ends = doc! {
            // The first is that of the index: without it the index is not used.
            "expires_at": { "$gt": EPOCH, "$gte": kept_moment(from), "$lt": kept_moment(until) },
        };
        // A limit of zero would be none.
        if limit == 0 {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = async {
            let secrets = self.collection::<Document>(self.credentials()).await?;
            let first_first = doc! { "expires_at": 1 };
            secrets.find(ends).sort(first_first).limit(limit).await?.try_collect::<Vec<_>>().await
        };
        let documents = self.connection().in_time(find).await?;
        let secret = |document| {
            // The parser's own message may repeat a part of what it read.
            let document: CredentialDocument = deserialize_from_document(document)
                .map_err(|_| Fault::corrupt("a secret is not what this release writes"))?;
            let client = self.client_keys().client(document.client());
            Ok(EndingSecret { client, secret: document.try_into()? })
        };
        documents.into_iter().filter(is_ours).map(secret).collect()
    }
}

impl MongoStores {
    /// The document of one secret.
    fn one(&self, client: &ClientId, secret: &SecretId) -> Document {
        CredentialKey::new(self.client_keys().key(client), secret).filter()
    }

    /// Whether there was a document to update.
    async fn update_secret(
        &self,
        which: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<bool, Fault> {
        let update = update.into();
        let update = async {
            let secrets = self.collection::<Document>(self.credentials()).await?;
            secrets.update_one(which, update).await
        };
        Ok(self.connection().in_time(update).await?.matched_count != 0)
    }
}
