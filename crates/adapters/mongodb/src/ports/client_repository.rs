//! [`ClientRepository`] on a collection.

use async_trait::async_trait;
use domain::port::{ClientRepository, InsertClientError, UpdateClientError};
use domain::{Client, ClientId, Fault, Revision};
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::ClientDocument;
use crate::moment::kept;
use crate::stores::CLIENTS;

#[async_trait]
impl ClientRepository for MongoStores {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        let find = async {
            let clients = self.collection::<ClientDocument>(CLIENTS).await?;
            clients.find_one(doc! { "_id": id.as_str() }).await
        };
        self.connection().in_time(find).await?.map(Client::try_from).transpose()
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        if !self.insert_new(CLIENTS, ClientDocument::from(client)).await? {
            return Err(InsertClientError::AlreadyExists);
        }
        Ok(())
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let id = client.id.as_str();
        let fields = ClientDocument::from(client).replaced_fields()?;
        // Both within the time of one call.
        let update = async {
            let clients = self.collection::<Document>(CLIENTS).await?;
            let expected = doc! { "_id": id, "revision": kept(expected.0) };
            let updated = clients.update_one(expected, doc! { "$set": fields }).await?;
            if updated.matched_count != 0 {
                return Ok(Ok(()));
            }
            Ok(match clients.find_one(doc! { "_id": id }).await? {
                None => Err(UpdateClientError::Unknown),
                Some(_) => Err(UpdateClientError::Conflict),
            })
        };
        self.connection().in_time(update).await?
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        let remove = async {
            let clients = self.collection::<Document>(CLIENTS).await?;
            clients.delete_one(doc! { "_id": id.as_str() }).await
        };
        Ok(self.connection().in_time(remove).await?.deleted_count != 0)
    }
}
