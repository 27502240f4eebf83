//! One server on one stack, and what is measured of it.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bench::{
    client::{self, Client},
    http::{Connection, Request},
    key_client::KeyClient,
    load::{Load, Requests},
    process::Server,
    rate::{self, Rate},
};

use crate::{
    Options, SERVER_CPU,
    crud_service::CrudService,
    stack::{ISSUER, Stack},
};

/// How many clients ask for a token that nothing is remembered of.
const COLD_CLIENTS: usize = 32;

/// How long branch predictors and the allocator get before the first round.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long caches get at the start of each round: while the others had their turn, what was
/// remembered may have ceased to be fresh.
const REFRESH: Duration = Duration::from_millis(200);

/// The longest that all assertions of a round may take.
const ENOUGH: Duration = Duration::from_mins(2);

/// A running server.
#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) stack: Stack,
    server: Server,
    request: Request,
    key_client: KeyClient,
    measured: Measured,
}

/// What was measured of a stack.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) stack: Stack,
    /// The very first token of a new process.
    pub(crate) first_ms: f64,
    /// The first token of each further client, nothing of which is remembered.
    pub(crate) cold_ms: Vec<f64>,
    /// Tokens for a secret, warm: one figure a round.
    pub(crate) tokens: Vec<Rate>,
    /// Tokens for assertions, each of which is written down as used.
    pub(crate) assertions: Vec<Rate>,
    /// What was not answered as it should.
    pub(crate) errors: Vec<String>,
}

impl Contestant {
    /// Registers clients with one server, starts another, which remembers nothing, and sees how
    /// long their first tokens take.
    pub(crate) fn prepare(
        stack: Stack,
        options: &Options,
        crud: &CrudService,
    ) -> Result<Self, Box<dyn Error>> {
        eprintln!("{}: starting", stack.name());
        let settings = stack.settings(options, crud);
        let data = options.directory.join(stack.name());
        let mut server = Server::spawn(SERVER_CPU, &data, &settings)?;
        server.await_ready()?;
        let address = server.address;
        let clients =
            (0..=COLD_CLIENTS).map(|_| Client::register(address)).collect::<Result<Vec<_>, _>>()?;
        let key_client = KeyClient::register(address, ISSUER)?;
        server.stop()?;

        let mut server = Server::spawn(SERVER_CPU, &data, &settings)?;
        server.await_ready()?;
        let mut connection = Connection::new(server.address);
        let mut milliseconds = Vec::new();
        for client in &clients {
            let start = Instant::now();
            let response = connection.exchange(&client.token_request())?;
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
            if response.status != 200 {
                let (status, text, log) = (response.status, response.text(), server.log_tail());
                return Err(format!("no token: {status} {text}\n{log}").into());
            }
        }
        let client = clients.first().ok_or("no client")?;
        client::must_sign_with(&server, client, "ES256")?;
        let request = client.token_request();
        let mut contestant = Self {
            stack,
            server,
            request,
            key_client,
            measured: Measured {
                stack,
                first_ms: milliseconds.first().copied().unwrap_or_default(),
                cold_ms: milliseconds.split_off(1),
                tokens: Vec::new(),
                assertions: Vec::new(),
                errors: Vec::new(),
            },
        };
        contestant.tokens(options, WARM_UP)?;
        Ok(contestant)
    }

    /// One round.
    pub(crate) fn run(&mut self, options: &Options) -> Result<(), Box<dyn Error>> {
        self.tokens(options, REFRESH)?;
        let rate = self.tokens(options, options.duration)?;
        self.measured.tokens.push(rate);

        let requests = self.key_client.requests(options.assertions)?;
        let rate = self.load(options, Requests::Once(requests), ENOUGH)?;
        self.measured.assertions.push(rate);
        Ok(())
    }

    /// Stops the server; what was measured.
    pub(crate) fn stop(self) -> Result<Measured, Box<dyn Error>> {
        self.server.stop()?;
        Ok(self.measured)
    }

    fn tokens(&mut self, options: &Options, duration: Duration) -> Result<Rate, Box<dyn Error>> {
        self.load(options, Requests::Again(self.request.clone()), duration)
    }

    fn load(
        &mut self,
        options: &Options,
        requests: Requests,
        duration: Duration,
    ) -> Result<Rate, Box<dyn Error>> {
        let (address, connections) = (self.server.address, options.connections);
        let load = Load { address, requests, connections, duration, rate: None };
        rate::measure(&self.server, &load, &mut self.measured.errors)
    }
}
