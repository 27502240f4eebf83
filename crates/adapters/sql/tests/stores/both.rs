//! What is not in any port, and holds for both databases.

use std::collections::HashSet;

use adapter_sql::{Engine, Stores};
use contract::sample::{
    NOW, client, client_id, credential, later, metadata, parsed, secret_id, token_id,
};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository as _, HealthProbe as _,
    KeyRepository as _, LoginLedger as _, ReplayGuard as _, TokenRepository as _,
};
use domain::{
    Client, Fault, FaultKind, KeyState, Login, PrivateKeyPem, ReferenceToken, Revision, SecretUse,
    SigningAlgorithm, SigningKey, TokenDigest,
};
use futures_util::future::join_all;

use crate::scratch::{Scratch, on_both, stores};

on_both! {
    everything_survives_a_restart,
    nodes_see_each_others_writes,
    of_two_nodes_one_burns,
    a_row_that_cannot_be_true_is_corrupt,
    a_catalogue_that_cannot_be_true_is_corrupt,
    a_setting_that_cannot_be_true_is_named,
    a_reference_token_that_cannot_be_true_is_corrupt,
    a_client_that_nobody_asks_for_harms_nobody,
    nodes_that_write_down_the_same_do_not_lock_each_other_out,
    a_check_of_a_database_that_works_says_so,
    a_closed_store_is_unavailable,
    does_not_betray_anything_in_a_debug_log,
}

