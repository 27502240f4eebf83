//! [`TokenRepository`] on two collections.

use async_trait::async_trait;
use domain::port::TokenRepository;
use domain::{ClientId, Fault, Timestamp, TokenId};
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::RevokedClient;
use crate::fault::is_taken;
use crate::moment::kept_moment;
use crate::stores::{REVOKED_CLIENTS, REVOKED_TOKENS};

#[async_trait]
impl TokenRepository for MongoStores {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        self.raise(REVOKED_TOKENS, id.as_str(), doc! { "until": kept_moment(until) }).await
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        let find = async {
            let revoked = self.collection::<Document>(REVOKED_TOKENS).await?;
            revoked.find_one(doc! { "_id": id.as_str() }).await
        };
        Ok(self.connection().in_time(find).await?.is_some())
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let moments =
            doc! { "issued_until": kept_moment(issued_until), "until": kept_moment(until) };
        self.raise(REVOKED_CLIENTS, client.as_str(), moments).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        let find = async {
            let revoked = self.collection::<RevokedClient>(REVOKED_CLIENTS).await?;
            revoked.find_one(doc! { "_id": client.as_str() }).await
        };
        self.connection().in_time(find).await?.map(Timestamp::try_from).transpose()
    }
}

impl MongoStores {
    /// Makes each moment of a document later, never earlier, and makes the document if there is
    /// none.
    async fn raise(&self, collection: &str, id: &str, moments: Document) -> Result<(), Fault> {
        let raise = async {
            let revoked = self.collection::<Document>(collection).await?;
            let raise = || {
                revoked
                    .update_one(doc! { "_id": id }, doc! { "$max": moments.clone() })
                    .upsert(true)
            };
            match raise().await {
                // Somebody else made it between the look and the leap; now it is there.
                Err(error) if is_taken(&error) => raise().await,
                outcome => outcome,
            }
        };
        self.connection().in_time(raise).await.map(drop)
    }
}
