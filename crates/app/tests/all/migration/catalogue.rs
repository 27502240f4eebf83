//! What is registered goes along.

use app::{CatalogueCopy, CatalogueOutcome};
use domain::Catalogue;
use domain::port::CatalogueRepository as _;

use super::{COPY, Side, UPDATE, dry, migrate, source};

fn catalogue(scope: &str) -> Catalogue {
    let document = serde_json::json!({
        "capabilities": ["client_credentials"],
        "scopes": [{"name": scope}],
        "resources": [{"identifier": "orders", "scopes": [scope]}],
    });
    Catalogue::parse(document.as_object().unwrap()).unwrap()
}

async fn catalogue_of(side: &Side) -> (u64, Catalogue) {
    let edition = side.catalogue.load().await.unwrap();
    (edition.revision, edition.catalogue)
}

#[tokio::test]
async fn the_catalogue_goes_along() {
    let (from, to) = (source(1).await, Side::new());
    from.catalogue.store(0, &catalogue("a")).await.unwrap();
    let told = |outcome| CatalogueCopy { scopes: 1, resources: 1, outcome, differences: vec![] };

    let planned = migrate(&from, &to, dry(COPY)).await;
    assert_eq!(
        (&planned.catalogue, planned.is_complete()),
        (&told(CatalogueOutcome::Copied), true)
    );
    assert_eq!(catalogue_of(&to).await, (0, Catalogue::default()));
    let copied = migrate(&from, &to, COPY).await;
    assert_eq!((&copied.catalogue, copied.is_complete()), (&told(CatalogueOutcome::Copied), true));
    assert_eq!(catalogue_of(&to).await, (1, catalogue("a")));
    let again = migrate(&from, &to, COPY).await;
    assert_eq!(again.catalogue, told(CatalogueOutcome::Present));
    assert_eq!(catalogue_of(&to).await, (1, catalogue("a")));
}

#[tokio::test]
async fn another_catalogue_is_named_and_overwritten_only_where_told_to() {
    let (from, to) = (source(1).await, Side::new());
    from.catalogue.store(0, &catalogue("a")).await.unwrap();
    to.catalogue.store(0, &catalogue("b")).await.unwrap();
    let differences = ["- scope b", "+ scope a", "~ resource orders: scopes"];

    for (mode, outcome, is_complete, kept) in [
        (dry(COPY), CatalogueOutcome::Differs, false, "b"),
        (COPY, CatalogueOutcome::Differs, false, "b"),
        (dry(UPDATE), CatalogueOutcome::Overwritten, true, "b"),
        (UPDATE, CatalogueOutcome::Overwritten, true, "a"),
    ] {
        let report = migrate(&from, &to, mode).await;

        assert_eq!(report.catalogue.outcome, outcome, "{mode:?}");
        assert_eq!(report.catalogue.differences, differences, "{mode:?}");
        assert_eq!(report.is_complete(), is_complete, "{mode:?}");
        assert_eq!(catalogue_of(&to).await.1, catalogue(kept), "{mode:?}");
    }
}

/// As clients that are in the target alone.
#[tokio::test]
async fn a_catalogue_of_the_target_alone_is_left_as_it_is() {
    let (from, to) = (source(1).await, Side::new());
    to.catalogue.store(0, &catalogue("b")).await.unwrap();

    let report = migrate(&from, &to, UPDATE).await;

    assert_eq!(report.catalogue, CatalogueCopy::default());
    assert!(report.is_complete());
    assert_eq!(catalogue_of(&to).await, (1, catalogue("b")));
}
