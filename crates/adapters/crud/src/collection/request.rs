//! What the collection is asked.

use reqwest::Method;
use serde_json::Value;
use url::Url;

/// Documents in whatever state: without this word only `PUBLIC` ones are seen.
const EVERY_STATE: (&str, &str) = ("_st", "PUBLIC,DRAFT,TRASH,DELETED");

/// A request to the collection.
pub(crate) struct Request {
    pub(super) method: Method,
    path: Vec<String>,
    words: Vec<(&'static str, String)>,
    pub(super) body: Option<String>,
    /// Whether doing it twice is doing it once.
    pub(super) is_repeatable: bool,
    /// Whether 404 says that the document is not there, and nothing about the collection.
    pub(super) is_about_a_document: bool,
}

impl Request {
    /// Documents that the words select.
    pub(crate) fn list() -> Self {
        Self::new(Method::GET, &[]).of_every_state()
    }

    /// A new document. Doing it twice would find the first.
    pub(crate) fn insert(document: &Value) -> Self {
        let request = Self::new(Method::POST, &[]).with_body(document);
        Self { is_repeatable: false, ..request }
    }

    /// A change of the documents that the words select.
    pub(crate) fn patch(update: &Value) -> Self {
        Self::new(Method::PATCH, &[]).of_every_state().with_body(update)
    }

    /// Many changes, each with its own filter.
    pub(crate) fn bulk(changes: &Value) -> Self {
        Self::new(Method::PATCH, &["bulk"]).with_body(changes)
    }

    /// A step of a document to another state.
    pub(crate) fn change_state(object_id: &str, state: &str) -> Self {
        let body = serde_json::json!({"stateTo": state});
        let request = Self::new(Method::POST, &[object_id, "state"]).with_body(&body);
        Self { is_about_a_document: true, ..request }
    }

    /// The end of a document.
    pub(crate) fn delete(object_id: &str) -> Self {
        let request = Self::new(Method::DELETE, &[object_id]).of_every_state();
        Self { is_about_a_document: true, ..request }
    }

    /// One more query word.
    pub(crate) fn with(mut self, word: &'static str, value: impl Into<String>) -> Self {
        self.words.push((word, value.into()));
        self
    }

    /// The word that means every state, for a filter in a body.
    pub(crate) fn every_state() -> &'static str {
        EVERY_STATE.1
    }

    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|&it| it.to_owned()).collect(),
            words: Vec::new(),
            body: None,
            is_repeatable: true,
            is_about_a_document: false,
        }
    }

    fn of_every_state(self) -> Self {
        self.with(EVERY_STATE.0, EVERY_STATE.1)
    }

    fn with_body(self, body: &Value) -> Self {
        Self { body: Some(body.to_string()), ..self }
    }

    /// Where it goes.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            match self.path.as_slice() {
                [] => path.push(""),
                segments => path.extend(segments),
            };
        }
        if !self.words.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.words);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_end_with_a_slash() {
        for base in ["http://crud/v1/clients", "http://crud/v1/clients/"] {
            let base: Url = base.parse().unwrap();
            let list = Request::list().url(&base);
            assert_eq!(list.path(), "/v1/clients/");
            assert_eq!(Request::delete("a").url(&base).path(), "/v1/clients/a");
            let bulk = Request::bulk(&Value::Null).url(&base);
            assert_eq!(bulk.as_str(), "http://crud/v1/clients/bulk");
        }
        let root: Url = "http://crud".parse().unwrap();
        assert_eq!(Request::change_state("a", "TRASH").url(&root).path(), "/a/state");
    }

    #[test]
    fn odd_characters_stay_in_their_place() {
        let base: Url = "http://crud/clients".parse().unwrap();

        let url = Request::list().with("clientId", "a&b=c#?/%2F+ö").url(&base);

        let words: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(words.last().unwrap().1, "a&b=c#?/%2F+ö");
        assert_eq!(words.len(), 2);
        assert_eq!(Request::delete("../x?y#z").url(&base).path(), "/clients/..%2Fx%3Fy%23z");
    }
}
