//! Empty databases, one for each test.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use adapter_mongodb::{MongoOptions, MongoStores};
use mongodb::bson::Document;
use mongodb::{Client, Collection, Database};

use crate::servers::{Deployment, in_a_thread, runtime};

/// A database that is gone when this is dropped.
pub(crate) struct Scratch {
    url: String,
    name: String,
}

impl Scratch {
    /// A database in which nothing was ever made.
    pub(crate) fn on(deployment: Deployment) -> Self {
        Self::at(deployment.url())
    }

    /// As `on`, on a server of one's own.
    pub(crate) fn at(url: &str) -> Self {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("tokenwright_test_{}_{random:x}", std::process::id());
        Self { url: url.to_owned(), name }
    }

    /// Options with much patience: the machine may be busy.
    pub(crate) fn options(&self) -> MongoOptions {
        MongoOptions {
            database: Some(self.name.clone()),
            timeout: Duration::from_secs(30),
            ..MongoOptions::new(self.url.clone().into())
        }
    }

    /// One more node that uses the database.
    pub(crate) async fn node(&self) -> MongoStores {
        MongoStores::new(&self.options()).await.unwrap()
    }

    /// As `node`, with a salt for the ids of clients.
    pub(crate) async fn salted(&self) -> MongoStores {
        let options = MongoOptions { client_id_salt: Some("pepper".into()), ..self.options() };
        MongoStores::new(&options).await.unwrap()
    }

    /// The database, behind the back of the stores.
    pub(crate) async fn database(&self) -> Database {
        Client::with_uri_str(&self.url).await.unwrap().database(&self.name)
    }

    pub(crate) async fn collection(&self, name: &str) -> Collection<Document> {
        self.database().await.collection(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The runtime of the test may be on its way out.
        let (url, name) = (self.url.clone(), self.name.clone());
        in_a_thread(move || {
            runtime().block_on(async {
                Client::with_uri_str(url).await.unwrap().database(&name).drop().await.unwrap();
            });
        });
    }
}

/// A store on a fresh database, and the database.
pub(crate) async fn stores(deployment: Deployment) -> (MongoStores, Scratch) {
    let scratch = Scratch::on(deployment);
    let stores = scratch.node().await;
    stores.prepare().await.unwrap();
    (stores, scratch)
}
