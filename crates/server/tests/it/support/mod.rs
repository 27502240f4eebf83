//! A running server, and the ways to talk to it.

pub(crate) mod cli;
pub(crate) mod jwt;
pub(crate) mod key_host;
pub(crate) mod methods;
pub(crate) mod postgres;
pub(crate) mod raw;
pub(crate) mod server;
mod wait;

pub(crate) use server::{MANAGEMENT_TOKEN, Options, Server};
pub(crate) use wait::within;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

/// A client with a secret.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Client {
    /// The header of raw `client_secret_basic`.
    pub(crate) fn basic(&self) -> String {
        basic(&self.id, &self.secret)
    }
}

/// The header of `client_secret_basic` with exactly these two texts.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Sends a request and reads the answer.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        Self::of(request.send().await.unwrap()).await
    }

    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A member of the body that is a text.
    pub(crate) fn text_at(&self, pointer: &str) -> String {
        let json = self.json();
        let value = json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer}: {self:?}")).to_owned()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and `error`, on one line.
    pub(crate) fn outcome(&self) -> String {
        let error = self.json()["error"].as_str().unwrap_or("-").to_owned();
        format!("{} {error}", self.status.as_u16())
    }

    /// Fails unless the answer is the one error object, whole, with this status and code.
    pub(crate) fn assert_error(&self, status: u16, error: &str) {
        let body = self.json();
        assert_eq!(self.outcome(), format!("{status} {error}"), "{self:?}");
        assert_eq!(body["statusCode"], status, "{self:?}");
        assert_eq!(body["message"], body["error_description"], "{self:?}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 4, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
    }
}

/// What a caller waits at most.
pub(crate) const AT_MOST: Duration = Duration::from_secs(10);

/// Fails unless the answer is an honest and timely 503.
pub(crate) async fn assert_unavailable(what: &str, request: RequestBuilder) {
    let started = Instant::now();
    let answer = Answer::to(request).await;
    assert!(started.elapsed() < AT_MOST, "{what}: {:?}", started.elapsed());
    assert_eq!(answer.outcome(), "503 temporarily_unavailable", "{what}: {answer:?}");
    answer.assert_error(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|it| 0 < it), "{what}");
}

/// The payload of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a JWT.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A document for a snapshot: what differs from run to run is replaced.
pub(crate) fn redacted(mut document: Value, pointers: &[&str]) -> Value {
    for pointer in pointers {
        let place = document.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        assert!(!place.is_null(), "{pointer} is null");
        *place = "[redacted]".into();
    }
    document
}
