//! On the vendor's published collection, which lacks whatever is ours.

use std::collections::HashSet;
use std::time::Duration;

use adapter_crud::CrudOptions;
use contract::sample::{NOW, client, client_id, later, object, parsed, public_keys, settings};
use crud_service::{Definition, Dialect, Kind, State};
use domain::port::{
    ClientDirectory as _, ClientQuery, ClientRepository as _, InsertClientError, LoginLedger as _,
    UpdateClientError,
};
use domain::{
    AuthenticationMethod, Capability, Client, ClientState, FaultKind, InformativeMetadata, Login,
    Revision,
};
use serde_json::json;
use url::Url;

use crate::scratch::{
    asked, clients, collection, documents, everything, node, options_for, put, start_at,
};

/// A client as a registration makes it.
fn registered(id: &str) -> Client {
    Client { capabilities: [Capability::ClientCredentials].into(), ..client(id) }
}

fn published() -> Definition {
    Definition::published().starting_in(State::Public)
}

#[tokio::test]
async fn a_registered_client_fits_and_is_found() {
    let (clients, service) = collection(published());
    let made = Client {
        authentication: AuthenticationMethod::PrivateKeyJwt,
        keys: public_keys()[..1].to_vec(),
        permissions: vec![parsed("a:read")],
        audience: vec![parsed("https://a.example")],
        allowed_custom_claims: vec![parsed("tenant")],
        ..registered("billing")
    };

    clients.insert(&made).await.unwrap();

    let found = clients.find(&made.id).await.unwrap().unwrap();
    let moment = found.created_at;
    assert_eq!(found.updated_at, moment);
    assert_eq!(found.revision, Revision(moment.as_unix_millis()));
    assert!(moment < NOW, "the service's own moments are shown");
    let revision = found.revision;
    let expected = Client { created_at: moment, updated_at: moment, revision, ..made.clone() };
    assert_eq!(found, expected);
    let error = clients.insert(&made).await.unwrap_err();
    assert!(matches!(error, InsertClientError::AlreadyExists), "{error:?}");
    assert_eq!(documents(&service).await[0]["publicKey"]["kty"], "RSA");
}

#[tokio::test]
async fn the_collection_decides_in_which_state_a_client_starts() {
    let (clients, _service) = collection(Definition::published());

    clients.insert(&registered("billing")).await.unwrap();

    let found = clients.find(&client_id("billing")).await.unwrap().unwrap();
    assert_eq!(found.state, ClientState::Draft);
}

#[tokio::test]
async fn what_can_be_done_without_is_left_out_and_that_is_remembered() {
    let (clients, service) = collection(published());
    clients.insert(&Client { last_login: Some(NOW), ..registered("a") }).await.unwrap();
    // Refused; the control and the four dispensable fields tried; kept.
    let first = asked(&service);
    assert_eq!(first.iter().filter(|it| it.as_str() == "POST /").count(), 2, "{first:?}");
    assert_eq!(first.len(), 7, "{first:?}");

    service.forget_requests();
    clients.insert(&registered("b")).await.unwrap();

    assert_eq!(asked(&service), ["POST /"]);
    assert_eq!(documents(&service).await.len(), 2);
}

#[tokio::test]
async fn what_the_collection_lacks_is_tried_again_after_a_while() {
    let (_, service) = collection(published());
    let memory = Duration::from_millis(500);
    let clients = node(&CrudOptions { schema_memory: memory, ..options_for(&service) });
    clients.insert(&registered("a")).await.unwrap();
    service.forget_requests();

    tokio::time::sleep(memory * 2).await;
    clients.insert(&registered("b")).await.unwrap();

    assert!(2 < asked(&service).len());
}

/// What is remembered of the old collection must not undo the guard of the new one.
#[tokio::test]
async fn a_collection_that_is_deployed_anew_with_a_count_is_counted_at_once() {
    let (clients, service) = collection(published());
    clients.insert(&registered("a")).await.unwrap();
    let port = service.port();
    drop(service);
    let service = start_at(port, everything(), Dialect::V7);
    put(&service, &json!({"clientId": "b", "name": "b", "revision": 1})).await;

    let rivals = ["x", "y"].map(|name| Client {
        name: parsed(name),
        revision: Revision(2),
        ..registered("b")
    });
    clients.update(&rivals[0], Revision::FIRST).await.unwrap();
    let error = clients.update(&rivals[1], Revision::FIRST).await.unwrap_err();

    assert!(matches!(error, UpdateClientError::Conflict), "{error:?}");
    assert_eq!(documents(&service).await[0]["revision"], 2);
}

