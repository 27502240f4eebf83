//! What is not in any port, and holds for both databases.

use std::collections::HashSet;

use adapter_sql::{Engine, MigrationError, Stores};
use contract::sample::{NOW, client, client_id, credential, later, parsed, secret_id, token_id};
use domain::port::{
    self, ClientDirectory as _, ClientQuery, ClientRepository as _, HealthProbe as _,
    KeyRepository as _, LoginLedger as _, ReplayGuard as _, TokenRepository as _,
};
use domain::{
    Client, Fault, FaultKind, KeyState, Login, PrivateKeyPem, Revision, SecretUse,
    SigningAlgorithm, SigningKey, TokenDigest,
};
use futures_util::future::join_all;

use crate::scratch::{Scratch, stores};

macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() { super::$case::<crate::scratch::SqliteFile>().await; })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() { super::$case::<crate::scratch::PgDatabase>().await; })+
        }
    };
}

on_both! {
    says_which_migrations_are_pending,
    nodes_that_migrate_at_once_do_not_meet,
    migrating_again_changes_nothing,
    refuses_a_newer_schema,
    refuses_a_migration_that_was_changed,
    everything_survives_a_restart,
    nodes_see_each_others_writes,
    of_two_nodes_one_burns,
    a_row_that_cannot_be_true_is_corrupt,
    a_client_that_nobody_asks_for_harms_nobody,
    sweeps_what_has_ended,
    sweeps_more_than_fits_into_a_batch,
    sweepers_and_writers_do_not_meet,
    what_was_swept_may_be_burned_again,
    nodes_that_write_down_the_same_do_not_lock_each_other_out,
    a_check_of_a_database_that_works_says_so,
    a_closed_store_is_unavailable,
    does_not_betray_anything_in_a_debug_log,
}

/// The command that shows them changes nothing.
async fn says_which_migrations_are_pending<S: Scratch>() {
    let scratch = S::empty().await;
    let node = scratch.node().await;

    let pending = node.pending_migrations().await.unwrap();
    assert_eq!(node.pending_migrations().await.unwrap(), pending);
    node.migrate().await.unwrap();

    assert_eq!(pending.first().unwrap().version, 1);
    assert_eq!(pending.first().unwrap().description, "initial");
    assert_eq!(node.pending_migrations().await.unwrap(), []);
    assert!(node.migrations().await.unwrap().iter().all(|it| it.is_applied));
}

/// Eight nodes on one database without a schema.
async fn nodes_that_migrate_at_once_do_not_meet<S: Scratch>() {
    for _ in 0..3 {
        let scratch = S::empty().await;

        let outcomes = join_all((0..8).map(async |_| scratch.node().await.migrate().await)).await;

        for outcome in outcomes {
            outcome.unwrap();
        }
        let node = scratch.node().await;
        assert_eq!(node.pending_migrations().await.unwrap(), []);
        assert_eq!(node.load().await.unwrap().revision, 0);
    }
}

/// Each start migrates.
async fn migrating_again_changes_nothing<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    node.insert(&client("billing")).await.unwrap();

    scratch.node().await.migrate().await.unwrap();

    assert!(node.find(&client_id("billing")).await.unwrap().is_some());
}

/// After a release that was taken back.
async fn refuses_a_newer_schema<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let newer = "insert into _sqlx_migrations
        (version, description, success, checksum, execution_time)
        select 9999, 'of tomorrow', success, checksum, 0 from _sqlx_migrations where version = 1";
    scratch.execute(newer).await;

    for refused in [node.migrate().await, node.pending_migrations().await.map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, MigrationError::Newer { version: 9999 }), "{error:?}");
        assert!(error.to_string().contains("newer release"));
    }
}

/// Nobody knows what such a database looks like.
async fn refuses_a_migration_that_was_changed<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    scratch.execute("update _sqlx_migrations set checksum = substr(checksum, 2)").await;

    let error = node.migrate().await.unwrap_err();

    assert!(matches!(error, MigrationError::Changed { version: 1 }), "{error:?}");
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
    node.close().await;

    let node = scratch.node().await;

    assert_eq!(client_of(&node, "billing").await, Some(client("billing")));
    assert_eq!(port::CredentialRepository::list(&node, &id).await.unwrap(), [credential("s1")]);
    assert!(node.is_revoked(&token_id("t1")).await.unwrap());
    assert_eq!(node.client_revoked_until(&id).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap());
    assert_eq!(node.load().await.unwrap().revision, 1);
    assert!(!port::BootstrapRepository::claim(&node, &TokenDigest([8; 32])).await.unwrap());
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

