//! [`ClientDirectory`] on a collection.

use async_trait::async_trait;
use domain::port::{ClientDirectory, ClientPage, ClientQuery};
use domain::{Client, ClientId, Fault};
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};

use crate::MongoStores;
use crate::documents::ClientDocument;
use crate::stores::CLIENTS;

#[async_trait]
impl ClientDirectory for MongoStores {
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        // One more than asked for tells whether there is more.
        let limit = u32::try_from(query.limit).unwrap_or(u32::MAX).saturating_add(1);
        let find = async {
            let clients = self.collection::<ClientDocument>(CLIENTS).await?;
            let found = clients
                .find(filter(query))
                // The order of the index: that of bytes, since the collection has no collation.
                .sort(doc! { "_id": 1 })
                .limit(i64::from(limit))
                .await?;
            found.try_collect::<Vec<_>>().await
        };
        let mut documents = self.connection().in_time(find).await?;
        let has_more = query.limit < documents.len();
        documents.truncate(query.limit);
        let clients = documents.into_iter().map(Client::try_from).collect::<Result<_, _>>()?;
        Ok(ClientPage { clients, has_more })
    }
}

fn filter(query: &ClientQuery) -> Document {
    // Every id follows the empty text.
    let after = query.after.as_ref().map_or("", ClientId::as_str);
    let mut filter = doc! { "_id": { "$gt": after } };
    if let Some(search) = &query.search {
        // A literal, in which no character has a meaning. `$toLower` knows the letters of ASCII
        // only.
        let needle = doc! { "$literal": search.to_ascii_lowercase() };
        let holds = |field: &str| {
            let position = doc! { "$indexOfBytes": [{ "$toLower": field }, &needle] };
            doc! { "$gte": [position, 0] }
        };
        filter.insert("$expr", doc! { "$or": [holds("$_id"), holds("$name")] });
    }
    filter
}