#[tokio::test]
async fn a_member_that_the_collection_lacks_is_refused_by_its_name() {
    let (clients, service) = collection(published());
    clients.insert(&registered("stored")).await.unwrap();
    let stored = clients.find(&client_id("stored")).await.unwrap().unwrap();
    let mut software = object(&json!({"software_id": "s"}));
    let cases = [
        ("settings", Client { settings: settings(), ..stored.clone() }),
        ("metadata", Client { metadata: Some(object(&json!({}))), ..stored.clone() }),
        ("scope", Client { scope: parsed("read"), ..stored.clone() }),
        ("jwks", Client { keys: public_keys(), ..stored.clone() }),
        ("capabilities", Client { capabilities: [].into(), ..stored.clone() }),
        (
            "software_id",
            Client {
                informative: InformativeMetadata::take_from(&mut software).unwrap(),
                ..stored.clone()
            },
        ),
    ];

    for (expected, with_it) in cases {
        let new = Client { id: client_id("new"), ..with_it.clone() };
        let error = clients.insert(&new).await.unwrap_err();
        let InsertClientError::Refused { member } = error else { panic!("{error:?}") };
        assert_eq!(member, expected);
        let error = clients.update(&with_it, stored.revision).await.unwrap_err();
        let UpdateClientError::Refused { member } = error else { panic!("{error:?}") };
        assert_eq!(member, expected);
    }

    assert_eq!(documents(&service).await.len(), 1);
    assert_eq!(clients.find(&stored.id).await.unwrap(), Some(stored));
}

/// Whoever may register can make us look for the culprit: it must not cost a dozen requests each time.
#[tokio::test]
async fn a_member_that_the_collection_lacks_is_looked_for_once() {
    let (clients, service) = collection(published().with("metadata", Kind::Object));
    let lacking = |id: &str| Client { scope: parsed("read"), ..registered(id) };
    let odd = Some(object(&json!({"nul\u{0}": 1})));
    clients.insert(&registered("stored")).await.unwrap();
    let stored = clients.find(&client_id("stored")).await.unwrap().unwrap();
    let with_odd = Client { metadata: odd.clone(), ..registered("odd") };
    clients.insert(&with_odd).await.unwrap_err();
    clients.insert(&lacking("new")).await.unwrap_err();

    for id in ["new", "another"] {
        service.forget_requests();
        // A value that was refused for itself says nothing about the next one.
        let metadata = Some(object(&json!({"team": 1})));
        let error = clients.insert(&Client { metadata, ..lacking(id) }).await.unwrap_err();
        assert!(matches!(error, InsertClientError::Refused { member } if member == "scope"));
        assert_eq!(asked(&service), ["POST /"]);
    }
    service.forget_requests();
    let changed = Client { scope: parsed("write"), ..stored.clone() };
    let error = clients.update(&changed, stored.revision).await.unwrap_err();
    assert!(matches!(error, UpdateClientError::Refused { member } if member == "scope"));
    assert_eq!(asked(&service), ["GET /", "PATCH /"]);
}

#[tokio::test]
async fn a_member_that_the_collection_has_got_since_is_taken_and_blamed_no_more() {
    let (clients, service) = collection(published());
    let scoped = |id: &str| Client { scope: parsed("read"), ..registered(id) };
    clients.insert(&scoped("a")).await.unwrap_err();
    let port = service.port();
    drop(service);
    let extended = published().with("scope", Kind::Text);
    let _service = start_at(port, extended, Dialect::V7);
    // A question is asked again where the old connection is gone; a new client is not sent again.
    assert_eq!(clients.find(&client_id("a")).await.unwrap(), None);

    clients.insert(&scoped("a")).await.unwrap();
    let error = clients.insert(&Client { settings: settings(), ..scoped("b") }).await.unwrap_err();

    assert!(matches!(error, InsertClientError::Refused { member } if member == "settings"));
}

/// Were anybody found by it, it would be changed.
#[tokio::test]
async fn what_is_tried_is_tried_on_a_client_that_nobody_is() {
    let (clients, service) = collection(published());
    clients.insert(&registered("stored")).await.unwrap();
    let before = documents(&service).await;
    service.forget_requests();
    for id in ["a", "b"] {
        clients
            .insert(&Client { metadata: Some(object(&json!({}))), ..registered(id) })
            .await
            .unwrap_err();
        clients.insert(&Client { keys: public_keys(), ..registered(id) }).await.unwrap_err();
    }

    let mut tried = HashSet::new();
    for request in service.requests().iter().filter(|it| it.method == "PATCH") {
        let url: Url = format!("http://crud{}", request.target).parse().unwrap();
        let words: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let of_id: Vec<_> = words.into_iter().filter(|(name, _)| name != "_st").collect();
        let [(name, id)] = <[_; 1]>::try_from(of_id).unwrap();
        assert_eq!(name, "clientId");
        assert!(32 <= id.len(), "{id}");
        assert!(tried.insert(id.clone()), "{id} again");
    }
    assert!(4 <= tried.len(), "{}", tried.len());
    assert_eq!(documents(&service).await, before);
}

#[tokio::test]
async fn a_collection_of_something_else_refuses_everything_and_no_member_is_blamed() {
    let (clients, _service) = collection(published().without("name").without("authMethod"));

    let draft = Client { state: ClientState::Draft, ..registered("billing") };
    let error = clients.insert(&draft).await.unwrap_err();

    let InsertClientError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.kind(), FaultKind::Corrupt);
}

