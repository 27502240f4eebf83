//! How the schema grows.

use adapter_sql::MigrationError;
use contract::sample::{client, client_id, settings};
use domain::port::{ClientRepository as _, KeyRepository as _};
use domain::{Client, ClientSettings, Revision};
use futures_util::future::join_all;

use crate::scratch::{Scratch, on_both, stores};

on_both! {
    says_which_migrations_are_pending,
    nodes_that_migrate_at_once_do_not_meet,
    migrating_again_changes_nothing,
    refuses_a_newer_schema,
    refuses_a_migration_that_was_changed,
    a_client_of_an_earlier_schema_has_no_settings,
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

/// Whoever was there before settings were, and whoever is made by a node that is still of the earlier
/// release.
async fn a_client_of_an_earlier_schema_has_no_settings<S: Scratch>() {
    let scratch = S::empty().await;
    let node = scratch.node().await;
    let earlier = |id: &str| {
        format!(
            "insert into clients (
                id, name, state, authentication, keys, capabilities, permissions, audience, scope,
                allowed_custom_claims, metadata, informative, created_at, updated_at, revision
            ) values ('{id}', 'A', 'PUBLIC', 'client_secret_basic', '[]', '[]', '[]', '[]', '',
                '[]', null, '{{}}', 1, 1, 1)"
        )
    };
    scratch.migrate_to(1).await;
    scratch.execute(&earlier("before")).await;

    node.migrate().await.unwrap();
    scratch.execute(&earlier("beside")).await;

    for id in ["before", "beside"] {
        let found = node.find(&client_id(id)).await.unwrap().unwrap();
        assert_eq!(found.settings, ClientSettings::default());
        let chosen = Client { settings: settings(), revision: found.revision.next(), ..found };
        node.update(&chosen, Revision::FIRST).await.unwrap();
        assert_eq!(node.find(&client_id(id)).await.unwrap(), Some(chosen));
    }
}
