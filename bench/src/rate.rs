//! How much of something a server does, by the clock and by its own time.

use std::error::Error;

use crate::{
    load::{self, Load, Outcome},
    process::Server,
    statistics::median,
};

/// What one round came to.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// By the clock.
    pub per_second: f64,
    /// For each second that the server was at work: whoever else wants its core does not count.
    pub per_cpu_second: f64,
    /// The median latency.
    pub microseconds: u64,
}

/// Puts `load` on `server`. What was not answered with 200 is added to `errors`.
///
/// # Errors
///
/// If the load cannot be made at all, or the kernel does not say how long the server was at work.
pub fn measure(
    server: &Server,
    load: &Load,
    errors: &mut Vec<String>,
) -> Result<Rate, Box<dyn Error>> {
    let before = server.cpu_seconds()?;
    let outcome = load::run(load)?;
    let cpu_seconds = server.cpu_seconds()? - before;
    let Outcome { errors: count, first_error, .. } = &outcome;
    if 0 < *count {
        let first = first_error.as_deref().unwrap_or_default();
        errors.push(format!("{count} errors: {first}"));
    }
    let per_second = outcome.per_second();
    Ok(Rate {
        per_second,
        per_cpu_second: per_second * outcome.elapsed.as_secs_f64() / cpu_seconds,
        microseconds: outcome.microseconds.value_at_quantile(0.5),
    })
}

/// By the clock, a figure a round.
#[must_use]
pub fn per_second(rates: &[Rate]) -> Vec<f64> {
    rates.iter().map(|rate| rate.per_second).collect()
}

/// By the server's own time, a figure a round.
#[must_use]
pub fn per_cpu_second(rates: &[Rate]) -> Vec<f64> {
    rates.iter().map(|rate| rate.per_cpu_second).collect()
}

/// The median of the median latencies, in microseconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "latencies are far less than 2^52 µs")]
pub fn latency(rates: &[Rate]) -> f64 {
    median(&rates.iter().map(|rate| rate.microseconds as f64).collect::<Vec<_>>())
}
