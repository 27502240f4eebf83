//! Whether a client that is unknown, one with a wrong secret and one that is disabled are refused
//! in the same words and in the same time (threat T22).

use std::error::Error;

use bench::{
    client::{self, Client},
    http::Connection,
    process::Server,
    statistics,
    timing::{self, Case, Sample},
};

use crate::{Options, SERVER_CPU, tokens};

/// What was measured.
#[derive(Debug)]
pub(crate) struct Refusals {
    pub(crate) samples: Vec<Sample>,
}

/// Two kinds of refusal, compared.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) one: &'static str,
    pub(crate) other: &'static str,
    /// The Mann-Whitney z-score of their times.
    pub(crate) z: f64,
    /// Whether status and body are the same.
    pub(crate) is_same_answer: bool,
}

impl Refusals {
    /// Each pair.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let mut comparisons = Vec::new();
        for (index, one) in self.samples.iter().enumerate() {
            for other in self.samples.iter().skip(index + 1) {
                comparisons.push(Comparison {
                    one: one.name,
                    other: other.name,
                    z: statistics::mann_whitney_z(&one.microseconds, &other.microseconds),
                    is_same_answer: one.response == other.response,
                });
            }
        }
        comparisons
    }
}

/// Times refusals, one at a time.
pub(crate) fn measure(options: &Options) -> Result<Refusals, Box<dyn Error>> {
    eprintln!("refusals: measuring, {} of each kind", options.samples);
    let management_token = client::random_letters(64)?;
    let database = tokens::ES256_DATABASE;
    let settings = tokens::postgres_settings(options, "ES256", database, &management_token);
    let data = options.directory.join("refusals");
    let mut server = Server::spawn(SERVER_CPU, &data, &settings)?;
    server.await_ready()?;

    // Both were let in before, so that whatever remembers a good secret remembers theirs.
    let known = Client::register(server.address)?;
    let disabled = Client::register(server.address)?;
    let mut connection = Connection::new(server.address);
    for client in [&known, &disabled] {
        let response = connection.exchange(&client.token_request())?;
        if response.status != 200 {
            return Err(format!("no token: {} {}", response.status, response.text()).into());
        }
    }
    let response = connection.exchange(&disabled.disable_request(&management_token))?;
    if !(200..300).contains(&response.status) {
        return Err(format!("not disabled: {} {}", response.status, response.text()).into());
    }

    let cases = [
        Case { name: "unknown client", request: Client::invent()?.token_request() },
        Case { name: "wrong secret", request: known.with_wrong_secret()?.token_request() },
        Case { name: "disabled client", request: disabled.token_request() },
    ];
    let samples = timing::sample(server.address, &cases, options.samples)?;
    for sample in &samples {
        if sample.response.status != 401 {
            let (status, text) = (sample.response.status, sample.response.text());
            return Err(format!("{}: expected 401, got {status} {text}", sample.name).into());
        }
    }
    server.stop()?;
    Ok(Refusals { samples })
}
