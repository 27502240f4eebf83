//! What was measured, for people and for programs.

use std::fmt::{self, Write};

use bench::{
    rate::{latency, per_cpu_second, per_second},
    statistics::{median, spread},
};
use serde_json::{Value, json};

use crate::{
    endpoint::{Endpoint, Wanted},
    subject::Measured,
};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) measured: Vec<Measured>,
}

/// With fewer rounds nobody knows how far they lie apart.
const FEWEST_ROUNDS: usize = 3;

/// Whether an endpoint does what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// There is nothing to compare.
    Shown,
    /// It does.
    Reached,
    /// It does not, but rounds differ by as much: the machine was too busy to say.
    Unclear,
    /// It does not, whatever the machine was at.
    Below,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Shown => "",
            Self::Reached => "reached",
            Self::Unclear => "unclear",
            Self::Below => "BELOW",
        }
    }

    /// `reached` is what was reached of what was wanted, as a share; `spread` how far the rounds
    /// lie apart.
    fn of(reached: f64, spread: f64, rounds: usize) -> Self {
        if 1.0 <= reached {
            Self::Reached
        } else if FEWEST_ROUNDS <= rounds && spread < 1.0 - reached {
            Self::Below
        } else {
            Self::Unclear
        }
    }
}

impl Report {
    /// What must not happen, and did.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for it in &self.measured {
            let name = it.endpoint.name();
            failures.extend(it.errors.iter().map(|error| format!("{name}: {error}")));
            if self.verdict(it) == Verdict::Below {
                failures.push(format!("{name}: less than is wanted"));
            }
        }
        failures
    }

    /// Rates by the server's own time, as shares of those of `base` in the same round.
    fn shares(&self, it: &Measured, base: Endpoint) -> Vec<f64> {
        let empty = self.measured.iter().find(|it| it.endpoint == base);
        let empty = empty.map(|it| per_cpu_second(&it.rates)).unwrap_or_default();
        let rates = per_cpu_second(&it.rates);
        rates.iter().zip(empty).map(|(rate, empty)| rate / empty).collect()
    }

    fn verdict(&self, it: &Measured) -> Verdict {
        let rounds = it.rates.len();
        match it.endpoint.wanted() {
            Wanted::Nothing => Verdict::Shown,
            Wanted::Share(wanted) => {
                let shares = self.shares(it, Endpoint::Empty);
                Verdict::of(median(&shares) / wanted, spread(&shares), rounds)
            }
            Wanted::PerCpuSecond(wanted) => {
                let rates = per_cpu_second(&it.rates);
                Verdict::of(median(&rates) / wanted, spread(&rates), rounds)
            }
        }
    }

    /// One object with everything.
    pub(crate) fn json(&self) -> Value {
        let endpoints: Vec<Value> = self
            .measured
            .iter()
            .map(|it| {
                json!({
                    "endpoint": it.endpoint.name(),
                    "per_second": per_second(&it.rates),
                    "per_cpu_second": per_cpu_second(&it.rates),
                    "share_of_empty": median(&self.shares(it, Endpoint::Empty)),
                    "share_of_unlogged": median(&self.shares(it, Endpoint::Unlogged)),
                    "p50_us": latency(&it.rates),
                    "verdict": self.verdict(it).name(),
                })
            })
            .collect();
        json!({ "endpoints": endpoints, "failures": self.failures() })
    }

    /// The same as lines of text.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_table(&mut text);
        text
    }

    fn write_table(&self, out: &mut impl Write) -> fmt::Result {
        let rounds = self.measured.first().map_or(0, |it| it.rates.len());
        writeln!(out, "ES256, server on one core, PostgreSQL and Redis on another")?;
        writeln!(
            out,
            "medians of {rounds} rounds; share: of JSON that lies ready, by CPU second\n"
        )?;
        writeln!(
            out,
            "{:<26}{:>10}{:>9}{:>14}{:>9}{:>8}   wanted",
            "", "a second", "spread", "a CPU second", "p50", "share",
        )?;
        for it in &self.measured {
            let rates = per_second(&it.rates);
            let wanted = match it.endpoint.wanted() {
                Wanted::Nothing => String::new(),
                Wanted::Share(share) => format!("share {share}"),
                Wanted::PerCpuSecond(rate) => format!("{rate:.0} a CPU second"),
            };
            writeln!(
                out,
                "{:<26}{:>10.0}{:>7.1} %{:>14.0}{:>6.0} µs{:>8.2}   {wanted} {}",
                it.endpoint.name(),
                median(&rates),
                spread(&rates) * 100.0,
                median(&per_cpu_second(&it.rates)),
                latency(&it.rates),
                median(&self.shares(it, Endpoint::Empty)),
                self.verdict(it).name(),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bench::rate::Rate;

    use super::*;

    fn measured(endpoint: Endpoint, rates: [f64; 3]) -> Measured {
        let rate = |it| Rate { per_second: it, per_cpu_second: it, microseconds: 1 };
        Measured { endpoint, rates: rates.map(rate).into(), errors: Vec::new() }
    }

    fn verdict(endpoint: Endpoint, rates: [f64; 3]) -> Verdict {
        let empty = measured(Endpoint::Empty, [100_000.0; 3]);
        let report = Report { measured: vec![empty, measured(endpoint, rates)] };
        report.measured.last().map_or(Verdict::Shown, |it| report.verdict(it))
    }

    #[test]
    fn a_share_counts_within_each_round() {
        let wanted = |rates| verdict(Endpoint::IntrospectedJwt, rates);
        assert_eq!(wanted([61_000.0; 3]), Verdict::Reached);
        assert_eq!(wanted([50_000.0, 51_000.0, 50_000.0]), Verdict::Below);
        assert_eq!(wanted([40_000.0, 59_000.0, 70_000.0]), Verdict::Unclear);
    }

    #[test]
    fn a_rate_counts_by_the_servers_own_time() {
        assert_eq!(verdict(Endpoint::AssertedToken, [5_100.0; 3]), Verdict::Reached);
        assert_eq!(verdict(Endpoint::ReferenceToken, [5_100.0; 3]), Verdict::Below);
        assert_eq!(verdict(Endpoint::Token, [1.0; 3]), Verdict::Shown);
    }

    #[test]
    fn what_was_not_answered_is_a_failure() {
        let mut one = measured(Endpoint::Token, [1.0; 3]);
        one.errors.push("3 errors".to_owned());

        assert_eq!(Report { measured: vec![one] }.failures(), ["JWT for a secret: 3 errors"]);
    }
}
