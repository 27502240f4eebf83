//! Around every request: its id, its log line, its metrics, its span.

use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use super::forwarded;
use crate::telemetry::{Finished, stopwatch, traces};

/// The header with the caller's own name for the request.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Observes one request.
pub(crate) async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return next.call(request).await;
    };
    let started = stopwatch::start();
    let is_status = request.path().starts_with("/-/");
    let id = request_id(request.headers());
    if !is_status {
        api.log.incoming(&request, &id);
    }
    let span = traces::request_span(request.method().as_str(), request.headers());
    let headers =
        api.forwarded_headers.as_ref().map(|it| forwarded::chosen(it, request.headers(), &id));
    let answered = next.call(request);
    let answered = async move {
        match headers {
            Some(headers) => forwarded::carrying(headers, answered).await,
            None => answered.await,
        }
    };
    let response = match &span {
        Some(span) => answered.instrument(span.clone()).await,
        None => answered.await,
    }?;
    finish(&api, &response, started.elapsed(), &id, is_status, span.as_ref());
    Ok(response)
}

fn finish<B: MessageBody>(
    api: &Api,
    response: &ServiceResponse<B>,
    elapsed: Duration,
    id: &str,
    is_status: bool,
    span: Option<&tracing::Span>,
) {
    let request = response.request();
    let status = response.status().as_u16();
    let error = response.response().error();
    if let Some(fault) = error.and_then(|it| it.as_error::<ApiError>()).and_then(ApiError::fault) {
        api.log.fault(fault, id);
    }
    let pattern = request.match_pattern();
    let endpoint = pattern.as_deref().unwrap_or("unknown");
    if let Some(span) = span {
        traces::finish(span, endpoint, status);
    }
    if is_status {
        return;
    }
    api.metrics.request(endpoint, outcome(error, status), elapsed);
    let bytes = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    };
    api.log.completed(&Finished { request, status, bytes, elapsed, id });
}

/// How a request ended: the error's name, or the class of its status.
fn outcome(error: Option<&actix_web::Error>, status: u16) -> &'static str {
    match error.and_then(|it| it.as_error::<ApiError>()) {
        Some(error) => error.code().name(),
        None => match status {
            0..=399 => "ok",
            400..=499 => "refused",
            500.. => "failed",
        },
    }
}

/// The caller's name for the request, if it can stand in a log; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_fine =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(is_fine)
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
