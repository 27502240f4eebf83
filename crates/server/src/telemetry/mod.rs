//! What the server tells about itself: logs, metrics, traces. Never a secret, a token, a query
//! string or a body.

mod json_lines;
mod line_writer;
mod measured;
mod metrics;
mod request_log;
pub(crate) mod stopwatch;
pub(crate) mod traces;

pub(crate) use json_lines::Logging;
pub(crate) use measured::Measured;
pub(crate) use metrics::{Metrics, Sample};
pub(crate) use request_log::{Finished, RequestLog};
