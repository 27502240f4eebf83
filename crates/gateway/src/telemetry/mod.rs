//! What operators see: a log on standard error, an access log on standard output, and numbers.

mod access_log;
mod metrics;

pub(crate) use access_log::{AccessLog, Entry, millis, rfc3339};
pub(crate) use metrics::{Counted, Metrics};

use std::io;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// What every request reports to.
pub(crate) struct Telemetry {
    /// One line for each request.
    pub(crate) access_log: AccessLog,
    /// Numbers for Prometheus.
    pub(crate) metrics: Metrics,
}

/// Starts to log events as JSON on standard error. The guard writes what is left when it is dropped.
///
/// Nobody waits for whoever reads it: a flood of refused requests writes a flood of lines.
///
/// Libraries are heard from `warn` on, but not those parts of pingora that print requests: a query
/// may hold credentials, and a header always does. What they would say stands in the access log.
pub(crate) fn log_events() -> WorkerGuard {
    let builder = NonBlockingBuilder::default().lossy(true).thread_name("log");
    let (writer, guard) = builder.finish(io::stderr());
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(["gateway", "app", "domain", "adapter"].map(|it| (it, LevelFilter::INFO)))
        .with_targets(
            ["pingora_proxy", "pingora_cache", "pingora_core::apps", "pingora_core::protocols"]
                .map(|it| (it, LevelFilter::OFF)),
        );
    let lines = fmt::layer().json().flatten_event(true).with_writer(writer);
    // Somebody else's subscriber is good enough.
    drop(tracing_subscriber::registry().with(lines.with_filter(targets)).try_init());
    guard
}
