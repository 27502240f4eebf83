//! The promises of [`ClientDirectory`].

use domain::port::{ClientDirectory, ClientPage, ClientQuery, ClientRepository};
use domain::{Client, ClientState};

use crate::sample::{client, client_id, full_client, parsed};

/// Tests an adapter of [`ClientDirectory`] with a fixture that makes an empty store, which is a
/// [`ClientRepository`] too.
#[macro_export]
macro_rules! client_directory {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            client_directory, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            shows_an_empty_page_when_empty,
            shows_whole_clients_in_every_state,
            orders_clients_byte_by_byte,
            cuts_pages_where_they_are_full,
            a_page_may_follow_an_id_that_is_gone,
            shows_each_client_once_while_others_come_and_go,
            searches_ids_and_names,
            searches_without_ascii_case_only,
            takes_wildcards_literally,
            searches_across_pages,
            an_empty_search_finds_everybody,
        }
    };
}

/// No clients, no page after this one.
pub async fn shows_an_empty_page_when_empty(store: &(impl ClientRepository + ClientDirectory)) {
    let page = store.page(&query(10)).await.unwrap();

    assert_eq!(page, ClientPage { clients: Vec::new(), has_more: false });
}

/// A page shows clients as `find` does, disabled ones too.
pub async fn shows_whole_clients_in_every_state(store: &(impl ClientRepository + ClientDirectory)) {
    let clients = [
        full_client("a"),
        Client { state: ClientState::Draft, ..client("b") },
        Client { state: ClientState::Trash, ..full_client("c") },
        Client { state: ClientState::Deleted, ..client("d") },
    ];
    for client in &clients {
        store.insert(client).await.unwrap();
    }

    let page = store.page(&query(10)).await.unwrap();

    assert_eq!(page.clients, clients);
    assert!(!page.has_more);
}

/// The order is that of the bytes, not that of a language.
pub async fn orders_clients_byte_by_byte(store: &(impl ClientRepository + ClientDirectory)) {
    insert(store, &["b", "B", "a", "A", "_", "a-b", "a_b", "ab", "aB", "10", "9", "~", "!"]).await;

    let expected = ["!", "10", "9", "A", "B", "_", "a", "a-b", "aB", "a_b", "ab", "b", "~"];
    assert_eq!(ids(&store.page(&query(100)).await.unwrap()), expected);
    assert_eq!(walk(store, &query(1)).await, expected);
    assert_eq!(walk(store, &query(3)).await, expected);
}

/// A page holds `limit` clients, and says whether more follow.
pub async fn cuts_pages_where_they_are_full(store: &(impl ClientRepository + ClientDirectory)) {
    insert(store, &["a", "b", "c", "d"]).await;

    for (after, limit, expected, has_more) in [
        (None, 3, &["a", "b", "c"][..], true),
        (None, 4, &["a", "b", "c", "d"], false),
        (None, 5, &["a", "b", "c", "d"], false),
        (Some("b"), 1, &["c"], true),
        (Some("b"), 2, &["c", "d"], false),
        (Some("d"), 2, &[], false),
    ] {
        let query = ClientQuery { after: after.map(client_id), ..query(limit) };
        let page = store.page(&query).await.unwrap();

        assert_eq!(ids(&page), expected, "{query:?}");
        assert_eq!(page.has_more, has_more, "{query:?}");
    }
}

/// The id that a page follows need not exist.
pub async fn a_page_may_follow_an_id_that_is_gone(
    store: &(impl ClientRepository + ClientDirectory),
) {
    insert(store, &["a", "c"]).await;

    let query = ClientQuery { after: Some(client_id("b")), ..query(10) };

    assert_eq!(ids(&store.page(&query).await.unwrap()), ["c"]);
}

/// Who is there from the first page to the last is on exactly one of them.
pub async fn shows_each_client_once_while_others_come_and_go(
    store: &(impl ClientRepository + ClientDirectory),
) {
    insert(store, &["b", "d", "f", "h"]).await;

    let first = store.page(&query(2)).await.unwrap();
    store.remove(&client_id("d")).await.unwrap();
    insert(store, &["a", "c", "e"]).await;
    let after = first.clients.last().map(|last| last.id.clone());
    let rest = store.page(&ClientQuery { after, ..query(10) }).await.unwrap();

    assert_eq!(ids(&first), ["b", "d"]);
    assert_eq!(ids(&rest), ["e", "f", "h"]);
}

