//! What the server looks up, and what it forgets.

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, full_credential, later, token_id};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository, InsertClientError, LoginLedger as _,
    ReferenceTokenRepository, ReplayGuard as _, TokenRepository as _,
};
use domain::{Client, Login, ReferenceToken, Revision, SecretHash, SecretUse, Timestamp};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::IndexOptions;
use testbed::mongodb::MongoServer;
use tokio::time::{Duration, sleep};

use crate::reference_tokens::{digest, reference_token};
use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

const FORGETTING: [(&str, &str); 4] = [
    ("tokenwright_reference_tokens", "expires_at"),
    ("tokenwright_revoked_clients", "until"),
    ("tokenwright_revoked_tokens", "until"),
    ("tokenwright_used_assertions", "until"),
];

#[tokio::test]
async fn nodes_that_prepare_at_once_do_not_meet() {
    for deployment in [Deployment::Standalone, Deployment::ReplicaSet] {
        let scratch = Scratch::on(deployment);

        let nodes = (0..8).map(async |_| scratch.node().await.prepare().await);
        for outcome in join_all(nodes).await {
            outcome.unwrap();
        }
        scratch.node().await.prepare().await.unwrap();

        for (collection, end) in FORGETTING {
            let all = scratch.collection(collection).await;
            let indexes: Vec<_> = all.list_indexes().await.unwrap().try_collect().await.unwrap();
            let [id, ending] = <[_; 2]>::try_from(indexes).unwrap();
            assert_eq!(id.keys, doc! { "_id": 1 });
            assert_eq!(ending.keys, doc! { end: 1 });
            assert_eq!(ending.options.unwrap().expire_after, Some(Duration::from_mins(15)));
        }
    }
}

#[tokio::test]
async fn an_index_that_is_not_ours_is_somebodys_to_look_at() {
    let scratch = Scratch::on(Deployment::Standalone);
    let all = scratch.collection("tokenwright_used_assertions").await;
    all.create_index(mongodb::IndexModel::builder().keys(doc! { "until": 1 }).build())
        .await
        .unwrap();

    let fault = scratch.node().await.prepare().await.unwrap_err();

    assert_eq!(fault.kind(), domain::FaultKind::Corrupt, "{}", fault.explained());
}

/// Taken is an id, and nothing else: what an index of an operator's allows only once may be free all
/// the same, and nobody has it under that id.
#[tokio::test]
async fn what_another_index_forbids_is_not_taken() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let id = client_id("a");
    let secrets: &dyn port::CredentialRepository = &node;
    ClientRepository::insert(&node, &client("a")).await.unwrap();
    assert!(secrets.insert(&id, &credential("s1")).await.unwrap());
    assert!(node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    // All of the samples have these in common.
    for (collection, field) in [
        ("tokenwright_clients", "state"),
        ("credentials", "created_at"),
        ("tokenwright_used_assertions", "until"),
    ] {
        let unique = IndexOptions::builder().unique(true).name("of the operator".to_owned());
        let keys = doc! { field: -1 };
        let index = mongodb::IndexModel::builder().keys(keys).options(unique.build()).build();
        scratch.collection(collection).await.create_index(index).await.unwrap();
    }

    let refused = ClientRepository::insert(&node, &client("b")).await.unwrap_err();
    let InsertClientError::Fault(of_client) = refused else { panic!("{refused:?}") };
    for fault in [
        of_client,
        secrets.insert(&id, &credential("s2")).await.unwrap_err(),
        node.burn(&id, &token_id("j2"), later(60), NOW).await.unwrap_err(),
    ] {
        assert_eq!(fault.kind(), domain::FaultKind::Corrupt, "{}", fault.explained());
        assert!(fault.explained().contains("of the operator"), "{}", fault.explained());
    }

    // And what is taken is, whatever else forbids it.
    let taken = ClientRepository::insert(&node, &client("a")).await.unwrap_err();
    assert!(matches!(taken, InsertClientError::AlreadyExists), "{taken:?}");
    assert!(!secrets.insert(&id, &credential("s1")).await.unwrap());
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
}

