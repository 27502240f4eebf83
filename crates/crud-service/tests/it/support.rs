//! A service on a collection of its own, and somebody who asks it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Once};

use crud_service::{CrudService, Definition, Dialect, Options, State};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::mongo::Mongo;

/// Somebody who asks a service.
pub(crate) struct Asker {
    pub(crate) service: CrudService,
    pub(crate) http: Client,
    // Last: the service tidies up.
    _mongo: Arc<Mongo>,
}

impl Asker {
    /// On an empty collection of that definition.
    pub(crate) fn of(definition: Definition) -> Self {
        Self::with(definition, Dialect::V7)
    }

    /// On an empty collection that has every field, and where documents start in use.
    pub(crate) fn extended() -> Self {
        Self::of(Definition::extended().starting_in(State::Public))
    }

    pub(crate) fn with(definition: Definition, dialect: Dialect) -> Self {
        let mongo = Mongo::shared();
        let random = RandomState::new().build_hasher().finish();
        let options = Options::scratch(&mongo.url, &format!("it_{random:x}"), definition);
        let service = CrudService::start(Options { dialect, ..options }).unwrap();
        Self { service, http: http(), _mongo: mongo }
    }

    /// Status and body of an answer; a body that is no JSON is null.
    pub(crate) async fn ask(&self, method: &str, rest: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{rest}", self.service.url());
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        request = request.header("miauserid", "somebody");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    pub(crate) async fn get(&self, rest: &str) -> (u16, Value) {
        self.ask("GET", rest, None).await
    }

    pub(crate) async fn post(&self, rest: &str, body: Value) -> (u16, Value) {
        self.ask("POST", rest, Some(&body)).await
    }

    pub(crate) async fn patch(&self, rest: &str, body: Value) -> (u16, Value) {
        self.ask("PATCH", rest, Some(&body)).await
    }

    /// Inserts a document; its `_id`.
    pub(crate) async fn insert(&self, client_id: &str, more: &Value) -> String {
        let (status, answer) = self.post("/", document(client_id, more)).await;
        assert_eq!(status, 200, "{answer}");
        answer["_id"].as_str().unwrap().to_owned()
    }

    /// The documents that are found, in whatever state.
    pub(crate) async fn find(&self, words: &str) -> Vec<Value> {
        let path = format!("/?_st=PUBLIC,DRAFT,TRASH,DELETED&{words}");
        let (status, found) = self.get(&path).await;
        assert_eq!(status, 200, "{found}");
        found.as_array().unwrap().clone()
    }

    /// The ids of the documents that are found, ordered.
    pub(crate) async fn ids(&self, words: &str) -> Vec<String> {
        let mut ids: Vec<String> = self
            .find(words)
            .await
            .iter()
            .map(|it| it["clientId"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }
}

/// A document with the fields that have to be there, and more.
pub(crate) fn document(client_id: &str, more: &Value) -> Value {
    let mut document = json!({"clientId": client_id, "name": client_id});
    let members = document.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    document
}

/// Somebody who is not led elsewhere.
pub(crate) fn http() -> Client {
    static TLS: Once = Once::new();
    TLS.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
    let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    http.build().unwrap()
}
