//! The collection of secrets belongs to others, too.

use contract::sample::{NOW, client_id, credential, full_credential, later, secret_id};
use domain::port::CredentialRepository as _;
use domain::{SecretHash, SecretUse};
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

fn kept(seconds: u64) -> DateTime {
    DateTime::from_millis(i64::try_from(later(seconds).as_unix_millis()).unwrap())
}

/// Documents as other programs make them, and some that look as much like ours as they can.
fn foreign() -> Vec<Document> {
    vec![
        doc! { "_id": ObjectId::new(), "clientId": "$2b$10$x", "clientSecret": "$2b$10$y" },
        doc! { "_id": ObjectId::new(), "clientId": "$2b$10$x", "clientSecret": "$2b$10$y" },
        doc! { "_id": ObjectId::new(), "client": "billing", "secret": "s1", "hash": "$x$" },
        doc! { "_id": ObjectId::new() },
        doc! { "_id": "billing", "hash": 7 },
        doc! { "_id": { "client": "billing" } },
        doc! { "_id": { "secret": "s1", "client": "billing" }, "hash": "$x$" },
        doc! { "_id": 7, "created_at": "yesterday" },
        doc! { "_id": { "secret": "s1", "client": "a" }, "expires_at": kept(1) },
        doc! { "_id": ObjectId::new(), "expires_at": kept(1), "hash": "$x$" },
    ]
}

#[tokio::test]
async fn documents_of_other_programs_are_no_obstacle_and_stay_as_they_are() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let all = scratch.collection("credentials").await;
    all.insert_many(foreign()).await.unwrap();
    let id = client_id("billing");

    assert_eq!(node.list(&id).await.unwrap(), []);
    assert!(node.insert(&id, &full_credential("s1")).await.unwrap());
    assert!(!node.insert(&id, &credential("s1")).await.unwrap());
    node.prepare().await.unwrap();
    assert_eq!(node.list(&id).await.unwrap(), [full_credential("s1")]);
    let (old, new) = (full_credential("s1").hash, SecretHash::new("$new$"));
    assert!(node.rehash(&id, &secret_id("s1"), &old, &new).await.unwrap());
    assert!(node.expire(&id, &secret_id("s1"), later(1)).await.unwrap());
    let ending = node.ending(NOW, later(2), 9).await.unwrap();
    assert_eq!(ending.len(), 1);
    assert_eq!(ending[0].client, Some(id.clone()));
    let used = SecretUse { client: id.clone(), secret: secret_id("s1"), at: later(9) };
    node.record_uses(&[used]).await.unwrap();
    assert!(node.remove(&id, &secret_id("s1")).await.unwrap());
    node.insert(&id, &credential("s2")).await.unwrap();
    node.remove_all(&id).await.unwrap();

    assert_eq!(everything(&scratch, "credentials").await, foreign_of(&foreign(), &scratch).await);
}

#[tokio::test]
async fn a_client_has_none_of_the_secrets_of_those_whose_ids_begin_like_its_own() {
    let (node, _scratch) = stores(Deployment::Standalone).await;
    for id in ["a", "ab", "b", "A", "a\u{7e}"] {
        assert!(node.insert(&client_id(id), &credential("s")).await.unwrap());
    }

    node.remove_all(&client_id("a")).await.unwrap();

    for (id, expected) in [("a", 0), ("ab", 1), ("b", 1), ("A", 1), ("a\u{7e}", 1)] {
        assert_eq!(node.list(&client_id(id)).await.unwrap().len(), expected, "{id}");
    }
}

#[tokio::test]
async fn with_a_salt_the_collection_shows_no_id_of_a_client() {
    let scratch = Scratch::on(Deployment::Standalone);
    let node = scratch.salted().await;
    let id = client_id("a-client-that-nobody-shall-know");
    node.insert(&id, &full_credential("s1")).await.unwrap();
    let used = SecretUse { client: id.clone(), secret: secret_id("s1"), at: later(9) };
    node.record_uses(&[used]).await.unwrap();

    let shown = format!("{:?}", everything(&scratch, "credentials").await);

    assert!(!shown.contains("a-client-that"), "{shown}");
    assert_eq!(node.list(&id).await.unwrap().len(), 1);
    assert_eq!(scratch.node().await.list(&id).await.unwrap(), []);
    assert_eq!(scratch.salted().await.list(&id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_collection_is_the_one_that_is_named() {
    let scratch = Scratch::on(Deployment::Standalone);
    let options = adapter_mongodb::MongoOptions {
        credentials_collection: "client-secrets".to_owned(),
        ..scratch.options()
    };
    let node = adapter_mongodb::MongoStores::new(&options).await.unwrap();

    node.insert(&client_id("billing"), &credential("s1")).await.unwrap();

    assert_eq!(everything(&scratch, "client-secrets").await.len(), 1);
    assert_eq!(everything(&scratch, "credentials").await.len(), 0);
}

async fn everything(scratch: &Scratch, collection: &str) -> Vec<Document> {
    let all = scratch.collection(collection).await;
    all.find(doc! {}).sort(doc! { "$natural": 1 }).await.unwrap().try_collect().await.unwrap()
}

/// The foreign documents with the ids they were given.
async fn foreign_of(documents: &[Document], scratch: &Scratch) -> Vec<Document> {
    let kept = everything(scratch, "credentials").await;
    let with_id = |(document, kept): (&Document, &Document)| {
        let mut document = document.clone();
        if matches!(document.get("_id"), Some(Bson::ObjectId(_))) {
            document.insert("_id", kept.get("_id").unwrap().clone());
        }
        document
    };
    documents.iter().zip(&kept).map(with_id).collect()
}