/// A text is looked for anywhere in the id and in the name.
pub async fn searches_ids_and_names(store: &(impl ClientRepository + ClientDirectory)) {
    named(store, &[("id-1", "Billing"), ("billing-2", "Other"), ("id-3", "Rebilling it")]).await;
    named(store, &[("id-4", "Shipping")]).await;

    assert_eq!(found(store, "billing").await, ["billing-2", "id-1", "id-3"]);
    assert_eq!(found(store, "id-").await, ["id-1", "id-3", "id-4"]);
    assert_eq!(found(store, "nobody").await, [""; 0]);
    assert_eq!(found(store, "billing-it").await, [""; 0]);
}

/// Letters of ASCII are compared without case; all others are compared as they are.
pub async fn searches_without_ascii_case_only(store: &(impl ClientRepository + ClientDirectory)) {
    named(store, &[("BILLING", "x"), ("b", "Übung"), ("c", "übung"), ("d", "Straße")]).await;

    assert_eq!(found(store, "bilLing").await, ["BILLING"]);
    assert_eq!(found(store, "üBUNG").await, ["c"]);
    assert_eq!(found(store, "ÜbunG").await, ["b"]);
    assert_eq!(found(store, "STRASSE").await, [""; 0]);
    assert_eq!(found(store, "STRAßE").await, ["d"]);
}

/// Characters with a meaning in some query language mean themselves.
pub async fn takes_wildcards_literally(store: &(impl ClientRepository + ClientDirectory)) {
    named(
        store,
        &[
            ("percent", "100% sure"),
            ("underscore", "a_b"),
            ("backslash", "a\\b"),
            ("star", "a*b?"),
            ("bracket", "[a-z].^$"),
            ("quote", "O'Reilly \"x\""),
            ("plain", "100 axb"),
        ],
    )
    .await;

    for (search, expected) in [
        ("%", "percent"),
        ("0% s", "percent"),
        ("_", "underscore"),
        ("a_b", "underscore"),
        ("\\", "backslash"),
        ("a\\b", "backslash"),
        ("*", "star"),
        ("b?", "star"),
        ("[a-z]", "bracket"),
        (".^$", "bracket"),
        ("'", "quote"),
        ("\"x\"", "quote"),
    ] {
        assert_eq!(found(store, search).await, [expected], "{search}");
    }
    for nobody in ["\\%", "\\_", "%%", "%_%", "__", "''", "\\\\"] {
        assert_eq!(found(store, nobody).await, [""; 0], "{nobody}");
    }
}

/// A search is cut into pages like any other query.
pub async fn searches_across_pages(store: &(impl ClientRepository + ClientDirectory)) {
    insert(store, &["hit-1", "miss-1", "hit-2", "Hit-3", "miss-2", "hit-4"]).await;

    let query = ClientQuery { search: Some("hit".to_owned()), ..query(2) };
    let first = store.page(&query).await.unwrap();

    assert_eq!(ids(&first), ["Hit-3", "hit-1"]);
    assert!(first.has_more);
    assert_eq!(walk(store, &query).await, ["Hit-3", "hit-1", "hit-2", "hit-4"]);
}

/// Every text holds the empty one.
pub async fn an_empty_search_finds_everybody(store: &(impl ClientRepository + ClientDirectory)) {
    insert(store, &["a", "b"]).await;

    assert_eq!(found(store, "").await, ["a", "b"]);
}

fn query(limit: usize) -> ClientQuery {
    ClientQuery { after: None, limit, search: None }
}

fn ids(page: &ClientPage) -> Vec<&str> {
    page.clients.iter().map(|client| client.id.as_str()).collect()
}

async fn insert(store: &impl ClientRepository, ids: &[&str]) {
    for id in ids {
        store.insert(&client(id)).await.unwrap();
    }
}

async fn named(store: &impl ClientRepository, names: &[(&str, &str)]) {
    for (id, name) in names {
        store.insert(&Client { name: parsed(name), ..client(id) }).await.unwrap();
    }
}

async fn found(store: &impl ClientDirectory, search: &str) -> Vec<String> {
    walk(store, &ClientQuery { search: Some(search.to_owned()), ..query(100) }).await
}

/// The ids on all pages, one page after the other.
async fn walk(store: &impl ClientDirectory, first: &ClientQuery) -> Vec<String> {
    let mut query = first.clone();
    let mut found = Vec::new();
    loop {
        let page = store.page(&query).await.unwrap();
        assert!(page.clients.len() <= query.limit);
        found.extend(ids(&page).into_iter().map(str::to_owned));
        if !page.has_more {
            return found;
        }
        let last = page.clients.last().map(|last| last.id.clone());
        assert!(query.after < last, "a page that says that more follow leads no further");
        query.after = last;
    }
}
