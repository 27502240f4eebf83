//! Tokens per second beside raw signatures per second of the same core, and latency under load.

use std::{error::Error, ffi::OsString, process::Stdio, thread, time::Duration};

use bench::{
    client::{self, Client},
    load::{self, Load, Outcome, Requests},
    process::{self, Server},
    raw::{Family, Rate},
};
use serde_json::Value;

use crate::{Options, SERVER_CPU};

/// The share of the highest rate at which latency is measured.
const SHARE: f64 = 0.7;

/// How long caches, branch predictors and the allocator get before a rate is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// What was measured with one algorithm.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) algorithm: &'static str,
    /// Signatures per second, for each library.
    pub(crate) raw: Vec<Rate>,
    /// As many tokens as the server could make.
    pub(crate) closed: Outcome,
    /// At 70 % of that rate.
    pub(crate) open: Outcome,
    pub(crate) idle_kib: u64,
    pub(crate) loaded_kib: u64,
}

impl Measurement {
    /// Tokens per second over signatures per second of the faster library.
    pub(crate) fn ratio(&self) -> f64 {
        let raw = self.raw.iter().map(|rate| rate.per_second).fold(0.0, f64::max);
        self.closed.per_second() / raw
    }
}

/// An algorithm's name, its key, and the database that `cargo xtask bench` made for it.
const ALGORITHMS: [(&str, Family, &str); 3] = [
    ("RS256", Family::Rsa2048, "bench_rs256"),
    ("ES256", Family::P256, ES256_DATABASE),
    ("EdDSA", Family::Ed25519, "bench_eddsa"),
];

/// The database that later measurements use again.
pub(crate) const ES256_DATABASE: &str = "bench_es256";

/// Measures each algorithm.
pub(crate) fn measure(options: &Options) -> Result<Vec<Measurement>, Box<dyn Error>> {
    ALGORITHMS
        .iter()
        .map(|(algorithm, family, database)| {
            eprintln!("{algorithm}: measuring");
            measure_one(options, algorithm, *family, database)
        })
        .collect()
}

fn measure_one(
    options: &Options,
    algorithm: &'static str,
    family: Family,
    database: &str,
) -> Result<Measurement, Box<dyn Error>> {
    let settings = postgres_settings(options, algorithm, database, &client::random_letters(64)?);
    let data = options.directory.join(database);
    let mut server = Server::spawn(SERVER_CPU, &data, &settings)?;
    server.await_ready()?;
    // What the start left to do in the background is done by then.
    thread::sleep(Duration::from_secs(1));
    let idle_kib = server.resident_kib()?;

    let client = Client::register(server.address)?;
    client::must_sign_with(&server, &client, algorithm)?;
    let raw = raw_rates(family)?;

    let mut load = Load {
        address: server.address,
        requests: Requests::Again(client.token_request()),
        connections: options.connections,
        duration: WARM_UP,
        rate: None,
    };
    load::run(&load)?;
    load.duration = options.duration;
    let closed = load::run(&load)?;
    load.rate = Some(closed.per_second() * SHARE);
    let open = load::run(&load)?;
    let loaded_kib = server.resident_kib()?;
    server.stop()?;

    Ok(Measurement { algorithm, raw, closed, open, idle_kib, loaded_kib })
}

/// A server with every store in PostgreSQL.
pub(crate) fn postgres_settings(
    options: &Options,
    algorithm: &str,
    database: &str,
    management_token: &str,
) -> Vec<(String, OsString)> {
    let own = [
        ("TOKENWRIGHT__STORES__DEFAULT", "postgres".to_owned()),
        ("TOKENWRIGHT__POSTGRES__URL", format!("{}/{database}", options.postgres)),
        ("TOKENWRIGHT__TOKENS__ALGORITHM", algorithm.to_owned()),
        ("TOKENWRIGHT__MANAGEMENT__TOKEN", management_token.to_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    own.chain(options.settings.iter().cloned()).collect()
}

/// The rates of the server's core, while the server waits.
fn raw_rates(family: Family) -> Result<Vec<Rate>, Box<dyn Error>> {
    let output = process::pinned(&process::sibling("bench-raw")?, SERVER_CPU)
        .args(["--seconds", "2", "--only", family.name()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("bench-raw: {}", output.status).into());
    }
    let mut rates = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let rate: Value = serde_json::from_str(line)?;
        let name = rate.get("name").and_then(Value::as_str);
        let per_second = rate.get("per_second").and_then(Value::as_f64);
        let (Some(name), Some(per_second)) = (name, per_second) else {
            return Err(format!("bench-raw said {line}").into());
        };
        rates.push(Rate { name: name.to_owned(), per_second });
    }
    Ok(rates)
}
