//! How long the server takes from its start to its first token, on the embedded store.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bench::{client::Client, process::Server, statistics};

use crate::{Options, SERVER_CPU};

/// How often it is started.
const STARTS: usize = 5;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Start {
    /// Milliseconds from before the process was started to the first token, in order.
    pub(crate) milliseconds: Vec<f64>,
    pub(crate) idle_kib: u64,
}

impl Start {
    /// The median of all starts.
    pub(crate) fn median(&self) -> f64 {
        statistics::median(&self.milliseconds)
    }
}

/// Fills a data directory, and starts the server on it a few times.
pub(crate) fn measure(options: &Options) -> Result<Start, Box<dyn Error>> {
    eprintln!("start: measuring");
    let data = options.directory.join("embedded");

    let mut server = Server::spawn(SERVER_CPU, &data, &options.settings)?;
    server.await_ready()?;
    let client = Client::register(server.address)?;
    let request = client.token_request();
    server.await_success(&request, Duration::from_millis(10))?;
    server.stop()?;

    let mut milliseconds = Vec::new();
    let mut idle_kib = 0;
    for _ in 0..STARTS {
        let start = Instant::now();
        let mut server = Server::spawn(SERVER_CPU, &data, &options.settings)?;
        server.await_success(&request, Duration::from_millis(1))?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        idle_kib = server.resident_kib()?;
        server.stop()?;
    }
    Ok(Start { milliseconds, idle_kib })
}
