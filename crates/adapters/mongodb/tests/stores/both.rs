//! What is not in any port, and holds on a single server and on a replica set.

use adapter_mongodb::{InvalidMongoUrl, MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, later, parsed, secret_id, token_id};
use domain::port::{
    self, ClientRepository as _, HealthProbe as _, KeyRepository as _, LoginLedger as _,
    ReplayGuard as _, TokenRepository as _,
};
use domain::{
    Client, Credential, FaultKind, KeyState, Login, PrivateKeyPem, Revision, SecretUse,
    SigningAlgorithm, SigningKey, TokenDigest,
};
use futures_util::future::join_all;
use mongodb::bson::{Bson, doc};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod standalone {
            $(#[tokio::test]
            async fn $case() { super::$case(crate::servers::Deployment::Standalone).await; })+
        }
        mod replica_set {
            $(#[tokio::test]
            async fn $case() { super::$case(crate::servers::Deployment::ReplicaSet).await; })+
        }
    };
}

on_both! {
    everything_works_before_anybody_prepared,
    everything_survives_a_restart,
    nodes_see_each_others_writes,
    of_two_nodes_one_burns,
    what_has_ended_is_burned_until_it_is_forgotten,
    of_secrets_of_one_moment_the_first_comes_first,
    a_null_where_a_secret_never_ends_is_no_obstacle,
    nodes_that_write_down_the_same_do_not_meet,
    a_check_of_a_database_that_works_says_so,
    a_closed_store_is_unavailable,
    a_url_cannot_weaken_what_is_promised,
}

/// What is unique is so by itself.
async fn everything_works_before_anybody_prepared(deployment: Deployment) {
    let scratch = Scratch::on(deployment);
    let node = scratch.node().await;

    node.insert(&client("billing")).await.unwrap();
    node.insert(&client("billing")).await.unwrap_err();
    for is_first in [true, false] {
        let id = client_id("billing");
        assert_eq!(node.burn(&id, &token_id("j"), later(1), NOW).await.unwrap(), is_first);
        let inserted = port::CredentialRepository::insert(&node, &id, &credential("s")).await;
        assert_eq!(inserted.unwrap(), is_first);
    }
}

