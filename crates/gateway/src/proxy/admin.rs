//! What operators ask: is it alive, is it ready, how is it doing?

use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use pingora_proxy::Session;

use super::answer::Answer;
use super::exchange::Exchange;
use crate::telemetry::Telemetry;

/// Whether requests are welcome: they are from when all listeners are open until it stops.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    is_ready: AtomicBool,
    is_stopping: AtomicBool,
}

impl Readiness {
    /// All listeners are open.
    pub(crate) fn ready(&self) {
        self.is_ready.store(true, Ordering::SeqCst);
    }

    /// It stops.
    pub(crate) fn stopping(&self) {
        self.is_ready.store(false, Ordering::SeqCst);
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Whether it stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::SeqCst)
    }
}

/// Answers `/livez`, `/readyz` and `/metrics`.
pub(super) fn answer(
    session: &Session,
    exchange: &Exchange,
    telemetry: &Telemetry,
    readiness: &Readiness,
) -> Answer {
    let request = session.req_header();
    if request.method != Method::GET && request.method != Method::HEAD {
        let why = "there are other methods for this path";
        let answer = Answer::problem(StatusCode::METHOD_NOT_ALLOWED, why, &exchange.id);
        return answer.with("Allow", "GET, HEAD");
    }
    match request.uri.path() {
        "/livez" => Answer::text(StatusCode::OK, "alive\n"),
        "/readyz" if readiness.is_ready() => Answer::text(StatusCode::OK, "ready\n"),
        "/readyz" => Answer::text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        "/metrics" => match telemetry.metrics.encode(telemetry.access_log.lost()) {
            Ok(text) => Answer {
                content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                ..Answer::text(StatusCode::OK, text)
            },
            Err(_) => Answer::problem(StatusCode::INTERNAL_SERVER_ERROR, "", &exchange.id),
        },
        _ => {
            let why = "there are /livez, /readyz and /metrics";
            Answer::problem(StatusCode::NOT_FOUND, why, &exchange.id)
        }
    }
}
