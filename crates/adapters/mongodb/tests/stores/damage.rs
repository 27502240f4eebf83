//! Whoever changed the database by hand is told, and nothing half-read is believed.

use contract::sample::{NOW, client, client_id, credential, full_client, later};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository as _, KeyRepository as _,
    TokenRepository as _,
};
use domain::{ClientSettings, Fault, FaultKind, TokenDigest};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

fn before_all_time() -> DateTime {
    DateTime::from_millis(-1)
}

#[tokio::test]
async fn a_client_that_cannot_be_true_is_corrupt() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    for (field, value) in [
        ("state", Bson::from("SLEEPING")),
        ("authentication", "none".into()),
        ("name", "".into()),
        ("name", 7.into()),
        ("name", vec!["hunter2"].into()),
        ("keys", "[{\"kty\":\"oct\"}]".into()),
        ("keys", "null".into()),
        ("keys", Bson::Null),
        ("capabilities", "[\"fly\"]".into()),
        ("permissions", "[7]".into()),
        ("permissions", vec!["a"].into()),
        ("audience", "{".into()),
        ("scope", "a  b".into()),
        ("allowed_custom_claims", "[\"iss\"]".into()),
        ("settings", "[]".into()),
        ("settings", "{\"access_token_format\":\"hunter2\"}".into()),
        ("settings", Bson::Null),
        ("metadata", "[]".into()),
        ("metadata", "{\"a\":1,\"a\":2}".into()),
        ("metadata", doc! { "a": 1 }.into()),
        ("informative", "{\"tos_uri\":7}".into()),
        ("created_at", before_all_time().into()),
        ("created_at", "hunter2".into()),
        ("updated_at", 7_i64.into()),
        ("last_login", before_all_time().into()),
        ("last_login", "hunter2".into()),
        ("revision", (-1_i64).into()),
        ("revision", "1".into()),
    ] {
        let id = client_id("billing");
        node.insert(&client("billing")).await.unwrap();
        set(&scratch, "tokenwright_clients", field, value).await;

        assert_corrupt(node.find(&id).await, field);
        assert_corrupt(node.page(&everybody(None)).await, field);
        assert!(node.remove(&id).await.unwrap());
    }
}

#[tokio::test]
async fn a_client_without_a_field_is_corrupt() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    for field in ["name", "state", "keys", "scope", "informative", "created_at", "revision"] {
        node.insert(&client("billing")).await.unwrap();
        let all = scratch.collection("tokenwright_clients").await;
        all.update_one(doc! {}, doc! { "$unset": { field: "" } }).await.unwrap();

        assert_corrupt(node.find(&client_id("billing")).await, field);
        assert!(node.remove(&client_id("billing")).await.unwrap());
    }
}

/// An earlier release knew no settings, and may still write beside us.
#[tokio::test]
async fn a_client_without_settings_leaves_everything_to_the_service() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&full_client("billing")).await.unwrap();
    let all = scratch.collection("tokenwright_clients").await;
    all.update_one(doc! {}, doc! { "$unset": { "settings": "" } }).await.unwrap();

    let found = node.find(&client_id("billing")).await.unwrap().unwrap();

    assert_eq!(found.settings, ClientSettings::default());
}

#[tokio::test]
async fn a_setting_that_cannot_be_true_is_named() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&client("billing")).await.unwrap();
    let damage = "{\"access_token_lifetime\":-1,\"x\":\"hunter2\"}";
    set(&scratch, "tokenwright_clients", "settings", damage.into()).await;

    let outcome = node.find(&client_id("billing")).await;

    let said = outcome.as_ref().unwrap_err().explained();
    assert!(said.contains("settings: access_token_lifetime"), "{said}");
    assert_corrupt(outcome, "settings");
}

#[tokio::test]
async fn a_client_whose_id_is_none_is_corrupt_in_a_list() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&client("billing")).await.unwrap();
    let all = scratch.collection("tokenwright_clients").await;
    let mut copy = all.find_one(doc! {}).await.unwrap().unwrap();
    copy.insert("_id", "with space");
    all.insert_one(copy).await.unwrap();

    assert_corrupt(node.page(&everybody(None)).await, "_id");
}

#[tokio::test]
async fn a_search_meets_damage_like_a_list() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&client("billing")).await.unwrap();
    set(&scratch, "tokenwright_clients", "name", vec!["hunter2"].into()).await;

    assert_corrupt(node.page(&everybody(Some("x"))).await, "name");
}

#[tokio::test]
async fn damage_stays_where_it_is() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&client("bad")).await.unwrap();
    set(&scratch, "tokenwright_clients", "state", "SLEEPING".into()).await;
    node.insert(&client("good")).await.unwrap();

    assert_eq!(node.find(&client_id("good")).await.unwrap(), Some(client("good")));
}

