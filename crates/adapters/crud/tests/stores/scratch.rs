//! Collections behind a CRUD service, one for each test.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Once};
use std::time::Duration;

use adapter_crud::{CrudClients, CrudOptions};
use crud_service::{CrudService, Definition, Dialect, Options, RecordedRequest, State};
use serde_json::Value;

use crate::mongo::Mongo;

/// A service on a collection of its own, which is gone with it.
pub(crate) struct Scratch {
    service: CrudService,
    // Last: the service tidies up.
    _mongo: Arc<Mongo>,
}

impl Deref for Scratch {
    type Target = CrudService;

    fn deref(&self) -> &CrudService {
        &self.service
    }
}

/// The clients of an empty collection that has every field, and its service.
pub(crate) fn extended(dialect: Dialect) -> (CrudClients, Scratch) {
    start(everything(), dialect)
}

/// The clients of an empty collection of that definition, and its service.
pub(crate) fn collection(definition: Definition) -> (CrudClients, Scratch) {
    start(definition, Dialect::V7)
}

fn start(definition: Definition, dialect: Dialect) -> (CrudClients, Scratch) {
    let scratch = start_at(0, definition, dialect);
    (clients(&scratch), scratch)
}

/// Another collection in the place of one that is gone, as after a deployment.
pub(crate) fn start_at(port: u16, definition: Definition, dialect: Dialect) -> Scratch {
    let mongo = Mongo::shared();
    let random = RandomState::new().build_hasher().finish();
    let options = Options::scratch(&mongo.url, &format!("clients_{random:x}"), definition);
    let service = CrudService::start(Options { dialect, port, ..options }).unwrap();
    Scratch { service, _mongo: mongo }
}

/// One more node on the same collection.
pub(crate) fn clients(service: &CrudService) -> CrudClients {
    node(&options_for(service))
}

/// Clients of whatever is told.
pub(crate) fn node(options: &CrudOptions) -> CrudClients {
    static TLS: Once = Once::new();
    TLS.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
    CrudClients::new(options).unwrap()
}

/// Clients of that service which give up soon.
pub(crate) fn hasty(service: &CrudService) -> CrudClients {
    node(&CrudOptions { timeout: Duration::from_millis(600), ..options_for(service) })
}

/// The options of a node on that service.
pub(crate) fn options_for(service: &CrudService) -> CrudOptions {
    CrudOptions::new(service.url().parse().unwrap())
}

/// The collection that has every field, where documents start in use.
pub(crate) fn everything() -> Definition {
    Definition::extended().starting_in(State::Public)
}

/// The documents of the collection, ordered by id, as the service shows them.
pub(crate) async fn documents(service: &CrudService) -> Vec<Value> {
    let url = format!("{}/?_st=PUBLIC,DRAFT,TRASH,DELETED&_s=clientId&_l=200", service.url());
    let body = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// Puts a document into the collection past us; its `_id`.
pub(crate) async fn put(service: &CrudService, document: &Value) -> String {
    let request = reqwest::Client::new().post(format!("{}/", service.url()));
    let response = request
        .header("content-type", "application/json")
        .body(document.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    body["_id"].as_str().unwrap().to_owned()
}

/// What was asked so far: method and path below the collection.
pub(crate) fn asked(service: &CrudService) -> Vec<String> {
    let asked = |it: &RecordedRequest| {
        format!("{} {}", it.method, it.path().strip_prefix("/clients").unwrap())
    };
    service.requests().iter().map(asked).collect()
}
