//! What goes over the wire.

use std::sync::{Arc, Mutex};

use adapter_crud::CrudOptions;
use contract::sample::{client, client_id, full_client, parsed};
use domain::port::{ClientDirectory as _, ClientQuery, ClientRepository as _, HealthProbe as _};
use domain::{Capability, Client, ClientState, Revision};
use serde_json::{Value, json};

use crate::scratch::{asked, clients, collection, documents, everything, node, options_for};

#[tokio::test]
async fn of_a_plain_client_only_what_every_collection_has_is_sent() {
    let (clients, service) = collection(everything());
    let plain =
        Client { capabilities: [Capability::ClientCredentials].into(), ..client("billing") };

    clients.insert(&plain).await.unwrap();

    let body: Value = serde_json::from_str(&service.requests()[0].body).unwrap();
    let expected = json!({
        "clientId": "billing", "name": "billing", "authMethod": "client_secret_basic",
        "permissions": [], "audience": [], "revision": 1,
        "clientIdIssuedAt": "2030-03-17T17:46:40.123Z",
        "clientUpdatedAt": "2030-03-17T17:46:40.123Z",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_state_goes_with_the_document_unless_it_is_public() {
    let (clients, service) = collection(everything());
    for state in [ClientState::Public, ClientState::Draft, ClientState::Trash, ClientState::Deleted]
    {
        service.forget_requests();
        clients.insert(&Client { state, ..client(state.name()) }).await.unwrap();

        assert_eq!(asked(&service), ["POST /"]);
        let body: Value = serde_json::from_str(&service.requests()[0].body).unwrap();
        let expected = (state != ClientState::Public).then(|| Value::from(state.name()));
        assert_eq!(body.get("__STATE__"), expected.as_ref());
    }
}

#[tokio::test]
async fn a_look_up_is_one_request() {
    let (clients, service) = collection(everything());
    clients.insert(&full_client("a&b=c#?/%2F+")).await.unwrap();
    service.forget_requests();

    assert!(clients.find(&client_id("a&b=c#?/%2F+")).await.unwrap().is_some());

    assert_eq!(asked(&service), ["GET /"]);
}

#[tokio::test]
async fn each_request_passes_on_the_headers_of_the_task_that_caused_it() {
    tokio::task_local! { static REQUEST_ID: String; }
    let (_, service) = collection(everything());
    let headers = || {
        let id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        [("X-Request-Id", id.as_str()), ("miauserid", "zoë"), ("bad name", "x"), ("x-bad", "a\nb")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    let options = CrudOptions { headers: Arc::new(headers), ..options_for(&service) };
    let clients = node(&options);

    let (first, second) = tokio::join!(
        REQUEST_ID.scope("one".to_owned(), async { clients.insert(&client("one")).await }),
        REQUEST_ID.scope("two".to_owned(), async { clients.insert(&client("two")).await }),
    );

    first.unwrap();
    second.unwrap();
    for request in service.requests() {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(request.header("x-request-id"), body["clientId"].as_str());
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-bad"), None);
    }
    assert_eq!(documents(&service).await[0]["creatorId"], "zoë");
}

#[tokio::test]
async fn headers_are_asked_for_with_each_request() {
    let (_, service) = collection(everything());
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let headers = Arc::new(move || {
        *counted.lock().unwrap() += 1;
        Vec::new()
    });
    let clients = node(&CrudOptions { headers, ..options_for(&service) });

    clients.insert(&client("a")).await.unwrap();
    clients.remove(&client_id("a")).await.unwrap();

    assert_eq!(*calls.lock().unwrap(), service.requests().len());
}

#[tokio::test]
async fn a_page_of_many_is_asked_for_in_pieces_that_the_service_gives() {
    let (clients, service) = collection(everything());
    for n in 0..205 {
        clients.insert(&client(&format!("{n:03}"))).await.unwrap();
    }
    service.forget_requests();
    let query = |limit| ClientQuery { after: None, limit, search: None };

    for (limit, shown, has_more, requests) in
        [(199, 199, true, 1), (200, 200, true, 2), (205, 205, false, 2), (1_000, 205, false, 2)]
    {
        service.forget_requests();
        let page = clients.page(&query(limit)).await.unwrap();
        assert_eq!((page.clients.len(), page.has_more), (shown, has_more), "{limit}");
        assert_eq!(service.requests().len(), requests, "{limit}");
    }
    let none = clients.page(&query(0)).await.unwrap();
    assert_eq!((none.clients.len(), none.has_more), (0, true));
    assert!(clients.page(&query(usize::MAX)).await.is_ok());
}

#[tokio::test]
async fn a_search_that_nobody_can_match_asks_nobody() {
    let (clients, service) = collection(everything());
    let search = Some("nul\u{0}".to_owned());

    let page = clients.page(&ClientQuery { after: None, limit: 1, search }).await.unwrap();

    assert_eq!((page.clients.len(), page.has_more), (0, false));
    assert_eq!(service.requests().len(), 0);
}

#[tokio::test]
async fn a_check_is_one_small_question() {
    let (clients, service) = collection(everything());

    clients.check().await.unwrap();

    assert_eq!(clients.name(), "crud");
    assert_eq!(service.requests().len(), 1);
    assert!(service.requests()[0].target.contains("_l=1"));
}

#[tokio::test]
async fn nodes_see_each_others_writes() {
    let (first, service) = collection(everything());
    let second = clients(&service);
    first.insert(&client("a")).await.unwrap();

    let renamed = Client { name: parsed("b"), revision: Revision::FIRST.next(), ..client("a") };
    second.update(&renamed, client("a").revision).await.unwrap();

    assert_eq!(first.find(&client_id("a")).await.unwrap(), Some(renamed));
}