#[tokio::test]
async fn a_secret_that_cannot_be_true_is_corrupt() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    for (field, value) in [
        ("hash", Bson::from(7)),
        ("hash", Bson::Null),
        ("selector", 65_536.into()),
        ("selector", (-1).into()),
        ("selector", "hunter2".into()),
        ("name", "".into()),
        ("name", 7.into()),
        ("created_at", before_all_time().into()),
        ("created_at", "hunter2".into()),
        ("expires_at", before_all_time().into()),
        ("expires_at", 7_i64.into()),
        ("last_used", before_all_time().into()),
        ("last_used", "hunter2".into()),
    ] {
        let id = client_id("billing");
        port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
        set(&scratch, "credentials", field, value).await;

        assert_corrupt(port::CredentialRepository::list(&node, &id).await, field);
        port::CredentialRepository::remove_all(&node, &id).await.unwrap();
    }
}

#[tokio::test]
async fn keys_that_cannot_be_true_are_corrupt() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.store(0, &[]).await.unwrap();
    for (field, value) in [
        ("keys", Bson::from("[{}]")),
        ("keys", "hunter2".into()),
        ("keys", 7.into()),
        ("revision", (-1_i64).into()),
        ("revision", "hunter2".into()),
    ] {
        let all = scratch.collection("tokenwright_signing_keys").await;
        let before = all.find_one(doc! {}).await.unwrap().unwrap();
        set(&scratch, "tokenwright_signing_keys", field, value).await;

        assert_corrupt(node.load().await, field);
        all.replace_one(doc! {}, before).await.unwrap();
    }
    assert_eq!(node.load().await.unwrap().revision, 1);
}

/// What is not understood whole may be what forbids something.
#[tokio::test]
async fn a_catalogue_that_cannot_be_true_is_corrupt() {
    const COLLECTION: &str = "tokenwright_catalogue";
    let (node, scratch) = stores(Deployment::Standalone).await;
    let catalogue = domain::Catalogue::default();
    port::CatalogueRepository::store(&node, 0, &catalogue).await.unwrap();
    let all = scratch.collection(COLLECTION).await;
    let before = all.find_one(doc! {}).await.unwrap().unwrap();
    for (field, value) in [
        ("document", Bson::from("{}")),
        ("document", r#"{"capabilities":[],"scopes":[],"resources":[],"forbids":1}"#.into()),
        ("document", "hunter2".into()),
        ("document", 7.into()),
        ("revision", (-1_i64).into()),
    ] {
        set(&scratch, COLLECTION, field, value).await;

        assert_corrupt(port::CatalogueRepository::load(&node).await, field);
        all.replace_one(doc! {}, before.clone()).await.unwrap();
    }
    let kept = port::CatalogueRepository::load(&node).await.unwrap();
    assert_eq!((kept.revision, kept.catalogue), (1, catalogue));
}

#[tokio::test]
async fn revocations_and_digests_that_cannot_be_true_are_corrupt() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let id = client_id("billing");
    node.revoke_client(&id, NOW, later(60)).await.unwrap();
    port::BootstrapRepository::claim(&node, &TokenDigest([7; 32])).await.unwrap();

    for value in [before_all_time().into(), Bson::from("hunter2"), Bson::Null] {
        set(&scratch, "tokenwright_revoked_clients", "issued_until", value).await;
        assert_corrupt(node.client_revoked_until(&id).await, "issued_until");
    }
    let short = Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 31] };
    for value in [short.into(), Bson::from("hunter2"), Bson::Null] {
        set(&scratch, "tokenwright_bootstrap", "digest", value).await;
        assert_corrupt(port::BootstrapRepository::find(&node).await, "digest");
    }
}

/// Of a later release, which runs beside this one for a while.
#[tokio::test]
async fn fields_that_nobody_knows_are_passed_over() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let id = client_id("billing");
    crate::both::write_one_of_each(&node).await;
    for collection in [
        "tokenwright_clients",
        "tokenwright_revoked_clients",
        "tokenwright_signing_keys",
        "tokenwright_bootstrap",
        "credentials",
    ] {
        set(&scratch, collection, "of_tomorrow", doc! { "a": [1, "b"] }.into()).await;
    }

    assert_eq!(node.find(&id).await.unwrap(), Some(client("billing")));
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [credential("s1")]);
    assert_eq!(node.client_revoked_until(&id).await.unwrap(), Some(NOW));
    assert_eq!(node.load().await.unwrap().keys.len(), 1);
    let digest = port::BootstrapRepository::find(&node).await.unwrap();
    assert_eq!(digest, Some(TokenDigest([7; 32])));
}

pub(crate) async fn set(scratch: &Scratch, collection: &str, field: &str, value: Bson) {
    let all = scratch.collection(collection).await;
    let changed = all.update_one(Document::new(), doc! { "$set": { field: value } }).await.unwrap();
    assert_eq!(changed.modified_count, 1, "{collection} {field}");
}

fn everybody(search: Option<&str>) -> ClientQuery {
    ClientQuery { after: None, limit: 10, search: search.map(str::to_owned) }
}

pub(crate) fn assert_corrupt<T>(outcome: Result<T, Fault>, what: &str) {
    let fault = outcome.err().unwrap_or_else(|| panic!("{what} is believed"));
    assert_eq!(fault.kind(), FaultKind::Corrupt, "{what}: {}", fault.explained());
    assert!(!fault.explained().contains("hunter2"), "{what}: {}", fault.explained());
}