/// One of each kind.
async fn everything_survives_a_restart(deployment: Deployment) {
    let (node, scratch) = stores(deployment).await;
    let id = client_id("billing");
    write_one_of_each(&node).await;
    node.close().await;

    let node = scratch.node().await;

    assert_eq!(node.find(&id).await.unwrap(), Some(client("billing")));
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [credential("s1")]);
    assert!(node.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(node.client_revoked_until(&id).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    assert_eq!(node.load().await.unwrap().revision, 1);
    assert!(!port::BootstrapRepository::claim(&node, &TokenDigest([8; 32])).await.unwrap());
}

pub(crate) async fn write_one_of_each(node: &MongoStores) {
    let id = client_id("billing");
    node.insert(&client("billing")).await.unwrap();
    port::CredentialRepository::insert(node, &id, &credential("s1")).await.unwrap();
    node.revoke(&token_id("t1"), later(60)).await.unwrap();
    node.revoke_client(&id, NOW, later(60)).await.unwrap();
    assert!(node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    node.store(0, &[signing_key()]).await.unwrap();
    port::BootstrapRepository::claim(node, &TokenDigest([7; 32])).await.unwrap();
}

/// Two processes share one database.
async fn nodes_see_each_others_writes(deployment: Deployment) {
    let (one, scratch) = stores(deployment).await;
    let other = scratch.node().await;

    for revision in 1..10 {
        let renewed = Client { revision: Revision(revision), ..client("billing") };
        match revision {
            1 => one.insert(&renewed).await.unwrap(),
            even if even % 2 == 0 => one.update(&renewed, Revision(even - 1)).await.unwrap(),
            odd => other.update(&renewed, Revision(odd - 1)).await.unwrap(),
        }
        assert_eq!(one.find(&renewed.id).await.unwrap().as_ref(), Some(&renewed));
        assert_eq!(other.find(&renewed.id).await.unwrap(), Some(renewed));
    }
}

/// The promise holds between processes too.
async fn of_two_nodes_one_burns(deployment: Deployment) {
    let (one, scratch) = stores(deployment).await;
    let other = scratch.node().await;

    let burns = (0..32).map(async |n| {
        let node = if n % 2 == 0 { &one } else { &other };
        node.burn(&client_id("a"), &token_id("j1"), later(60), NOW).await.unwrap()
    });

    assert_eq!(join_all(burns).await.into_iter().filter(|is_first| *is_first).count(), 1);
}

/// Whatever a clock says, and be it wrong.
async fn what_has_ended_is_burned_until_it_is_forgotten(deployment: Deployment) {
    let (node, _scratch) = stores(deployment).await;
    let (client, id) = (client_id("a"), token_id("j1"));

    assert!(node.burn(&client, &id, later(60), NOW).await.unwrap());

    assert!(!node.burn(&client, &id, later(120), later(61)).await.unwrap());
    assert!(!node.burn(&client, &id, later(9_999), later(9_000)).await.unwrap());
}

/// As many as a client may have, and more; by any name.
async fn of_secrets_of_one_moment_the_first_comes_first(deployment: Deployment) {
    let (node, scratch) = stores(deployment).await;
    let other = scratch.node().await;
    let id = client_id("billing");
    let names = ["z", "a", "m", "b", "y", "c"];

    for (turn, name) in names.iter().enumerate() {
        let node = if turn % 2 == 0 { &node } else { &other };
        port::CredentialRepository::insert(node, &id, &credential(name)).await.unwrap();
    }

    let listed = port::CredentialRepository::list(&node, &id).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|secret| secret.id.as_str()).collect();
    assert_eq!(listed, names);
}

/// Other programs write one, or somebody does by hand.
async fn a_null_where_a_secret_never_ends_is_no_obstacle(deployment: Deployment) {
    let (node, scratch) = stores(deployment).await;
    let (id, secret) = (client_id("billing"), credential("s1"));
    port::CredentialRepository::insert(&node, &id, &secret).await.unwrap();
    let nulls = doc! {
        "expires_at": Bson::Null, "last_used": Bson::Null,
    };
    let all = scratch.collection("credentials").await;
    all.update_many(doc! {}, doc! { "$set": nulls }).await.unwrap();

    let secret_use = SecretUse { client: id.clone(), secret: secret.id.clone(), at: later(3) };
    port::CredentialRepository::record_uses(&node, &[secret_use]).await.unwrap();
    port::CredentialRepository::expire(&node, &id, &secret.id, later(9)).await.unwrap();

    let ended = Credential { expires_at: Some(later(9)), last_used: Some(later(3)), ..secret };
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [ended]);
}

/// Two nodes flush thousands of notes, in opposite order.
async fn nodes_that_write_down_the_same_do_not_meet(deployment: Deployment) {
    let (one, scratch) = stores(deployment).await;
    let other = scratch.node().await;
    for id in ["c1", "c2500"] {
        one.insert(&client(id)).await.unwrap();
        let id = client_id(id);
        port::CredentialRepository::insert(&one, &id, &credential("s")).await.unwrap();
    }
    let login = |n: u64| Login { client: client_id(&format!("c{n}")), at: later(n) };
    let secret_use =
        |it: &Login| SecretUse { client: it.client.clone(), secret: secret_id("s"), at: it.at };
    let forth: Vec<Login> = (1..=2500).map(login).collect();
    let back: Vec<Login> = (1..=2500).rev().map(login).collect();
    let uses: Vec<SecretUse> = back.iter().map(secret_use).collect();

    for outcome in join_all([one.record(&forth), other.record(&back)]).await {
        outcome.unwrap();
    }
    port::CredentialRepository::record_uses(&one, &uses).await.unwrap();

    for n in [1, 2500] {
        let id = client_id(&format!("c{n}"));
        assert_eq!(one.find(&id).await.unwrap().unwrap().last_login, Some(later(n)));
        let secrets = port::CredentialRepository::list(&one, &id).await.unwrap();
        assert_eq!(secrets.first().unwrap().last_used, Some(later(n)));
    }
    let clients = scratch.collection("tokenwright_clients").await;
    assert_eq!(clients.count_documents(doc! {}).await.unwrap(), 2);
}

