//! What was measured, for people and for programs.

use std::fmt::{self, Write};

use bench::{
    rate::{latency, per_cpu_second, per_second},
    statistics::{median, spread},
};
use serde_json::{Value, json};

use crate::contestant::Measured;

/// The share of the best stack's tokens that every stack is to reach: the warm path does no I/O.
const WANTED: f64 = 0.95;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) stacks: Vec<Measured>,
}

/// With fewer rounds nobody knows how far they lie apart.
const FEWEST_ROUNDS: usize = 3;

/// How a stack compares to the best one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Comparison {
    median: f64,
    /// Between the rounds of this stack.
    spread: f64,
    /// Of the best median.
    ratio: f64,
    verdict: Verdict,
}

/// Whether the difference to the best stack is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is within the bound.
    Within,
    /// It is not, but rounds of one stack differ by as much: the machine was too busy to say.
    Unclear,
    /// It is not, whatever the machine was at.
    Below,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Within => "within 5 %",
            Self::Unclear => "unclear",
            Self::Below => "BELOW",
        }
    }
}

/// Compares the rounds of each stack to those of the best one.
fn compare(stacks: &[Vec<f64>]) -> Vec<Comparison> {
    let best = stacks.iter().max_by(|one, other| median(one).total_cmp(&median(other)));
    let (best, best_spread) = best.map_or((0.0, 0.0), |it| (median(it), spread(it)));
    let compared = stacks.iter().map(|rounds| {
        let (median, spread) = (median(rounds), spread(rounds));
        let ratio = median / best;
        let verdict = if WANTED <= ratio {
            Verdict::Within
        } else if FEWEST_ROUNDS <= rounds.len() && spread.max(best_spread) < 1.0 - ratio {
            Verdict::Below
        } else {
            Verdict::Unclear
        };
        Comparison { median, spread, ratio, verdict }
    });
    compared.collect()
}

impl Report {
    /// What must not happen, and did.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (stack, tokens) in self.stacks.iter().zip(self.tokens()) {
            let name = stack.stack.name();
            failures.extend(stack.errors.iter().map(|error| format!("{name}: {error}")));
            if tokens.verdict == Verdict::Below {
                let percent = tokens.ratio * 100.0;
                failures.push(format!("{name}: {percent:.1} % of the tokens of the best stack"));
            }
        }
        failures
    }

    fn tokens(&self) -> Vec<Comparison> {
        let rounds: Vec<_> = self.stacks.iter().map(|it| per_second(&it.tokens)).collect();
        compare(&rounds)
    }

    fn tokens_per_cpu_second(&self) -> Vec<Comparison> {
        let rounds: Vec<_> = self.stacks.iter().map(|it| per_cpu_second(&it.tokens)).collect();
        compare(&rounds)
    }

    /// One object with everything.
    pub(crate) fn json(&self) -> Value {
        let compared = self.tokens().into_iter().zip(self.tokens_per_cpu_second());
        let stacks: Vec<Value> = self
            .stacks
            .iter()
            .zip(compared)
            .map(|(it, (tokens, per_cpu))| {
                json!({
                    "stack": it.stack.name(),
                    "tokens": comparison_json(&tokens, &per_second(&it.tokens)),
                    "tokens_per_cpu_second":
                        comparison_json(&per_cpu, &per_cpu_second(&it.tokens)),
                    "assertions": {
                        "median": median(&per_second(&it.assertions)),
                        "spread": spread(&per_second(&it.assertions)),
                        "rounds": per_second(&it.assertions),
                        "per_cpu_second": median(&per_cpu_second(&it.assertions)),
                        "p50_us": latency(&it.assertions),
                    },
                    "first_token_ms": it.first_ms,
                    "cold_token_median_ms": median(&it.cold_ms),
                    "cold_tokens": it.cold_ms.len(),
                })
            })
            .collect();
        json!({ "wanted": WANTED, "stacks": stacks, "failures": self.failures() })
    }

    /// The same as lines of text.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_table(&mut text);
        text
    }

    fn write_table(&self, out: &mut impl Write) -> fmt::Result {
        let rounds = self.stacks.first().map_or(0, |it| it.tokens.len());
        writeln!(out, "Warm tokens, ES256, client_secret_basic, server on one core")?;
        writeln!(out, "medians of {rounds} rounds; ratio: of the best stack, at least {WANTED}\n")?;
        for (what, comparisons) in [
            ("a second", self.tokens()),
            ("a second of the server's CPU time", self.tokens_per_cpu_second()),
        ] {
            writeln!(out, "{:<16}{:>10}{:>9}{:>8}   {what}", "stack", "tokens", "spread", "ratio")?;
            for (it, compared) in self.stacks.iter().zip(comparisons) {
                writeln!(
                    out,
                    "{:<16}{:>10.0}{:>7.1} %{:>8.3}   {}",
                    it.stack.name(),
                    compared.median,
                    compared.spread * 100.0,
                    compared.ratio,
                    compared.verdict.name(),
                )?;
            }
            writeln!(out)?;
        }

        writeln!(out, "Assertions, private_key_jwt, ES256: each is written down as used")?;
        writeln!(
            out,
            "{:<16}{:>10}{:>9}{:>13}{:>9}   and tokens of clients of whom nothing is remembered",
            "stack", "a second", "spread", "a CPU second", "p50",
        )?;
        for it in &self.stacks {
            let rates = per_second(&it.assertions);
            writeln!(
                out,
                "{:<16}{:>10.0}{:>7.1} %{:>13.0}{:>6.0} µs   first {:.1} ms, then {:.1} ms",
                it.stack.name(),
                median(&rates),
                spread(&rates) * 100.0,
                median(&per_cpu_second(&it.assertions)),
                latency(&it.assertions),
                it.first_ms,
                median(&it.cold_ms),
            )?;
        }
        Ok(())
    }
}

fn comparison_json(it: &Comparison, rounds: &[f64]) -> Value {
    json!({
        "median": it.median,
        "spread": it.spread,
        "ratio": it.ratio,
        "verdict": it.verdict.name(),
        "rounds": rounds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(stacks: &[&[f64]]) -> Vec<Verdict> {
        let stacks: Vec<Vec<f64>> = stacks.iter().map(|it| it.to_vec()).collect();
        compare(&stacks).iter().map(|it| it.verdict).collect()
    }

    #[test]
    fn a_stack_within_the_bound_passes() {
        let verdicts = verdicts(&[&[100.0, 101.0, 99.0], &[96.0, 95.5, 97.0]]);

        assert_eq!(verdicts, [Verdict::Within, Verdict::Within]);
    }

    #[test]
    fn a_difference_larger_than_the_spread_is_one() {
        let verdicts = verdicts(&[&[100.0, 101.0, 99.0], &[90.0, 91.0, 89.0]]);

        assert_eq!(verdicts, [Verdict::Within, Verdict::Below]);
    }

    #[test]
    fn two_rounds_say_nothing() {
        assert_eq!(verdicts(&[&[100.0; 2], &[50.0; 2]]), [Verdict::Within, Verdict::Unclear]);
    }

    #[test]
    fn a_difference_within_the_spread_says_nothing() {
        for steady in [[100.0, 101.0, 99.0], [100.0, 130.0, 70.0]] {
            let verdicts = verdicts(&[&steady, &[60.0, 90.0, 120.0]]);

            assert_eq!(verdicts, [Verdict::Within, Verdict::Unclear], "{steady:?}");
        }
    }
}
