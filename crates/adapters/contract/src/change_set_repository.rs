//! The promises of [`ChangeSetRepository`].

use domain::change_set::{ChangeSet, ChangeSetState, Commitment};
use domain::port::{ChangeSetQuery, ChangeSetRepository};
use domain::{ChangeSetId, Revision};
use futures_util::future::join_all;

use crate::sample::{NOW, change_set, full_change_set, later, parsed};

/// Tests an adapter of [`ChangeSetRepository`], with a fixture that makes an empty store.
#[macro_export]
macro_rules! change_set_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            change_set_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            finds_nothing_when_empty,
            finds_what_was_inserted,
            keeps_the_first_of_two_sets_with_one_id,
            finds_what_was_updated,
            refuses_a_stale_update,
            of_concurrent_updates_one_wins,
            forgets_only_what_has_not_moved,
            lists_the_latest_first_page_by_page,
            names_what_is_not_settled,
        }
    };
}

fn query(before: Option<&str>, limit: usize) -> ChangeSetQuery {
    ChangeSetQuery { before: before.map(parsed), limit }
}

/// An unknown id is no error, and no page is one.
pub async fn finds_nothing_when_empty(store: &dyn ChangeSetRepository) {
    assert_eq!(store.find(&parsed("c")).await.unwrap(), None);
    let page = store.page(&query(None, 10)).await.unwrap();
    assert!(page.sets.is_empty() && !page.has_more);
    assert!(store.unsettled(10).await.unwrap().is_empty());
}

/// Whatever can be in a change set comes out as it went in, in each state.
pub async fn finds_what_was_inserted(store: &dyn ChangeSetRepository) {
    let full = full_change_set("full");
    let ChangeSetState::RolledBack { commitment, .. } = full.state.clone() else { return };
    let committed = ChangeSet {
        id: parsed("committed"),
        state: ChangeSetState::Committed(Commitment { at: NOW, ..commitment }),
        ..full.clone()
    };
    for set in [change_set("plain"), full, committed] {
        assert!(store.insert(&set).await.unwrap());

        assert_eq!(store.find(&set.id).await.unwrap().unwrap(), set);
    }
}

/// A refused insert changes nothing.
pub async fn keeps_the_first_of_two_sets_with_one_id(store: &dyn ChangeSetRepository) {
    let first = change_set("c");
    assert!(store.insert(&first).await.unwrap());

    assert!(!store.insert(&full_change_set("c")).await.unwrap());

    assert_eq!(store.find(&first.id).await.unwrap(), Some(first));
}

/// All of it is replaced, and what a list shows of it.
pub async fn finds_what_was_updated(store: &dyn ChangeSetRepository) {
    store.insert(&change_set("c")).await.unwrap();
    let renewed = ChangeSet { revision: Revision(2), ..full_change_set("c") };

    assert!(store.update(&renewed, Revision::FIRST).await.unwrap());

    assert_eq!(store.find(&renewed.id).await.unwrap().as_ref(), Some(&renewed));
    assert_eq!(store.page(&query(None, 1)).await.unwrap().sets, [renewed.summary()]);
}

/// Whoever saw another revision changes nothing, and makes nothing.
pub async fn refuses_a_stale_update(store: &dyn ChangeSetRepository) {
    let kept = ChangeSet { revision: Revision(2), ..change_set("c") };
    store.insert(&kept).await.unwrap();

    for expected in [1, 3] {
        let late = ChangeSet { revision: Revision(9), ..full_change_set("c") };
        assert!(!store.update(&late, Revision(expected)).await.unwrap());
    }
    assert!(!store.update(&change_set("unknown"), Revision::FIRST).await.unwrap());

    assert_eq!(store.find(&kept.id).await.unwrap(), Some(kept));
    assert_eq!(store.find(&parsed("unknown")).await.unwrap(), None);
}

/// Of many who saw one revision, one has their way.
pub async fn of_concurrent_updates_one_wins(store: &dyn ChangeSetRepository) {
    store.insert(&change_set("c")).await.unwrap();
    let rivals: Vec<ChangeSet> = (0..16)
        .map(|n| ChangeSet { revision: Revision(2), updated_at: later(n), ..change_set("c") })
        .collect();

    let outcomes = join_all(rivals.iter().map(|it| store.update(it, Revision::FIRST))).await;

    let won: Vec<bool> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(won.iter().filter(|it| **it).count(), 1);
    let winner = &rivals[won.iter().position(|it| *it).unwrap()];
    assert_eq!(store.find(&winner.id).await.unwrap().as_ref(), Some(winner));
}

/// What was changed meanwhile stays.
pub async fn forgets_only_what_has_not_moved(store: &dyn ChangeSetRepository) {
    let kept = ChangeSet { revision: Revision(2), ..change_set("c") };
    store.insert(&kept).await.unwrap();

    assert!(!store.remove(&kept.id, Revision(1)).await.unwrap());
    assert!(store.find(&kept.id).await.unwrap().is_some());
    assert!(store.remove(&kept.id, Revision(2)).await.unwrap());

    assert_eq!(store.find(&kept.id).await.unwrap(), None);
    assert!(!store.remove(&kept.id, Revision(2)).await.unwrap());
}

/// Every set is on one page, the greatest id first.
pub async fn lists_the_latest_first_page_by_page(store: &dyn ChangeSetRepository) {
    for id in ["b", "d", "a", "e", "c"] {
        store.insert(&full_change_set(id)).await.unwrap();
    }

    let first = store.page(&query(None, 2)).await.unwrap();
    let second = store.page(&query(Some("d"), 2)).await.unwrap();
    let last = store.page(&query(Some("b"), 2)).await.unwrap();

    let shown = |ids: [&str; 2]| ids.map(|id| full_change_set(id).summary());
    assert_eq!((first.sets, first.has_more), (shown(["e", "d"]).to_vec(), true));
    assert_eq!((second.sets, second.has_more), (shown(["c", "b"]).to_vec(), true));
    assert_eq!((last.sets, last.has_more), (vec![full_change_set("a").summary()], false));
    assert!(!store.page(&query(None, 5)).await.unwrap().has_more);
}

/// Whoever looks for what is left to be done finds it, until it is done.
pub async fn names_what_is_not_settled(store: &dyn ChangeSetRepository) {
    for id in ["c", "a", "b"] {
        store.insert(&full_change_set(id)).await.unwrap();
        store.insert(&change_set(&format!("{id}-settled"))).await.unwrap();
    }
    let ids = |ids: &[&str]| ids.iter().map(|id| parsed(id)).collect::<Vec<ChangeSetId>>();
    assert_eq!(store.unsettled(10).await.unwrap(), ids(&["a", "b", "c"]));
    assert_eq!(store.unsettled(2).await.unwrap(), ids(&["a", "b"]));

    let settled =
        ChangeSet { unsettled: Vec::new(), revision: Revision(2), ..full_change_set("b") };
    store.update(&settled, Revision::FIRST).await.unwrap();

    assert_eq!(store.unsettled(10).await.unwrap(), ids(&["a", "c"]));
}
