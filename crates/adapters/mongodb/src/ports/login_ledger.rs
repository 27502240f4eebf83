//! [`LoginLedger`] on a collection.

use async_trait::async_trait;
use domain::port::LoginLedger;
use domain::{Fault, Login};
use mongodb::bson::doc;

use crate::MongoStores;
use crate::moment::kept_moment;
use crate::stores::CLIENTS;

#[async_trait]
impl LoginLedger for MongoStores {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        let updates = logins.iter().map(|it| {
            doc! {
                "q": { "_id": it.client.as_str() },
                "u": { "$max": { "last_login": kept_moment(it.at) } },
            }
        });
        self.update_each(CLIENTS, updates.collect()).await
    }
}