#[tokio::test]
async fn the_server_forgets_what_has_ended_but_not_at_once() {
    let server = MongoServer::start_with(&["--setParameter", "ttlMonitorSleepSecs=1"]).unwrap();
    let node = MongoStores::new(&MongoOptions::new(server.url().into())).await.unwrap();
    node.prepare().await.unwrap();
    let now = u64::try_from(DateTime::now().timestamp_millis()).unwrap();
    let now = Timestamp::from_unix_millis(now);
    let id = client_id("a");
    for (name, until) in [
        ("old", now.before(Duration::from_mins(16))),
        ("grace", now.before(Duration::from_mins(13))),
        ("young", later(60)),
        ("forever", Timestamp::from_unix_millis(u64::MAX)),
    ] {
        assert!(node.burn(&id, &token_id(name), until, now).await.unwrap());
        node.revoke(&token_id(name), until).await.unwrap();
        node.revoke_client(&client_id(name), NOW, until).await.unwrap();
        let token = ReferenceToken { expires_at: until, ..reference_token() };
        assert!(ReferenceTokenRepository::insert(&node, &digest(name), &token).await.unwrap());
    }

    let is_forgotten = async {
        while node.is_revoked(&token_id("old")).await.unwrap()
            || node.client_revoked_until(&client_id("old")).await.unwrap().is_some()
            || !node.burn(&id, &token_id("old"), later(60), now).await.unwrap()
            || ReferenceTokenRepository::find(&node, &digest("old")).await.unwrap().is_some()
        {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_forgotten).await.unwrap();

    for name in ["grace", "young", "forever"] {
        assert!(node.is_revoked(&token_id(name)).await.unwrap(), "{name}");
        assert!(!node.burn(&id, &token_id(name), later(60), now).await.unwrap(), "{name}");
        assert_eq!(node.client_revoked_until(&client_id(name)).await.unwrap(), Some(NOW));
        let found = ReferenceTokenRepository::find(&node, &digest(name)).await.unwrap();
        assert!(found.is_some(), "{name}");
    }
}

#[tokio::test]
async fn nothing_is_looked_for_without_an_index() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let id = client_id("c50");
    for n in 0..100 {
        let id = format!("c{n}");
        ClientRepository::insert(&node, &client(&id)).await.unwrap();
        let token = digest(&format!("r{n}"));
        ReferenceTokenRepository::insert(&node, &token, &reference_token()).await.unwrap();
        let id = client_id(&id);
        port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
    }
    let database = scratch.database().await;
    database.run_command(doc! { "profile": 2 }).await.unwrap();

    ClientRepository::find(&node, &id).await.unwrap();
    let renewed = Client { revision: Revision(2), ..client("c50") };
    node.update(&renewed, Revision::FIRST).await.unwrap();
    let page = ClientQuery { after: Some(id.clone()), limit: 3, search: None };
    node.page(&page).await.unwrap();
    node.page(&ClientQuery { after: None, ..page }).await.unwrap();
    node.record(&[Login { client: id.clone(), at: NOW }]).await.unwrap();
    use_the_secrets(&node).await;
    node.is_revoked(&token_id("t1")).await.unwrap();
    node.client_revoked_until(&id).await.unwrap();
    ReferenceTokenRepository::find(&node, &digest("r50")).await.unwrap();
    ReferenceTokenRepository::remove(&node, &digest("r50")).await.unwrap();
    ClientRepository::remove(&node, &id).await.unwrap();

    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let profile = database.collection::<Document>("system.profile");
    let looked = doc! { "planSummary": { "$exists": true } };
    let looked: Vec<_> = profile.find(looked).await.unwrap().try_collect().await.unwrap();
    assert!(15 <= looked.len(), "{looked:#?}");
    for look in looked {
        let plan = look.get_str("planSummary").unwrap();
        let indexed = ["IDHACK", "IXSCAN { _id: 1 }", "IXSCAN { expires_at: 1 }", "EOF"];
        assert!(indexed.contains(&plan), "{look:#?}");
        assert!(look.get_i32("docsExamined").unwrap_or(0) <= 4, "{look:#?}");
    }
}

async fn use_the_secrets(node: &MongoStores) {
    let (id, secret) = (client_id("c50"), credential("s1"));
    let secrets: &dyn port::CredentialRepository = node;
    secrets.list(&id).await.unwrap();
    secrets.rehash(&id, &secret.id, &secret.hash, &SecretHash::new("$x$")).await.unwrap();
    secrets.expire(&id, &secret.id, later(1)).await.unwrap();
    assert_eq!(secrets.ending(NOW, later(2), 9).await.unwrap().len(), 1);
    let used = SecretUse { client: id.clone(), secret: secret.id.clone(), at: NOW };
    secrets.record_uses(&[used]).await.unwrap();
    secrets.remove(&id, &secret.id).await.unwrap();
    secrets.insert(&id, &full_credential("s2")).await.unwrap();
    secrets.remove_all(&id).await.unwrap();
}
