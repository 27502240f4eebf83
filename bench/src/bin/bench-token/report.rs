//! What was measured, for people and for programs.

#![expect(clippy::cast_precision_loss, reason = "memory is far less than 2^52 KiB")]

use std::fmt::{self, Write};

use bench::{load::Outcome, statistics};
use serde_json::{Value, json};

use crate::{
    refusals::{Comparison, Refusals},
    start::Start,
    tokens::Measurement,
};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) algorithms: Vec<Measurement>,
    pub(crate) start: Start,
    pub(crate) refusals: Refusals,
}

/// A figure that the project wants to reach.
struct Target {
    what: String,
    is: f64,
    wanted: f64,
    is_ceiling: bool,
}

impl Target {
    fn is_met(&self) -> bool {
        if self.is_ceiling { self.is <= self.wanted } else { self.is >= self.wanted }
    }
}

impl Report {
    /// What must not happen, and did.
    pub(crate) fn failures(&self, max_z: f64) -> Vec<String> {
        let mut failures = Vec::new();
        for measurement in &self.algorithms {
            for (name, outcome) in [("closed", &measurement.closed), ("open", &measurement.open)] {
                if outcome.errors > 0 {
                    let (algorithm, errors) = (measurement.algorithm, outcome.errors);
                    let first = outcome.first_error.as_deref().unwrap_or_default();
                    failures.push(format!("{algorithm}, {name} loop: {errors} errors: {first}"));
                }
            }
        }
        for Comparison { one, other, z, is_same_answer } in self.refusals.comparisons() {
            if !is_same_answer {
                failures.push(format!("{one} and {other} are answered differently"));
            }
            if z.abs() > max_z {
                failures.push(format!("{one} and {other} can be told apart: z = {z:.2}"));
            }
        }
        failures
    }

    /// One object with everything.
    pub(crate) fn json(&self, max_z: f64) -> Value {
        let algorithms: Vec<Value> = self
            .algorithms
            .iter()
            .map(|it| {
                json!({
                    "algorithm": it.algorithm,
                    "raw_per_second": it.raw.iter()
                        .map(|rate| (rate.name.clone(), json!(rate.per_second)))
                        .collect::<serde_json::Map<_, _>>(),
                    "tokens_per_second": it.closed.per_second(),
                    "ratio": it.ratio(),
                    "closed_loop": outcome_json(&it.closed),
                    "open_loop": outcome_json(&it.open),
                    "idle_kib": it.idle_kib,
                    "loaded_kib": it.loaded_kib,
                })
            })
            .collect();
        let refusals: Vec<Value> = self
            .refusals
            .samples
            .iter()
            .map(|sample| {
                json!({
                    "case": sample.name,
                    "count": sample.microseconds.len(),
                    "median_us": statistics::median(&sample.microseconds),
                    "status": sample.response.status,
                })
            })
            .collect();
        let comparisons: Vec<Value> = self
            .refusals
            .comparisons()
            .iter()
            .map(|it| {
                json!({
                    "one": it.one,
                    "other": it.other,
                    "z": it.z,
                    "same_answer": it.is_same_answer,
                })
            })
            .collect();
        let targets: Vec<Value> = self
            .targets()
            .iter()
            .map(|it| {
                json!({ "what": it.what, "is": it.is, "wanted": it.wanted, "met": it.is_met() })
            })
            .collect();
        json!({
            "algorithms": algorithms,
            "start": {
                "milliseconds": self.start.milliseconds,
                "median_ms": self.start.median(),
                "resident_kib": self.start.idle_kib,
            },
            "refusals": { "max_z": max_z, "cases": refusals, "comparisons": comparisons },
            "targets": targets,
            "failures": self.failures(max_z),
        })
    }