/// One of each kind.
async fn everything_survives_a_restart<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let id = client_id("billing");
    node.insert(&client("billing")).await.unwrap();
    port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
    node.revoke(&token_id("t1"), later(60)).await.unwrap();
    node.revoke_client(&id, NOW, later(60)).await.unwrap();
    assert!(node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    node.store(0, &[signing_key()]).await.unwrap();
    port::BootstrapRepository::claim(&node, &TokenDigest([7; 32])).await.unwrap();
    let (digest, reference) = reference_token();
    port::ReferenceTokenRepository::insert(&node, &digest, &reference).await.unwrap();
    node.close().await;

    let node = scratch.node().await;

    assert_eq!(client_of(&node, "billing").await, Some(client("billing")));
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [credential("s1")]);
    assert!(node.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(node.client_revoked_until(&id).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    assert_eq!(node.load().await.unwrap().revision, 1);
    assert!(!port::BootstrapRepository::claim(&node, &TokenDigest([8; 32])).await.unwrap());
    let found = port::ReferenceTokenRepository::find(&node, &digest).await.unwrap();
    assert_eq!(found, Some(reference));
}

/// Two processes share one database.
async fn nodes_see_each_others_writes<S: Scratch>() {
    let (one, scratch) = stores::<S>().await;
    let other = scratch.node().await;

    for revision in 1..20 {
        let renewed = Client { revision: Revision(revision), ..client("billing") };
        match revision {
            1 => one.insert(&renewed).await.unwrap(),
            even if even % 2 == 0 => one.update(&renewed, Revision(even - 1)).await.unwrap(),
            odd => other.update(&renewed, Revision(odd - 1)).await.unwrap(),
        }
        assert_eq!(client_of(&one, "billing").await, Some(renewed.clone()));
        assert_eq!(client_of(&other, "billing").await, Some(renewed));
    }
}

/// The promise holds between processes too.
async fn of_two_nodes_one_burns<S: Scratch>() {
    let (one, scratch) = stores::<S>().await;
    let other = scratch.node().await;

    let burns = (0..32).map(async |n| {
        let node = if n % 2 == 0 { &one } else { &other };
        node.burn(&client_id("a"), &token_id("j1"), later(60), NOW).await.unwrap()
    });

    assert_eq!(join_all(burns).await.into_iter().filter(|is_first| *is_first).count(), 1);
}

/// Whoever changed the database by hand is told, and no half-read client gets a token.
async fn a_row_that_cannot_be_true_is_corrupt<S: Scratch>() {
    for damage in [
        "update clients set state = 'SLEEPING'",
        "update clients set authentication = 'none'",
        "update clients set id = 'with space'",
        "update clients set name = ''",
        "update clients set keys = '[{\"kty\":\"oct\"}]'",
        "update clients set keys = 'null'",
        "update clients set capabilities = '[\"fly\"]'",
        "update clients set permissions = '[7]'",
        "update clients set audience = '{'",
        "update clients set scope = 'a  b'",
        "update clients set allowed_custom_claims = '[\"iss\"]'",
        "update clients set settings = ''",
        "update clients set settings = '[]'",
        "update clients set settings = '{\"default_scope\":\"a  b\"}'",
        "update clients set metadata = '[]'",
        "update clients set metadata = '{\"a\":1,\"a\":2}'",
        "update clients set informative = '{\"tos_uri\":7}'",
        "update clients set created_at = -1",
        "update clients set revision = -1",
    ] {
        let (node, scratch) = stores::<S>().await;
        node.insert(&client("billing")).await.unwrap();
        scratch.execute(damage).await;

        let page = ClientQuery { after: None, limit: 10, search: None };

        assert_corrupt(node.page(&page).await, damage);
        if !damage.contains("set id") {
            assert_corrupt(node.find(&client_id("billing")).await, damage);
        }
    }
    let (node, scratch) = stores::<S>().await;
    let id = client_id("billing");
    port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
    port::BootstrapRepository::claim(&node, &TokenDigest([7; 32])).await.unwrap();
    scratch.execute("update credentials set selector = 65536").await;
    scratch.execute("update signing_keys set keys = '[{}]'").await;
    scratch.execute("update bootstrap set digest = substr(digest, 2)").await;

    assert_corrupt(port::CredentialRepository::list(&node, &id).await, "credentials");
    assert_corrupt(node.load().await, "signing keys");
    assert_corrupt(port::BootstrapRepository::find(&node).await, "bootstrap");
    scratch.execute("delete from signing_keys").await;
    assert_corrupt(node.load().await, "no signing keys");
}

/// What is not understood whole may be what forbids something.
async fn a_catalogue_that_cannot_be_true_is_corrupt<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    port::CatalogueRepository::store(&node, 0, &domain::Catalogue::default()).await.unwrap();
    for damage in [
        "update catalogue set document = ''",
        "update catalogue set document = '[]'",
        "update catalogue set document = '{\"capabilities\":[],\"scopes\":[]}'",
        "update catalogue set document = replace(document, ']}', '],\"forbids\":1}')",
        "update catalogue set revision = -1",
        "delete from catalogue",
    ] {
        scratch.execute(damage).await;
        assert_corrupt(port::CatalogueRepository::load(&node).await, damage);
    }
}

/// So that whoever looks knows where to look.
async fn a_setting_that_cannot_be_true_is_named<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    node.insert(&client("billing")).await.unwrap();
    for (kept, named) in [
        (r#"{"access_token_lifetime":-1,"x":"hunter2"}"#, "settings: access_token_lifetime"),
        (r#"{"access_token_format":"hunter2"}"#, "settings: access_token_format"),
        ("hunter2", "settings: "),
    ] {
        scratch.execute(&format!("update clients set settings = '{kept}'")).await;

        let fault = node.find(&client_id("billing")).await.unwrap_err();

        assert_eq!(fault.kind(), FaultKind::Corrupt);
        assert!(fault.explained().contains(named), "{}", fault.explained());
        assert!(!fault.explained().contains("hunter2"), "{}", fault.explained());
    }
}

/// Nobody gets in with half a token.
async fn a_reference_token_that_cannot_be_true_is_corrupt<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let (digest, token) = reference_token();
    for damage in [
        "update reference_tokens set client = ''",
        "update reference_tokens set expires_at = -1",
        "update reference_tokens set claims = ''",
        "update reference_tokens set claims = 'null'",
        "update reference_tokens set claims = '{\"sub\":\"a\",\"sub\":\"b\"}'",
    ] {
        port::ReferenceTokenRepository::insert(&node, &digest, &token).await.unwrap();
        scratch.execute(damage).await;

        let found = port::ReferenceTokenRepository::find(&node, &digest).await;

        assert_corrupt(found, damage);
        assert!(port::ReferenceTokenRepository::remove(&node, &digest).await.unwrap());
    }
}

