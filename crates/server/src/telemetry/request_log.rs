//! A line for each request, in the vendor's shape.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HOST, HeaderMap, USER_AGENT};
use domain::{Fault, FaultKind};
use serde::Serialize;

use super::json_lines::Logging;
use crate::settings::LogLevel;

/// Writes a line for each request.
#[derive(Clone)]
pub(crate) struct RequestLog(pub(crate) Logging);

/// A request that was answered.
pub(crate) struct Finished<'a> {
    pub(crate) request: &'a HttpRequest,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) id: &'a str,
}

impl RequestLog {
    /// Says that a request came in.
    pub(crate) fn incoming(&self, request: &ServiceRequest, id: &str) {
        if self.0.level() <= LogLevel::Trace {
            let line = Line {
                host: host(request.headers(), request.peer_addr()),
                http: http(request.method().as_str(), request.headers(), None),
                level: 10,
                msg: "incoming request",
                req_id: id,
                response_time: None,
                time: self.0.now(),
                url: Path { path: request.path() },
            };
            self.write(&line);
        }
    }

    /// Says how a request ended.
    pub(crate) fn completed(&self, it: &Finished<'_>) {
        if self.0.level() <= LogLevel::Info {
            let answer = Answer { body: Size { bytes: it.bytes }, status_code: it.status };
            let line = Line {
                host: host(it.request.headers(), it.request.peer_addr()),
                http: http(it.request.method().as_str(), it.request.headers(), Some(answer)),
                level: 30,
                msg: "request completed",
                req_id: it.id,
                response_time: Some(milliseconds(it.elapsed)),
                time: self.0.now(),
                url: Path { path: it.request.path() },
            };
            self.write(&line);
        }
    }

    /// Says why a request failed on our side: the one place where a fault is logged.
    pub(crate) fn fault(&self, fault: &Fault, id: &str) {
        let (level, threshold) = match fault.kind() {
            FaultKind::Overloaded => (40, LogLevel::Warn),
            FaultKind::Unavailable | FaultKind::Corrupt => (50, LogLevel::Error),
        };
        if self.0.level() <= threshold {
            let cause = fault.explained();
            let time = self.0.now();
            let line = Failure { cause, level, msg: "a dependency failed", req_id: id, time };
            self.write(&line);
        }
    }

    fn write(&self, line: &impl Serialize) {
        let mut json = Vec::with_capacity(512);
        if serde_json::to_writer(&mut json, line).is_ok() {
            self.0.line(&json);
        }
    }
}

/// Milliseconds with three decimals.
fn milliseconds(elapsed: Duration) -> f64 {
    u32::try_from(elapsed.as_micros()).map_or(f64::MAX, f64::from) / 1_000.0
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn host(headers: &HeaderMap, peer: Option<std::net::SocketAddr>) -> Host<'_> {
    Host {
        forwarded: text(headers, "x-forwarded-host"),
        hostname: text(headers, HOST.as_str())
            .map(|it| it.rsplit_once(':').map_or(it, |(name, _)| name)),
        ip: peer.map(|it| it.ip()),
    }
}

fn http<'a>(method: &'a str, headers: &'a HeaderMap, response: Option<Answer>) -> Http<'a> {
    let original = text(headers, USER_AGENT.as_str());
    Http {
        request: Asked { method, user_agent: original.map(|original| Agent { original }) },
        response,
    }
}

#[derive(Serialize)]
struct Line<'a> {
    host: Host<'a>,
    http: Http<'a>,
    level: u8,
    msg: &'static str,
    #[serde(rename = "reqId")]
    req_id: &'a str,
    #[serde(rename = "responseTime", skip_serializing_if = "Option::is_none")]
    response_time: Option<f64>,
    time: u64,
    url: Path<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    cause: String,
    level: u8,
    msg: &'static str,
    #[serde(rename = "reqId")]
    req_id: &'a str,
    time: u64,
}

#[derive(Serialize)]
struct Host<'a> {
    #[serde(rename = "forwardedHost", skip_serializing_if = "Option::is_none")]
    forwarded: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<std::net::IpAddr>,
}

#[derive(Serialize)]
struct Http<'a> {
    request: Asked<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Answer>,
}

#[derive(Serialize)]
struct Asked<'a> {
    method: &'a str,
    #[serde(rename = "userAgent", skip_serializing_if = "Option::is_none")]
    user_agent: Option<Agent<'a>>,
}

#[derive(Serialize)]
struct Agent<'a> {
    original: &'a str,
}

#[derive(Serialize)]
struct Answer {
    body: Size,
    #[serde(rename = "statusCode")]
    status_code: u16,
}

#[derive(Serialize)]
struct Size {
    bytes: u64,
}

#[derive(Serialize)]
struct Path<'a> {
    path: &'a str,
}