    /// The same as lines of text.
    pub(crate) fn table(&self, max_z: f64) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_table(&mut text, max_z);
        text
    }

    fn write_table(&self, out: &mut impl Write, max_z: f64) -> fmt::Result {
        writeln!(out, "Tokens, client_secret_basic, server on one core, PostgreSQL attached")?;
        writeln!(
            out,
            "{:<6} {:>9} {:>22} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
            "alg",
            "tokens/s",
            "raw/s aws-lc, openssl",
            "ratio",
            "p50 70%",
            "p99 70%",
            "max 70%",
            "errors",
            "idle MiB",
            "then MiB",
        )?;
        for it in &self.algorithms {
            let raw: Vec<String> =
                it.raw.iter().map(|rate| format!("{:.0}", rate.per_second)).collect();
            let latency = &it.open.microseconds;
            writeln!(
                out,
                "{:<6} {:>9.0} {:>22} {:>6.2} {:>8} {:>8} {:>8} {:>8} {:>9.1} {:>9.1}",
                it.algorithm,
                it.closed.per_second(),
                raw.join(", "),
                it.ratio(),
                micros(latency.value_at_quantile(0.5)),
                micros(latency.value_at_quantile(0.99)),
                micros(latency.max()),
                it.closed.errors + it.open.errors,
                mib(it.idle_kib),
                mib(it.loaded_kib),
            )?;
        }

        let runs: Vec<String> =
            self.start.milliseconds.iter().map(|it| format!("{it:.0}")).collect();
        writeln!(
            out,
            "\nStart to first token, embedded store: {:.0} ms (median of {}); {:.1} MiB then",
            self.start.median(),
            runs.join(", "),
            mib(self.start.idle_kib),
        )?;

        writeln!(out, "\nRefusals, one at a time")?;
        for sample in &self.refusals.samples {
            let (name, count) = (sample.name, sample.microseconds.len());
            let median = statistics::median(&sample.microseconds);
            writeln!(out, "  {name:<16} {count} times, median {median:.0} µs")?;
        }
        for it in self.refusals.comparisons() {
            let answer = if it.is_same_answer { "same answer" } else { "ANOTHER ANSWER" };
            let time = if it.z.abs() <= max_z { "alike" } else { "TOLD APART" };
            let (one, other, z) = (it.one, it.other, it.z);
            writeln!(out, "  {one} / {other}: {answer}, z = {z:.2} (bound {max_z}): {time}")?;
        }

        writeln!(out, "\nTargets")?;
        for target in self.targets() {
            let verdict = if target.is_met() { "met" } else { "MISSED" };
            let bound = if target.is_ceiling { "at most" } else { "at least" };
            let (what, is, wanted) = (&target.what, target.is, target.wanted);
            writeln!(out, "  {verdict:<6} {what}: {is:.2} ({bound} {wanted})")?;
        }
        Ok(())
    }

    fn targets(&self) -> Vec<Target> {
        let floor =
            |what: String, is: f64, wanted: f64| Target { what, is, wanted, is_ceiling: false };
        let ceiling =
            |what: String, is: f64, wanted: f64| Target { what, is, wanted, is_ceiling: true };
        let mut targets = Vec::new();
        for it in &self.algorithms {
            let name = it.algorithm;
            if name == "RS256" {
                targets.push(floor(format!("{name}, share of raw signing"), it.ratio(), 0.9));
            } else {
                let rate = it.closed.per_second();
                targets.push(floor(format!("{name}, tokens per second"), rate, 12_000.0));
            }
            let p99 = it.open.microseconds.value_at_quantile(0.99) as f64 / 1e3;
            targets.push(ceiling(format!("{name}, p99 at 70 % load, ms"), p99, 5.0));
        }
        let idle = self.algorithms.iter().map(|it| it.idle_kib).max().unwrap_or_default();
        targets.push(ceiling("idle memory, MiB".to_owned(), mib(idle), 30.0));
        let start = self.start.median();
        targets.push(ceiling("start to first token, ms".to_owned(), start, 150.0));
        targets
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    let latency = &outcome.microseconds;
    json!({
        "requests": outcome.requests,
        "errors": outcome.errors,
        "per_second": outcome.per_second(),
        "p50_us": latency.value_at_quantile(0.5),
        "p90_us": latency.value_at_quantile(0.9),
        "p99_us": latency.value_at_quantile(0.99),
        "max_us": latency.max(),
    })
}

fn micros(microseconds: u64) -> String {
    if microseconds < 10_000 {
        format!("{microseconds} µs")
    } else {
        format!("{:.1} ms", microseconds as f64 / 1e3)
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