/// Every minute, or more often; also where nothing was ever written.
async fn a_check_of_a_database_that_works_says_so(deployment: Deployment) {
    let scratch = Scratch::on(deployment);
    let node = scratch.node().await;

    node.check().await.unwrap();

    assert_eq!(node.name(), "mongodb");
}

/// At shutdown.
async fn a_closed_store_is_unavailable(deployment: Deployment) {
    let (node, _scratch) = stores(deployment).await;
    node.close().await;
    node.close().await;

    assert_eq!(node.check().await.unwrap_err().kind(), FaultKind::Unavailable);
    let found = port::CredentialRepository::list(&node, &client_id("billing")).await;
    assert_eq!(found.unwrap_err().kind(), FaultKind::Unavailable);
}

/// `w=0` would have nobody wait for an answer; a secondary knows less than was acknowledged.
async fn a_url_cannot_weaken_what_is_promised(deployment: Deployment) {
    let (_, scratch) = stores(deployment).await;
    let weak = format!(
        "{}&w=0&journal=false&readConcernLevel=local&readPreference=secondaryPreferred",
        deployment.url()
    );
    let options = MongoOptions { url: weak.into(), ..scratch.options() };
    let node = MongoStores::new(&options).await.unwrap();

    write_one_of_each(&node).await;

    assert!(!node.burn(&client_id("billing"), &token_id("j1"), later(60), NOW).await.unwrap());
    node.insert(&client("billing")).await.unwrap_err();
}

/// A URL names a database, or nobody does.
#[tokio::test]
async fn the_database_is_the_one_that_is_named() {
    let scratch = Scratch::on(Deployment::Standalone);
    let name = scratch.options().database.unwrap();
    let url = Deployment::Standalone.url().replace("/?", &format!("/{name}?"));
    let named = MongoStores::new(&MongoOptions::new(url.into())).await.unwrap();

    named.insert(&client("billing")).await.unwrap();

    let node = scratch.node().await;
    assert!(node.find(&client_id("billing")).await.unwrap().is_some());
    assert_eq!(format!("{named:?}"), "MongoStores { credentials: \"credentials\", .. }");
}

#[tokio::test]
async fn a_text_that_is_no_url_is_refused_and_not_repeated() {
    for raw in [
        "",
        "hunter2",
        "postgres://u:hunter2@h/d",
        "mongodb://u:hunter2@h:port/d",
        "mongodb://u:hunter2@h/d?connectTimeoutMS=hunter2",
        "mongodb://u:hunter2@h/?tls=true&tlsCAFile=/hunter2",
    ] {
        let refused = MongoStores::new(&MongoOptions::new(raw.into())).await.unwrap_err();

        assert_eq!(refused, InvalidMongoUrl);
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
}

/// The salt is a secret as well.
#[tokio::test]
async fn does_not_betray_anything_in_a_debug_log() {
    // Nobody listens; and somebody who knows no such user.
    let nobody = "mongodb://u:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=200".to_owned();
    let stranger = Deployment::Standalone.url().replace("://", "://u:hunter2@");
    for (url, reason) in [(nobody, "refused"), (stranger, "failure")] {
        let options = MongoOptions {
            client_id_salt: Some("hunter2".into()),
            ..MongoOptions::new(url.into())
        };
        let node = MongoStores::new(&options).await.unwrap();

        let fault = node.check().await.unwrap_err();

        let said = format!("{options:?} {node:?} {fault:?} {}", fault.explained());
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

fn signing_key() -> SigningKey {
    SigningKey {
        id: parsed("k1"),
        algorithm: SigningAlgorithm::Es256,
        state: KeyState::Active,
        private_key: PrivateKeyPem::new("pem".to_owned()),
        created_at: NOW,
        retired_at: None,
    }
}
