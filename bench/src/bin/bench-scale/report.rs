//! What was measured, for people and for programs.

use std::fmt::{self, Write};

use bench::statistics::{median, quantile};
use serde_json::{Value, json};

use crate::{
    look_ups::{LookUps, Size},
    memory::Memory,
};

/// The most memory for 100 000 clients that are remembered, in MB.
const MOST_MEMORY: f64 = 150.0;

/// The most that a look-up among the most clients may take, as a multiple of one among the fewest.
const FLAT: f64 = 1.25;

/// The most memory after many clients, as a multiple of that after as many as are remembered.
const BOUNDED: f64 = 1.25;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) memory: Memory,
    pub(crate) look_ups: LookUps,
}

/// A figure that the project wants to stay below another.
struct Target {
    what: &'static str,
    is: f64,
    wanted: f64,
}

impl Report {
    /// One object with everything.
    pub(crate) fn json(&self) -> Value {
        let memory = &self.memory;
        let sizes = self.look_ups.sizes.iter().map(|it| {
            json!({
                "stored": it.stored,
                "first_token_us": latency_json(&it.first_tokens),
                "find_us": latency_json(&it.finds),
            })
        });
        let touched = self.look_ups.touched.iter();
        let touched = touched.map(|(clients, kib)| json!({ "clients": clients, "mb": mb(*kib) }));
        let targets = self.targets().into_iter().map(|it| {
            json!({ "what": it.what, "is": it.is, "wanted": it.wanted, "met": it.is <= it.wanted })
        });
        json!({
            "memory": {
                "clients": memory.clients,
                "idle_mb": mb(memory.idle_kib),
                "warm_mb": mb(memory.warm_kib),
                "again_mb": mb(memory.again_kib),
                "bytes_a_client": self.bytes_a_client(),
                "first_per_second": memory.first_per_second,
                "again_per_second": memory.again_per_second,
            },
            "look_ups": sizes.collect::<Vec<_>>(),
            "touched": touched.collect::<Vec<_>>(),
            "targets": targets.collect::<Vec<_>>(),
        })
    }

    /// The same as lines of text.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_table(&mut text);
        text
    }

    fn write_table(&self, out: &mut impl Write) -> fmt::Result {
        let memory = &self.memory;
        writeln!(out, "Memory, PostgreSQL, bcrypt of cost 4, {} clients", memory.clients)?;
        let (idle, warm, again) = (mb(memory.idle_kib), mb(memory.warm_kib), mb(memory.again_kib));
        writeln!(out, "  idle                 {idle:>7.1} MB")?;
        let rate = memory.first_per_second;
        writeln!(out, "  a token for each     {warm:>7.1} MB   {rate:.0} tokens/s")?;
        let rate = memory.again_per_second;
        writeln!(out, "  another one for each {again:>7.1} MB   {rate:.0} tokens/s")?;
        writeln!(out, "  each client          {:>7.0} bytes\n", self.bytes_a_client())?;

        writeln!(out, "Look-ups, PostgreSQL, one at a time, in turns; median and p99 in µs")?;
        writeln!(out, "{:>10} {:>20} {:>20}", "stored", "first token", "GET /clients/ID")?;
        for it in &self.look_ups.sizes {
            let latency =
                |values: &[f64]| format!("{:.0}, {:.0}", median(values), quantile(values, 0.99));
            let (tokens, finds) = (latency(&it.first_tokens), latency(&it.finds));
            writeln!(out, "{:>10} {tokens:>20} {finds:>20}", it.stored)?;
        }

        writeln!(out, "\nMemory after tokens for many clients, keyed hashes")?;
        for (clients, kib) in &self.look_ups.touched {
            writeln!(out, "{clients:>10} clients {:>7.1} MB", mb(*kib))?;
        }

        writeln!(out, "\nTargets")?;
        for Target { what, is, wanted } in self.targets() {
            let verdict = if is <= wanted { "met" } else { "MISSED" };
            writeln!(out, "  {verdict:<6} {what}: {is:.2} (at most {wanted})")?;
        }
        Ok(())
    }

    fn targets(&self) -> Vec<Target> {
        let most = self.memory.warm_kib.max(self.memory.again_kib);
        let mut targets = vec![Target {
            what: "memory with all clients warm, MB",
            is: mb(most),
            wanted: MOST_MEMORY,
        }];
        if let (Some(few), Some(many)) = (self.look_ups.sizes.first(), self.look_ups.sizes.last()) {
            let ratio = |of: fn(&Size) -> &[f64]| median(of(many)) / median(of(few));
            targets.push(Target {
                what: "first token, the most clients over the fewest",
                is: ratio(|it| &it.first_tokens),
                wanted: FLAT,
            });
            targets.push(Target {
                what: "GET /clients/ID, the most clients over the fewest",
                is: ratio(|it| &it.finds),
                wanted: FLAT,
            });
        }
        let touched = &self.look_ups.touched;
        if let (Some((_, full)), Some((_, last))) = (touched.get(1), touched.last()) {
            targets.push(Target {
                what: "memory, many clients over those that are remembered",
                is: mb(*last) / mb(*full),
                wanted: BOUNDED,
            });
        }
        targets
    }

    fn bytes_a_client(&self) -> f64 {
        let Memory { clients, idle_kib, warm_kib, .. } = self.memory;
        (mb(warm_kib) - mb(idle_kib)) * 1e6 / f64::from(clients)
    }
}

fn latency_json(microseconds: &[f64]) -> Value {
    json!({ "median": median(microseconds), "p99": quantile(microseconds, 0.99) })
}

#[expect(clippy::cast_precision_loss, reason = "memory is far less than 2^52 KiB")]
fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
