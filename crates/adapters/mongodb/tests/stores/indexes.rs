//! What the server looks up, and what it forgets.

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, full_credential, later, token_id};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository as _, LoginLedger as _,
    ReplayGuard as _, TokenRepository as _,
};
use domain::{Client, Login, Revision, SecretHash, SecretUse, Timestamp};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use mongodb::bson::{DateTime, Document, doc};
use testbed::mongodb::MongoServer;
use tokio::time::{Duration, sleep};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

const FORGETTING: [&str; 3] =
    ["tokenwright_revoked_clients", "tokenwright_revoked_tokens", "tokenwright_used_assertions"];

#[tokio::test]
async fn nodes_that_prepare_at_once_do_not_meet() {
    for deployment in [Deployment::Standalone, Deployment::ReplicaSet] {
        let scratch = Scratch::on(deployment);

        let nodes = (0..8).map(async |_| scratch.node().await.prepare().await);
        for outcome in join_all(nodes).await {
            outcome.unwrap();
        }
        scratch.node().await.prepare().await.unwrap();

        for collection in FORGETTING {
            let all = scratch.collection(collection).await;
            let indexes: Vec<_> = all.list_indexes().await.unwrap().try_collect().await.unwrap();
            let [id, until] = <[_; 2]>::try_from(indexes).unwrap();
            assert_eq!(id.keys, doc! { "_id": 1 });
            assert_eq!(until.keys, doc! { "until": 1 });
            assert_eq!(until.options.unwrap().expire_after, Some(Duration::from_mins(15)));
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
    }

    let is_forgotten = async {
        while node.is_revoked(&token_id("old")).await.unwrap()
            || node.client_revoked_until(&client_id("old")).await.unwrap().is_some()
            || !node.burn(&id, &token_id("old"), later(60), now).await.unwrap()
        {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_forgotten).await.unwrap();

    for name in ["grace", "young", "forever"] {
        assert!(node.is_revoked(&token_id(name)).await.unwrap(), "{name}");
        assert!(!node.burn(&id, &token_id(name), later(60), now).await.unwrap(), "{name}");
        assert_eq!(node.client_revoked_until(&client_id(name)).await.unwrap(), Some(NOW));
    }
}

#[tokio::test]
async fn nothing_is_looked_for_without_an_index() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    let id = client_id("c50");
    for n in 0..100 {
        let id = format!("c{n}");
        node.insert(&client(&id)).await.unwrap();
        let id = client_id(&id);
        port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
    }
    let database = scratch.database().await;
    database.run_command(doc! { "profile": 2 }).await.unwrap();

    node.find(&id).await.unwrap();
    let renewed = Client { revision: Revision(2), ..client("c50") };
    node.update(&renewed, Revision::FIRST).await.unwrap();
    let page = ClientQuery { after: Some(id.clone()), limit: 3, search: None };
    node.page(&page).await.unwrap();
    node.page(&ClientQuery { after: None, ..page }).await.unwrap();
    node.record(&[Login { client: id.clone(), at: NOW }]).await.unwrap();
    use_the_secrets(&node).await;
    node.is_revoked(&token_id("t1")).await.unwrap();
    node.client_revoked_until(&id).await.unwrap();
    node.remove(&id).await.unwrap();

    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let profile = database.collection::<Document>("system.profile");
    let looked = doc! { "planSummary": { "$exists": true } };
    let looked: Vec<_> = profile.find(looked).await.unwrap().try_collect().await.unwrap();
    assert!(13 <= looked.len(), "{looked:#?}");
    for look in looked {
        let plan = look.get_str("planSummary").unwrap();
        assert!(["IDHACK", "IXSCAN { _id: 1 }", "EOF"].contains(&plan), "{look:#?}");
        assert!(look.get_i32("docsExamined").unwrap_or(0) <= 4, "{look:#?}");
    }
}

async fn use_the_secrets(node: &MongoStores) {
    let (id, secret) = (client_id("c50"), credential("s1"));
    let secrets: &dyn port::CredentialRepository = node;
    secrets.list(&id).await.unwrap();
    secrets.rehash(&id, &secret.id, &secret.hash, &SecretHash::new("$x$")).await.unwrap();
    secrets.expire(&id, &secret.id, later(1)).await.unwrap();
    let used = SecretUse { client: id.clone(), secret: secret.id.clone(), at: NOW };
    secrets.record_uses(&[used]).await.unwrap();
    secrets.remove(&id, &secret.id).await.unwrap();
    secrets.insert(&id, &full_credential("s2")).await.unwrap();
    secrets.remove_all(&id).await.unwrap();
}
