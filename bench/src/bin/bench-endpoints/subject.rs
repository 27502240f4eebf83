//! The server that is asked, and what is measured of it.

use std::{error::Error, time::Duration};

use bench::{
    client::{self, Client},
    http::Request,
    key_client::KeyClient,
    load::{Load, Requests},
    process::Server,
    rate::{self, Rate},
};
use serde_json::json;

use crate::{Options, SERVER_CPU, endpoint::Endpoint};

/// The database that `cargo xtask bench endpoints` makes.
const DATABASE: &str = "bench_endpoints";

const ISSUER: &str = "https://tokens.example";

/// How many tokens are asked about in turns: as a handful of services would.
const TOKENS: usize = 1_000;

/// How long branch predictors and the allocator get before the first round.
const WARM_UP: Duration = Duration::from_secs(1);

/// The longest that all requests of a round may take.
const ENOUGH: Duration = Duration::from_mins(2);

/// A running server.
#[derive(Debug)]
pub(crate) struct Subject {
    server: Server,
    unlogged: Request,
    empty: Request,
    about_jwts: Vec<Request>,
    about_references: Vec<Request>,
    token: Request,
    reference: Request,
    key_client: KeyClient,
    measured: Vec<Measured>,
}

/// What was measured of an endpoint.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) endpoint: Endpoint,
    /// One figure a round.
    pub(crate) rates: Vec<Rate>,
    /// What was not answered as it should.
    pub(crate) errors: Vec<String>,
}

impl Subject {
    /// Starts the server, and makes the clients and the tokens.
    pub(crate) fn prepare(options: &Options) -> Result<Self, Box<dyn Error>> {
        let management_token = client::random_letters(64)?;
        let settings = [
            ("STORES__DEFAULT", "postgres".to_owned()),
            ("POSTGRES__URL", format!("{}/{DATABASE}", options.postgres)),
            ("STORES__TOKENS", "redis".to_owned()),
            ("STORES__REPLAY", "redis".to_owned()),
            ("REDIS__HOSTS", options.redis.clone()),
            ("TOKENS__ISSUER", ISSUER.to_owned()),
            ("TOKENS__ALGORITHM", "ES256".to_owned()),
            ("REGISTRATION__KEY_ALGORITHMS", "ES256".to_owned()),
            ("MANAGEMENT__TOKEN", management_token.clone()),
        ];
        let settings = settings.map(|(name, value)| (format!("TOKENWRIGHT__{name}"), value.into()));
        let data = options.directory.join("endpoints");
        let mut server = Server::spawn(SERVER_CPU, &data, &settings)?;
        server.await_ready()?;

        let address = server.address;
        let made = |metadata| Client::create(address, &management_token, &metadata);
        let plain = made(json!({"client_name": "bench"}))?;
        let reference = made(json!({"client_name": "bench", "access_token_format": "reference"}))?;
        let capabilities = ["client_credentials", "introspection"];
        let api = made(json!({"client_name": "bench", "capabilities": capabilities}))?;
        client::must_sign_with(&server, &plain, "ES256")?;
        let about = |owner: &Client| {
            (0..TOKENS)
                .map(|_| Ok(api.introspection(&owner.token(address)?)))
                .collect::<Result<Vec<_>, Box<dyn Error>>>()
        };
        let mut subject = Self {
            unlogged: Request::new("GET", "/-/healthz", &[], ""),
            empty: Request::new("GET", "/.well-known/jwks.json", &[], ""),
            about_jwts: about(&plain)?,
            about_references: about(&reference)?,
            token: plain.token_request(),
            reference: reference.token_request(),
            key_client: KeyClient::register(address, ISSUER)?,
            measured: Endpoint::ALL
                .map(|endpoint| Measured { endpoint, rates: Vec::new(), errors: Vec::new() })
                .into(),
            server,
        };
        subject.must_be_active()?;
        for endpoint in Endpoint::ALL {
            subject.rate(endpoint, options, WARM_UP)?;
        }
        Ok(subject)
    }

    /// Measures nothing if the tokens are worth nothing.
    fn must_be_active(&self) -> Result<(), Box<dyn Error>> {
        let mut connection = bench::http::Connection::new(self.server.address);
        for request in self.about_jwts.iter().chain(&self.about_references) {
            let answer = connection.exchange(request)?;
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if body.get("active") != Some(&true.into()) {
                return Err(format!("not active: {} {}", answer.status, answer.text()).into());
            }
        }
        Ok(())
    }

    /// One round. Another endpoint begins each.
    pub(crate) fn run(&mut self, options: &Options, round: usize) -> Result<(), Box<dyn Error>> {
        let mut endpoints = Endpoint::ALL;
        endpoints.rotate_left(round % Endpoint::ALL.len());
        for endpoint in endpoints {
            let rate = self.rate(endpoint, options, options.duration)?;
            if let Some(measured) = self.measured_of(endpoint) {
                measured.rates.push(rate);
            }
        }
        Ok(())
    }

    /// Stops the server; what was measured.
    pub(crate) fn stop(self) -> Result<Vec<Measured>, Box<dyn Error>> {
        self.server.stop()?;
        Ok(self.measured)
    }

    fn measured_of(&mut self, endpoint: Endpoint) -> Option<&mut Measured> {
        self.measured.iter_mut().find(|it| it.endpoint == endpoint)
    }

    fn rate(
        &mut self,
        endpoint: Endpoint,
        options: &Options,
        duration: Duration,
    ) -> Result<Rate, Box<dyn Error>> {
        let (requests, duration) = match endpoint {
            Endpoint::Unlogged => (Requests::Again(self.unlogged.clone()), duration),
            Endpoint::Empty => (Requests::Again(self.empty.clone()), duration),
            Endpoint::IntrospectedJwt => (Requests::InTurns(self.about_jwts.clone()), duration),
            Endpoint::IntrospectedReference => {
                (Requests::InTurns(self.about_references.clone()), duration)
            }
            Endpoint::Token => (Requests::Again(self.token.clone()), duration),
            // The store and this program share a core: whoever asks must sleep while it writes.
            Endpoint::AssertedToken => {
                (Requests::Once(self.key_client.requests(options.requests)?), ENOUGH)
            }
            Endpoint::ReferenceToken => {
                (Requests::Once(vec![self.reference.clone(); options.requests]), ENOUGH)
            }
        };
        let (address, connections) = (self.server.address, options.connections);
        let load = Load { address, requests, connections, duration, rate: None };
        let mut errors = Vec::new();
        let rate = rate::measure(&self.server, &load, &mut errors)?;
        if let Some(measured) = self.measured_of(endpoint) {
            measured.errors.append(&mut errors);
        }
        Ok(rate)
    }
}