/// Damage stays where it is.
async fn a_client_that_nobody_asks_for_harms_nobody<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    node.insert(&client("good")).await.unwrap();
    node.insert(&client("bad")).await.unwrap();
    scratch.execute("update clients set state = 'SLEEPING' where id = 'bad'").await;

    assert_eq!(client_of(&node, "good").await, Some(client("good")));
}

/// Two nodes flush thousands of notes, in opposite order.
async fn nodes_that_write_down_the_same_do_not_lock_each_other_out<S: Scratch>() {
    let (one, scratch) = stores::<S>().await;
    let other = scratch.node().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1500)
        insert into clients select 'c' || n, 'c', 'PUBLIC', 'client_secret_basic', '[]', '[]',
            '[]', '[]', '', '[]', null, '{}', 1, 1, null, 1, '{}' from n;
        with recursive n (n) as (select 1 union all select n + 1 from n where n < 1500)
        insert into credentials (client_id, id, hash, created_at) select 'c' || n, 's', '$x', 1
            from n";
    scratch.execute(many).await;
    let login = |n: u64| Login { client: client_id(&format!("c{n}")), at: later(n) };
    let secret_use =
        |it: &Login| SecretUse { client: it.client.clone(), secret: secret_id("s"), at: it.at };
    let forth: Vec<Login> = (1..=1500).map(login).collect();
    let back: Vec<Login> = (1..=1500).rev().map(login).collect();
    let uses_forth: Vec<SecretUse> = forth.iter().map(secret_use).collect();
    let uses_back: Vec<SecretUse> = back.iter().map(secret_use).collect();

    for outcome in join_all([one.record(&forth), other.record(&back), one.record(&back)]).await {
        outcome.unwrap();
    }
    for outcome in join_all([
        port::CredentialRepository::record_uses(&one, &uses_forth),
        port::CredentialRepository::record_uses(&other, &uses_back),
    ])
    .await
    {
        outcome.unwrap();
    }

    let seen: HashSet<_> = forth.iter().map(|login| login.at).collect();
    assert_eq!(seen.len(), 1500);
    for n in [1, 700, 1500] {
        let id = format!("c{n}");
        assert_eq!(client_of(&one, &id).await.unwrap().last_login, Some(later(n)));
        let secrets = port::CredentialRepository::list(&one, &client_id(&id)).await.unwrap();
        assert_eq!(secrets.first().unwrap().last_used, Some(later(n)));
    }
}

/// Every minute, or more often.
async fn a_check_of_a_database_that_works_says_so<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;

    node.check().await.unwrap();

    assert_eq!(node.name(), S::Engine::NAME);
}

/// At shutdown.
async fn a_closed_store_is_unavailable<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;
    node.close().await;

    assert_eq!(node.check().await.unwrap_err().kind(), FaultKind::Unavailable);
    let found = port::CredentialRepository::list(&node, &client_id("billing")).await;
    assert_eq!(found.unwrap_err().kind(), FaultKind::Unavailable);
}

/// A pool knows a password.
async fn does_not_betray_anything_in_a_debug_log<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;

    assert_eq!(format!("{node:?}"), format!("Stores {{ database: {:?}, .. }}", S::Engine::NAME));
}

async fn client_of<E: Engine>(node: &Stores<E>, id: &str) -> Option<Client> {
    node.find(&client_id(id)).await.unwrap()
}

fn assert_corrupt<T>(outcome: Result<T, Fault>, what: &str) {
    assert_eq!(outcome.err().map(|fault| fault.kind()), Some(FaultKind::Corrupt), "{what}");
}

fn reference_token() -> (TokenDigest, ReferenceToken) {
    let (client, claims) = (client_id("billing"), metadata());
    let token = ReferenceToken { client, expires_at: later(60), claims: claims.into() };
    (TokenDigest([9; 32]), token)
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
