//! One JSON object for each request, on standard output.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Writes lines without waiting: whoever reads the log too slowly loses some of it, and no request
/// waits.
pub(crate) struct AccessLog {
    writer: Mutex<NonBlocking>,
}

/// What became of a request. It holds no query, no header and no body.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry<'a> {
    /// When the answer had been sent, as RFC 3339 says.
    pub(crate) time: String,
    /// The id that the caller and the server behind us know, too.
    pub(crate) request_id: &'a str,
    /// Which listener took it.
    pub(crate) listener: &'a str,
    /// Who asked, as far as listed proxies say.
    pub(crate) client_address: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub(crate) protocol: &'static str,
    /// The method.
    pub(crate) method: &'a str,
    /// The host that was asked for.
    pub(crate) host: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// The route, if one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    /// What the policies came to.
    pub(crate) policy_outcome: &'static str,
    /// Whom the policies name.
    #[serde(rename = "ClientUsername", skip_serializing_if = "Option::is_none")]
    pub(crate) client_username: Option<&'a str>,
    /// `hit` or `miss`, if a token was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_cache: Option<&'static str>,
    /// What the caller was told; 0 if nothing reached it.
    pub(crate) status: u16,
    /// The server that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<String>,
    /// How long it took from the last attempt to its first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_ms: Option<f64>,
    /// How often servers were tried.
    pub(crate) attempts: usize,
    /// How long all of it took.
    pub(crate) duration_ms: f64,
    /// Bytes of the request's body.
    pub(crate) request_bytes: usize,
    /// Bytes of the answer's body.
    pub(crate) response_bytes: usize,
    /// Why it failed, in our words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
}

impl AccessLog {
    /// Starts to write to standard output. The guard writes what is left when it is dropped.
    pub(crate) fn start() -> (Self, WorkerGuard) {
        let builder = NonBlockingBuilder::default().lossy(true).thread_name("access-log");
        let (writer, guard) = builder.finish(io::stdout());
        (Self { writer: Mutex::new(writer) }, guard)
    }

    /// Writes one line.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        // It only puts the line into a queue, and counts what does not fit.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        drop(writer.write_all(&line));
    }

    /// How many lines were lost.
    pub(crate) fn lost(&self) -> usize {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).error_counter().dropped_lines()
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// Now, as RFC 3339 says.
pub(crate) fn rfc3339() -> String {
    let now = time::OffsetDateTime::now_utc();
    now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
