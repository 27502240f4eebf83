//! Reads the body of a request: bounded, of one media type, never decompressed.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use domain::JsonObject;
use futures_util::StreamExt as _;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::error::{ApiError, ErrorCode};
use super::form::Form;

/// No form of the protocol comes anywhere near this many bytes; an assertion may.
const FORM_LIMIT: usize = 64 * 1024;
/// A client with ten keys of 8192 bits and rich metadata stays below.
const JSON_LIMIT: usize = 256 * 1024;
/// A thousand clients with a key each stay below.
const LARGE_JSON_LIMIT: usize = 4 * 1024 * 1024;
/// How much of a body that is too large is read before the answer, and for how long: a client
/// that is still writing would lose the answer in a reset.
const DRAIN_LIMIT: usize = 256 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long a body may take to arrive.
const READ_TIME: Duration = Duration::from_secs(10);

/// Reads a form (`application/x-www-form-urlencoded`).
pub(crate) async fn form(headers: &HeaderMap, payload: Payload) -> Result<Form, ApiError> {
    let media_type = checked_media_type(
        headers,
        "application/x-www-form-urlencoded",
        "the body must be application/x-www-form-urlencoded in UTF-8, not compressed",
    );
    let bytes = bytes(payload, FORM_LIMIT).await?;
    media_type?;
    Form::parse(&bytes)
        .map_err(|error| ApiError::with_text(ErrorCode::InvalidRequest, &error.to_string()))
}

/// Reads a form, or the query of a request without a body. Parameters in both places are refused:
/// a proxy and this server could disagree on which of them counts.
pub(crate) async fn form_or_query(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Form, ApiError> {
    let bytes = bytes(payload, FORM_LIMIT).await?;
    if !bytes.is_empty() {
        return Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "parameters are either in the query or in the body",
        ));
    }
    Form::parse(request.query_string().as_bytes())
        .map_err(|error| ApiError::with_text(ErrorCode::InvalidRequest, &error.to_string()))
}

/// Reads a JSON object (`application/json`).
pub(crate) async fn json(headers: &HeaderMap, payload: Payload) -> Result<JsonObject, ApiError> {
    json_up_to(JSON_LIMIT, headers, payload).await
}

/// As [`json`], where many things may be in it.
pub(crate) async fn large_json(
    headers: &HeaderMap,
    payload: Payload,
) -> Result<JsonObject, ApiError> {
    json_up_to(LARGE_JSON_LIMIT, headers, payload).await
}

async fn json_up_to(
    limit: usize,
    headers: &HeaderMap,
    payload: Payload,
) -> Result<JsonObject, ApiError> {
    let media_type = checked_media_type(
        headers,
        "application/json",
        "the body must be application/json in UTF-8, not compressed",
    );
    let bytes = bytes(payload, limit).await?;
    media_type?;
    domain::parse_object(&bytes).map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "the body must be one JSON object without doubled members",
        )
    })
}

/// Reads an optional JSON object: an empty body is an empty object.
pub(crate) async fn optional_json(
    headers: &HeaderMap,
    payload: Payload,
) -> Result<JsonObject, ApiError> {
    if headers.get(CONTENT_TYPE).is_none() {
        let bytes = bytes(payload, JSON_LIMIT).await?;
        let description = "a body needs the content type application/json";
        return if bytes.is_empty() {
            Ok(JsonObject::new())
        } else {
            Err(ApiError::new(ErrorCode::InvalidRequest, description))
        };
    }
    json(headers, payload).await
}

fn checked_media_type(
    headers: &HeaderMap,
    expected: &str,
    description: &'static str,
) -> Result<(), ApiError> {
    let refused = || ApiError::new(ErrorCode::InvalidRequest, description);
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|it| it == "identity");
    let mut types = headers.get_all(CONTENT_TYPE);
    let (Some(value), None, true) = (types.next(), types.next(), is_plain) else {
        return Err(refused());
    };
    let value = value.to_str().map_err(|_| refused())?;
    let mut parts = value.split(';').map(str::trim);
    let is_expected = parts.next().is_some_and(|it| it.eq_ignore_ascii_case(expected));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    if is_expected && is_utf8 { Ok(()) } else { Err(refused()) }
}

async fn bytes(mut payload: Payload, limit: usize) -> Result<Bytes, ApiError> {
    let collected = in_time(collected(&mut payload, limit)).await;
    let refused = |code, description| Err(ApiError::new(code, description).closing());
    match collected {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unreadable::Incomplete)) => {
            refused(ErrorCode::InvalidRequest, "the body ended before it was complete")
        }
        Ok(Err(Unreadable::TooLarge)) => {
            drain(payload).await;
            refused(ErrorCode::TooLarge, "the body is too large")
        }
        Err(_) => refused(ErrorCode::InvalidRequest, "the body took too long to arrive"),
    }
}

/// Waits for a body. The usual one came with its head and is there at the second look, and needs
/// no timer.
async fn in_time<T>(collected: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut collected = pin!(collected);
    let mut has_looked = false;
    let soon = poll_fn(|cx| match collected.as_mut().poll(cx) {
        Poll::Ready(it) => Poll::Ready(Some(it)),
        Poll::Pending if has_looked => Poll::Ready(None),
        Poll::Pending => {
            has_looked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match soon.await {
        Some(it) => Ok(it),
        None => timeout(READ_TIME, collected).await,
    }
}

enum Unreadable {
    Incomplete,
    TooLarge,
}

async fn collected(payload: &mut Payload, limit: usize) -> Result<Bytes, Unreadable> {
    let mut body = BytesMut::new();
    let mut only: Option<Bytes> = None;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unreadable::Incomplete)?;
        // The usual form arrives in one piece, which is not copied.
        if body.is_empty() && only.is_none() {
            only = Some(chunk);
        } else {
            body.extend_from_slice(&only.take().unwrap_or_default());
            body.extend_from_slice(&chunk);
        }
        if limit < body.len() + only.as_ref().map_or(0, Bytes::len) {
            return Err(Unreadable::TooLarge);
        }
    }
    Ok(only.unwrap_or_else(|| body.freeze()))
}

async fn drain(mut payload: Payload) {
    let drained = async {
        let mut seen = 0;
        while let Some(Ok(chunk)) = payload.next().await {
            seen += chunk.len();
            if DRAIN_LIMIT < seen {
                break;
            }
        }
    };
    // Whoever is slower than this has lost interest, or never had any.
    drop(timeout(DRAIN_TIME, drained).await);
}
