//! The promises of [`ClientRepository`].

use domain::port::{ClientRepository, InsertClientError, UpdateClientError};
use domain::{AuthenticationMethod, Client, ClientSettings, ClientState, Revision};
use futures_util::future::join_all;

use crate::sample::{client, client_id, full_client, later, object, parsed, settings};

/// Tests an adapter of [`ClientRepository`] with a fixture that makes an empty store.
#[macro_export]
macro_rules! client_repository {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            client_repository, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            finds_nothing_when_empty,
            finds_what_was_inserted,
            finds_what_has_everything,
            keeps_every_state,
            keeps_every_authentication_method,
            tells_no_metadata_from_empty_metadata,
            tells_clients_apart_by_case,
            finds_ids_of_odd_characters,
            finds_the_longest_id_and_name,
            refuses_an_id_that_is_taken,
            of_concurrent_inserts_one_wins,
            updates_everything_but_the_last_login,
            an_update_may_empty_everything,
            an_update_may_empty_the_settings,
            an_update_leaves_other_clients_alone,
            refuses_to_update_an_unknown_client,
            a_conflicting_update_changes_nothing,
            of_concurrent_updates_one_wins,
            removes_a_client_once,
            a_removed_id_is_free_again,
        }
    };
}

/// An unknown id is `None`, not an error.
pub async fn finds_nothing_when_empty(clients: &dyn ClientRepository) {
    assert_eq!(clients.find(&client_id("nobody")).await.unwrap(), None);
}

/// What comes out is what went in.
pub async fn finds_what_was_inserted(clients: &dyn ClientRepository) {
    keeps(clients, &client("billing")).await;
}

/// Every field comes out as it went in, lists in their order, moments to the millisecond.
pub async fn finds_what_has_everything(clients: &dyn ClientRepository) {
    keeps(clients, &full_client("billing")).await;
}

/// Clients that may not be used are found all the same.
pub async fn keeps_every_state(clients: &dyn ClientRepository) {
    for state in [ClientState::Public, ClientState::Draft, ClientState::Trash, ClientState::Deleted]
    {
        keeps(clients, &Client { state, ..client(state.name()) }).await;
    }
}

/// Every method comes out as it went in.
pub async fn keeps_every_authentication_method(clients: &dyn ClientRepository) {
    for authentication in [
        AuthenticationMethod::ClientSecretBasic,
        AuthenticationMethod::ClientSecretPost,
        AuthenticationMethod::ClientSecretJwt,
        AuthenticationMethod::PrivateKeyJwt,
    ] {
        keeps(clients, &Client { authentication, ..client(authentication.name()) }).await;
    }
}

/// Metadata that nobody ever set is not metadata that somebody emptied.
pub async fn tells_no_metadata_from_empty_metadata(clients: &dyn ClientRepository) {
    keeps(clients, &Client { metadata: None, ..client("none") }).await;
    let empty = Some(object(&serde_json::json!({})));
    keeps(clients, &Client { metadata: empty, ..client("empty") }).await;
}

/// Ids are compared byte by byte.
pub async fn tells_clients_apart_by_case(clients: &dyn ClientRepository) {
    clients.insert(&client("billing")).await.unwrap();

    assert_eq!(clients.find(&client_id("Billing")).await.unwrap(), None);
    keeps(clients, &client("Billing")).await;
    assert!(!clients.remove(&client_id("BILLING")).await.unwrap());
}

/// Every id the domain allows is kept, found, changed and removed like any other.
pub async fn finds_ids_of_odd_characters(clients: &dyn ClientRepository) {
    let ids = [
        "%", "_", "'", "\"", "\\", "/", ";", "--", "a';--", "../..", "a%2Fb", "{}", "$ne", "?x=1#",
        "*", "[", "a:b", "\\'", "null", "0",
    ];
    for id in ids {
        keeps(clients, &client(id)).await;
    }
    for id in ids {
        let renamed = Client { name: parsed("renamed"), ..changed(&client(id)) };
        clients.update(&renamed, Revision::FIRST).await.unwrap();
        assert_eq!(clients.find(&client_id(id)).await.unwrap(), Some(renamed));
        assert!(clients.remove(&client_id(id)).await.unwrap(), "{id}");
    }
}

/// Nothing is cut off.
pub async fn finds_the_longest_id_and_name(clients: &dyn ClientRepository) {
    let name = parsed(&"ö".repeat(127));

    keeps(clients, &Client { name, ..client(&"i".repeat(255)) }).await;
    assert_eq!(clients.find(&client_id(&"i".repeat(254))).await.unwrap(), None);
}

/// A taken id is a conflict that the caller can see, and nothing is changed by it.
pub async fn refuses_an_id_that_is_taken(clients: &dyn ClientRepository) {
    let first = full_client("billing");
    clients.insert(&first).await.unwrap();

    let error = clients.insert(&client("billing")).await.unwrap_err();

    assert!(matches!(error, InsertClientError::AlreadyExists), "{error:?}");
    assert_eq!(clients.find(&first.id).await.unwrap(), Some(first));
}

/// Of concurrent inserts of one id exactly one succeeds, and its client is the one that is kept.
pub async fn of_concurrent_inserts_one_wins(clients: &dyn ClientRepository) {
    let rivals: Vec<Client> = (0..16)
        .map(|rival| Client { name: parsed(&format!("rival {rival}")), ..client("billing") })
        .collect();

    let outcomes = join_all(rivals.iter().map(|rival| clients.insert(rival))).await;

    let mut winners = Vec::new();
    for (rival, outcome) in rivals.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => winners.push(rival),
            Err(error) => assert!(matches!(error, InsertClientError::AlreadyExists), "{error:?}"),
        }
    }
    let [winner] = <[Client; 1]>::try_from(winners).unwrap();
    assert_eq!(clients.find(&winner.id).await.unwrap(), Some(winner));
}

