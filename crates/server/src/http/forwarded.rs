//! The headers of a request that go on to the crud-service, which the request itself never sees.

use actix_web::http::header::HeaderMap;

tokio::task_local! {
    static HEADERS: Headers;
}

/// Names and values of headers.
pub(crate) type Headers = Vec<(String, String)>;

/// The headers named in `names` (lower case) that a request has, and the id it goes by.
pub(super) fn chosen(names: &[String], headers: &HeaderMap, id: &str) -> Headers {
    let mut chosen: Headers = Vec::new();
    for name in names {
        for value in headers.get_all(name.as_str()) {
            // Not `to_str`, which is for ASCII.
            if let Ok(value) = std::str::from_utf8(value.as_bytes()) {
                chosen.push((name.clone(), value.to_owned()));
            }
        }
    }
    // One name for the request in the logs of both.
    if !chosen.iter().any(|(name, _)| name == super::observe::REQUEST_ID) {
        chosen.push((super::observe::REQUEST_ID.to_owned(), id.to_owned()));
    }
    chosen
}

/// Carries the headers along with whatever the request causes.
pub(super) async fn carrying<T>(headers: Headers, work: impl Future<Output = T>) -> T {
    HEADERS.scope(headers, work).await
}

/// The headers that go on with a call that is made now; none beside a request.
pub(crate) fn forwarded_headers() -> Headers {
    HEADERS.try_with(Clone::clone).unwrap_or_default()
}