/// Damage stays where it is.
async fn a_client_that_nobody_asks_for_harms_nobody<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    node.insert(&client("good")).await.unwrap();
    node.insert(&client("bad")).await.unwrap();
    scratch.execute("update clients set state = 'SLEEPING' where id = 'bad'").await;

    assert_eq!(client_of(&node, "good").await, Some(client("good")));
}

/// What ended at the very moment is gone, what ends later stays.
async fn sweeps_what_has_ended<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;
    let id = client_id("a");
    for (jti, until) in [("old", later(60)), ("young", later(61))] {
        node.revoke(&token_id(jti), until).await.unwrap();
        node.revoke_client(&client_id(jti), NOW, until).await.unwrap();
        assert!(node.burn(&id, &token_id(jti), until, NOW).await.unwrap());
    }

    assert_eq!(node.sweep(later(59)).await.unwrap(), 0);
    assert_eq!(node.sweep(later(60)).await.unwrap(), 3);
    assert_eq!(node.sweep(later(60)).await.unwrap(), 0);

    assert!(!node.is_revoked(&token_id("old")).await.unwrap());
    assert!(node.is_revoked(&token_id("young")).await.unwrap());
    assert_eq!(node.client_revoked_until(&client_id("old")).await.unwrap(), None);
    assert_eq!(node.client_revoked_until(&client_id("young")).await.unwrap(), Some(NOW));
    assert!(!node.burn(&id, &token_id("young"), later(61), NOW).await.unwrap());
}

/// After a night without a sweep.
async fn sweeps_more_than_fits_into_a_batch<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1234)
        insert into used_assertions (client, id, until) select 'a', 'j' || n, 5 from n";
    scratch.execute(many).await;

    assert_eq!(node.sweep(NOW).await.unwrap(), 1234);
}

/// Several nodes sweep while others burn; nobody waits for nobody.
async fn sweepers_and_writers_do_not_meet<S: Scratch>() {
    let (node, scratch) = stores::<S>().await;
    let other = scratch.node().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 3000)
        insert into used_assertions (client, id, until) select 'a', 'j' || n, 5 from n";
    scratch.execute(many).await;

    let sweeps = join_all([&node, &other, &node, &other].map(|node| node.sweep(NOW)));
    let burns = join_all((1..=200).map(async |n| {
        let id = token_id(&format!("j{}", n * 15));
        node.burn(&client_id("a"), &id, later(60), NOW).await.unwrap()
    }));
    let (sweeps, burns) = tokio::join!(sweeps, burns);

    // An id that was burned anew is burned: no sweep took it away.
    assert!(burns.into_iter().all(|is_first| is_first));
    for n in 1..=200 {
        let id = token_id(&format!("j{}", n * 15));
        assert!(!node.burn(&client_id("a"), &id, later(60), NOW).await.unwrap());
    }
    let swept: u64 = sweeps.into_iter().map(Result::unwrap).sum();
    assert!((2800..=3000).contains(&swept), "{swept}");
}

/// Ended is ended, swept or not.
async fn what_was_swept_may_be_burned_again<S: Scratch>() {
    let (node, _scratch) = stores::<S>().await;
    let (client, id) = (client_id("a"), token_id("j1"));
    assert!(node.burn(&client, &id, later(60), NOW).await.unwrap());

    assert!(!node.burn(&client, &id, later(120), later(59)).await.unwrap());
    assert!(node.burn(&client, &id, later(120), later(60)).await.unwrap());
    node.sweep(later(60)).await.unwrap();
    assert!(!node.burn(&client, &id, later(120), later(60)).await.unwrap());
    node.sweep(later(120)).await.unwrap();
    assert!(node.burn(&client, &id, later(180), later(120)).await.unwrap());
}

/// Two nodes flush thousands of notes, in opposite order.
async fn nodes_that_write_down_the_same_do_not_lock_each_other_out<S: Scratch>() {
    let (one, scratch) = stores::<S>().await;
    let other = scratch.node().await;
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1500)
        insert into clients select 'c' || n, 'c', 'PUBLIC', 'client_secret_basic', '[]', '[]',
            '[]', '[]', '', '[]', null, '{}', 1, 1, null, 1 from n;
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