/// An update replaces all but `last_login`, which belongs to the login ledger.
pub async fn updates_everything_but_the_last_login(clients: &dyn ClientRepository) {
    let bare = Client { last_login: Some(later(3)), ..client("billing") };
    clients.insert(&bare).await.unwrap();
    let replaced = Client {
        state: ClientState::Trash,
        authentication: AuthenticationMethod::PrivateKeyJwt,
        last_login: Some(later(9)),
        ..changed(&full_client("billing"))
    };

    clients.update(&replaced, Revision::FIRST).await.unwrap();

    let expected = Client { last_login: Some(later(3)), ..replaced };
    assert_eq!(clients.find(&expected.id).await.unwrap(), Some(expected));
}

/// What an update leaves out is gone, and a `last_login` is not made up.
pub async fn an_update_may_empty_everything(clients: &dyn ClientRepository) {
    clients.insert(&Client { last_login: None, ..full_client("billing") }).await.unwrap();
    let bare = changed(&client("billing"));

    clients.update(&bare, Revision::FIRST).await.unwrap();

    assert_eq!(clients.find(&bare.id).await.unwrap(), Some(bare));
}

/// Settings go back to the service's choice, one of them or all, and may be chosen again.
pub async fn an_update_may_empty_the_settings(clients: &dyn ClientRepository) {
    let mut client = full_client("billing");
    clients.insert(&client).await.unwrap();
    let one_less = ClientSettings { token_format: None, ..settings() };

    for settings in [one_less, ClientSettings::default(), settings()] {
        let expected = client.revision;
        client = Client { settings, ..changed(&client) };
        clients.update(&client, expected).await.unwrap();

        assert_eq!(clients.find(&client.id).await.unwrap().as_ref(), Some(&client));
    }
}

/// An update touches one client.
pub async fn an_update_leaves_other_clients_alone(clients: &dyn ClientRepository) {
    let other = full_client("Billing");
    clients.insert(&other).await.unwrap();
    clients.insert(&client("billing")).await.unwrap();

    clients.update(&changed(&client("billing")), Revision::FIRST).await.unwrap();

    assert_eq!(clients.find(&other.id).await.unwrap(), Some(other));
}

/// There is nothing to update where there is no client, and none is made.
pub async fn refuses_to_update_an_unknown_client(clients: &dyn ClientRepository) {
    let error = clients.update(&changed(&client("nobody")), Revision::FIRST).await.unwrap_err();

    assert!(matches!(error, UpdateClientError::Unknown), "{error:?}");
    assert_eq!(clients.find(&client_id("nobody")).await.unwrap(), None);
}

/// Whoever saw another revision, older or newer, is told, and nothing is changed.
pub async fn a_conflicting_update_changes_nothing(clients: &dyn ClientRepository) {
    clients.insert(&client("billing")).await.unwrap();
    let second = changed(&full_client("billing"));
    clients.update(&second, Revision::FIRST).await.unwrap();
    let stored = clients.find(&second.id).await.unwrap();

    for expected in [Revision::FIRST, second.revision.next()] {
        let late = Client { name: parsed("late"), revision: expected.next(), ..second.clone() };
        let error = clients.update(&late, expected).await.unwrap_err();

        assert!(matches!(error, UpdateClientError::Conflict), "{error:?}");
        assert_eq!(clients.find(&second.id).await.unwrap(), stored);
    }
}

/// Of concurrent updates that expect one revision exactly one succeeds.
pub async fn of_concurrent_updates_one_wins(clients: &dyn ClientRepository) {
    clients.insert(&client("billing")).await.unwrap();
    let rivals: Vec<Client> = (0..16)
        .map(|rival| Client {
            name: parsed(&format!("rival {rival}")),
            ..changed(&client("billing"))
        })
        .collect();

    let outcomes =
        join_all(rivals.iter().map(|rival| clients.update(rival, Revision::FIRST))).await;

    let mut winners = Vec::new();
    for (rival, outcome) in rivals.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => winners.push(rival),
            Err(error) => assert!(matches!(error, UpdateClientError::Conflict), "{error:?}"),
        }
    }
    let [winner] = <[Client; 1]>::try_from(winners).unwrap();
    assert_eq!(clients.find(&winner.id).await.unwrap(), Some(winner));
}

/// A removed client is gone; removing it again removes nothing, and others stay.
pub async fn removes_a_client_once(clients: &dyn ClientRepository) {
    let other = full_client("other");
    clients.insert(&other).await.unwrap();
    clients.insert(&full_client("billing")).await.unwrap();

    assert!(clients.remove(&client_id("billing")).await.unwrap());

    assert_eq!(clients.find(&client_id("billing")).await.unwrap(), None);
    assert!(!clients.remove(&client_id("billing")).await.unwrap());
    assert_eq!(clients.find(&other.id).await.unwrap(), Some(other));
}

/// Nothing of a removed client lives on in the next one of that id.
pub async fn a_removed_id_is_free_again(clients: &dyn ClientRepository) {
    clients.insert(&full_client("billing")).await.unwrap();
    clients.remove(&client_id("billing")).await.unwrap();

    keeps(clients, &client("billing")).await;
}

async fn keeps(clients: &dyn ClientRepository, client: &Client) {
    clients.insert(client).await.unwrap();
    assert_eq!(clients.find(&client.id).await.unwrap().as_ref(), Some(client));
}

fn changed(client: &Client) -> Client {
    Client { revision: client.revision.next(), updated_at: later(60), ..client.clone() }
}
