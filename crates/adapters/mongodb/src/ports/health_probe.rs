//! [`HealthProbe`] of a database.

use async_trait::async_trait;
use domain::Fault;
use domain::port::HealthProbe;
use mongodb::bson::{Bson, Document, doc};

use crate::MongoStores;

#[async_trait]
impl HealthProbe for MongoStores {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    // Not a mere ping, which every member answers, whoever asks: to find nothing here takes a
    // primary, a majority's snapshot, and the right to read.
    async fn check(&self) -> Result<(), Fault> {
        let look = async {
            let secrets = self.collection::<Document>(self.credentials()).await?;
            secrets.find_one(doc! { "_id": Bson::MinKey }).await
        };
        self.connection().in_time(look).await.map(drop)
    }
}