#[tokio::test]
async fn a_value_that_the_collection_does_not_take_is_refused_for_itself_only() {
    let definition = published().with("metadata", Kind::Object);
    let (clients, _service) = collection(definition);
    let odd = Some(object(&json!({"nul\u{0}": 1})));

    let error = clients.insert(&Client { metadata: odd, ..registered("a") }).await.unwrap_err();
    let fine = Some(object(&json!({"team": 1})));
    clients.insert(&Client { metadata: fine, ..registered("b") }).await.unwrap();

    assert!(matches!(error, InsertClientError::Refused { member } if member == "metadata"));
}

#[tokio::test]
async fn the_moment_of_the_last_write_stands_for_the_revision() {
    let (clients, _service) = collection(published());
    clients.insert(&registered("billing")).await.unwrap();
    let first = clients.find(&client_id("billing")).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;

    let renamed = Client { name: parsed("new"), revision: first.revision.next(), ..first.clone() };
    clients.update(&renamed, first.revision).await.unwrap();
    let late = Client { name: parsed("late"), ..renamed };
    let error = clients.update(&late, first.revision).await.unwrap_err();

    assert!(matches!(error, UpdateClientError::Conflict), "{error:?}");
    let second = clients.find(&first.id).await.unwrap().unwrap();
    assert_eq!(second.name, parsed("new"));
    assert!(first.revision < second.revision);
}

#[tokio::test]
async fn a_client_loses_its_key_and_gets_another() {
    let (clients, service) = collection(published());
    let with_key = Client {
        authentication: AuthenticationMethod::PrivateKeyJwt,
        keys: public_keys()[..1].to_vec(),
        allowed_custom_claims: vec![parsed("tenant")],
        ..registered("billing")
    };
    clients.insert(&with_key).await.unwrap();
    let stored = clients.find(&with_key.id).await.unwrap().unwrap();

    let bare = Client { revision: stored.revision, ..registered("billing") };
    clients.update(&bare, stored.revision).await.unwrap();

    let document = &documents(&service).await[0];
    assert_eq!(document["publicKey"], json!({}));
    assert_eq!(document["allowedCustomClaims"], json!([]));
    let stored = clients.find(&with_key.id).await.unwrap().unwrap();
    assert!(stored.keys.is_empty() && stored.allowed_custom_claims.is_empty());
    let keyed = Client { keys: public_keys()[1..2].to_vec(), ..stored.clone() };
    clients.update(&keyed, stored.revision).await.unwrap();
    assert_eq!(clients.find(&with_key.id).await.unwrap().unwrap().keys, keyed.keys);
}

#[tokio::test]
async fn is_disabled_enabled_listed_and_removed() {
    let (clients, _service) = collection(Definition::published());
    for id in ["b", "a"] {
        clients.insert(&registered(id)).await.unwrap();
    }
    for state in
        [ClientState::Public, ClientState::Trash, ClientState::Public, ClientState::Deleted]
    {
        let stored = clients.find(&client_id("a")).await.unwrap().unwrap();
        let changed = Client { state, revision: stored.revision.next(), ..stored.clone() };
        clients.update(&changed, stored.revision).await.unwrap();
        assert_eq!(clients.find(&stored.id).await.unwrap().unwrap().state, state);
    }

    let query = ClientQuery { after: None, limit: 10, search: None };
    let page = clients.page(&query).await.unwrap();
    let shown: Vec<_> = page.clients.iter().map(|it| (it.id.as_str(), it.state)).collect();
    assert_eq!(shown, [("a", ClientState::Deleted), ("b", ClientState::Draft)]);
    assert!(clients.remove(&client_id("a")).await.unwrap());
    assert!(!clients.remove(&client_id("a")).await.unwrap());
}

#[tokio::test]
async fn a_login_that_cannot_be_written_down_fails_nothing_and_is_soon_not_tried() {
    let (clients, service) = collection(published());
    clients.insert(&registered("billing")).await.unwrap();
    let logins = [Login { client: client_id("billing"), at: later(1) }];
    service.forget_requests();

    clients.record(&logins).await.unwrap();
    assert_eq!(asked(&service), ["PATCH /bulk", "PATCH /", "PATCH /"]);
    clients.record(&logins).await.unwrap();

    assert_eq!(asked(&service).len(), 3);
    assert_eq!(clients.find(&client_id("billing")).await.unwrap().unwrap().last_login, None);
}

#[tokio::test]
async fn a_collection_that_keeps_logins_keeps_ours() {
    let (clients, service) = collection(published().with("lastLogin", Kind::Date));
    clients.insert(&registered("billing")).await.unwrap();

    clients.record(&[Login { client: client_id("billing"), at: NOW }]).await.unwrap();

    assert_eq!(clients.find(&client_id("billing")).await.unwrap().unwrap().last_login, Some(NOW));
    assert_eq!(documents(&service).await[0]["lastLogin"], "2030-03-17T17:46:40.123Z");
}

#[tokio::test]
async fn another_node_knows_nothing_of_what_the_first_found_out_and_finds_it_out_itself() {
    let (first, service) = collection(published());
    first.insert(&registered("a")).await.unwrap();

    clients(&service).insert(&registered("b")).await.unwrap();

    assert_eq!(documents(&service).await.len(), 2);
}
