//! The promises of [`CatalogueRepository`].

use domain::port::{CatalogueRepository, StoreCatalogueError};
use domain::{Catalogue, CatalogueEdition};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Tests an adapter of [`CatalogueRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! catalogue_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            catalogue_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            loads_revision_0_when_empty,
            loads_what_was_stored,
            loads_the_largest_catalogue,
            counts_revisions,
            replaces_the_whole,
            a_conflict_changes_nothing,
            of_concurrent_stores_one_wins,
        }
    };
}

/// Nothing was ever stored: everything is on, and nothing is registered.
pub async fn loads_revision_0_when_empty(store: &dyn CatalogueRepository) {
    let edition = store.load().await.unwrap();

    assert_eq!(edition, CatalogueEdition { revision: 0, catalogue: Catalogue::default() });
}

/// Every part comes out as it went in.
pub async fn loads_what_was_stored(store: &dyn CatalogueRepository) {
    let catalogue = catalogue(&json!({
        "capabilities": ["introspection"],
        "scopes": [
            {"name": "a'b$%_.:--", "description": "caf\u{e9} \"\\ \u{1f600} '; --"},
            {"name": "b", "default": true},
        ],
        "resources": [
            {"identifier": "https://api.example/a?b=%7e$ne", "name": "A", "scopes": ["a'b$%_.:--"]},
            {"identifier": "nothing", "scopes": []},
            {"identifier": "anything"},
        ],
    }));

    store.store(0, &catalogue).await.unwrap();

    assert_eq!(store.load().await.unwrap(), CatalogueEdition { revision: 1, catalogue });
}

/// There is room for as much as there may be.
pub async fn loads_the_largest_catalogue(store: &dyn CatalogueRepository) {
    let scope = |n| json!({"name": format!("s{n:03}"), "description": "\u{e9}".repeat(60)});
    let scopes: Vec<_> = (0..Catalogue::MAX_SCOPES).map(scope).collect();
    let catalogue = catalogue(&json!({"capabilities": [], "scopes": scopes, "resources": []}));

    store.store(0, &catalogue).await.unwrap();

    assert_eq!(store.load().await.unwrap().catalogue, catalogue);
}

/// Each change makes the revision one more, one that says the same as well.
pub async fn counts_revisions(store: &dyn CatalogueRepository) {
    for revision in 0..5 {
        assert_eq!(store.load().await.unwrap().revision, revision);
        store.store(revision, &named("s")).await.unwrap();
    }
    assert_eq!(store.load().await.unwrap().revision, 5);
}

/// What is not in the new catalogue is gone.
pub async fn replaces_the_whole(store: &dyn CatalogueRepository) {
    store.store(0, &named("a")).await.unwrap();

    store.store(1, &Catalogue::default()).await.unwrap();

    let expected = CatalogueEdition { revision: 2, catalogue: Catalogue::default() };
    assert_eq!(store.load().await.unwrap(), expected);
}

/// Whoever saw another revision, older or newer, is told, and nothing is changed.
pub async fn a_conflict_changes_nothing(store: &dyn CatalogueRepository) {
    assert_conflict(&store.store(1, &named("early")).await);
    assert_eq!(store.load().await.unwrap(), CatalogueEdition::default());
    store.store(0, &named("a")).await.unwrap();

    for expected in [0, 2, u64::MAX >> 1] {
        assert_conflict(&store.store(expected, &named("late")).await);

        let kept = CatalogueEdition { revision: 1, catalogue: named("a") };
        assert_eq!(store.load().await.unwrap(), kept);
    }
}

/// Of several nodes that change the same revision, one is told that it did.
pub async fn of_concurrent_stores_one_wins(store: &dyn CatalogueRepository) {
    for revision in 0..2 {
        let rivals: Vec<_> = (0..16).map(|node| named(&format!("s{revision}.{node}"))).collect();

        let outcomes = join_all(rivals.iter().map(|it| store.store(revision, it))).await;

        let mut winners = Vec::new();
        for (catalogue, outcome) in rivals.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => winners.push(catalogue),
                Err(error) => assert!(matches!(error, StoreCatalogueError::Conflict), "{error:?}"),
            }
        }
        let [catalogue] = <[Catalogue; 1]>::try_from(winners).unwrap();
        let expected = CatalogueEdition { revision: revision + 1, catalogue };
        assert_eq!(store.load().await.unwrap(), expected);
    }
}

fn catalogue(document: &Value) -> Catalogue {
    Catalogue::parse(document.as_object().unwrap()).unwrap()
}

fn named(scope: &str) -> Catalogue {
    catalogue(&json!({
        "capabilities": ["client_credentials"], "scopes": [{"name": scope}], "resources": [],
    }))
}

fn assert_conflict(outcome: &Result<(), StoreCatalogueError>) {
    assert!(matches!(outcome, Err(StoreCatalogueError::Conflict)), "{outcome:?}");
}
