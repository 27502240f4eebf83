//! A running gateway, servers behind it, and the ways to talk to them.

pub(crate) mod gateway;
pub(crate) mod issuer;
pub(crate) mod raw;
pub(crate) mod upstream;

pub(crate) use gateway::Gateway;
pub(crate) use upstream::Upstream;

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// Tries until there is something, for so long at most; says what came and how long it took.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let started = Instant::now();
    let tried = async {
        loop {
            if let Some(value) = attempt().await {
                return value;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(limit, tried).await;
    let value = came.unwrap_or_else(|_| panic!("{what} did not come within {limit:?}"));
    (value, started.elapsed())
}

/// What the echo server says of the request that it got.
#[derive(Debug)]
pub(crate) struct Echo(pub(crate) Value);

impl Echo {
    /// Reads the body of an answer of the echo server.
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}")))
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.0["headers"].as_array().unwrap().iter();
        let named = headers.filter(|it| it[0].as_str().unwrap().eq_ignore_ascii_case(name));
        named.map(|it| it[1].as_str().unwrap()).collect()
    }

    /// The one value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name}: {all:?}");
        all.first().copied()
    }

    /// The one value of a header, or nothing, as a text of its own.
    pub(crate) fn text_of(&self, name: &str) -> String {
        self.header(name).unwrap_or_default().to_owned()
    }

    /// A member.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }
}
