//! The clients that the benchmark registers.

use std::{error::Error, fs::File, io::Read, net::SocketAddr};

use bench::http::{Connection, Request};
use serde_json::Value;

/// Where tokens come from.
const TOKEN_PATH: &str = "/oauth/token";

/// A client and its secret.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Client {
    /// Registers a client, as anybody can.
    pub(crate) fn register(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let request = Request::new(
            "POST",
            "/register",
            &["Content-Type: application/json"],
            r#"{"client_name":"bench"}"#,
        );
        let response = Connection::new(address).exchange(&request)?;
        if response.status != 201 {
            return Err(format!("/register: {} {}", response.status, response.text()).into());
        }
        let answer: Value = serde_json::from_slice(&response.body)?;
        let member = |name: &str| {
            let value = answer.get(name).and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| format!("/register did not answer with a {name}"))
        };
        Ok(Self { id: member("client_id")?, secret: member("client_secret")? })
    }

    /// A client that nobody knows.
    pub(crate) fn invent() -> Result<Self, Box<dyn Error>> {
        Ok(Self { id: random_letters(32)?, secret: random_letters(48)? })
    }

    /// The same client with a secret that is not its own.
    pub(crate) fn with_wrong_secret(&self) -> Result<Self, Box<dyn Error>> {
        Ok(Self { id: self.id.clone(), secret: random_letters(48)? })
    }

    /// Its request for a token.
    pub(crate) fn token_request(&self) -> Request {
        Request::token(TOKEN_PATH, &self.id, &self.secret)
    }

    /// The request that disables it.
    pub(crate) fn disable_request(&self, management_token: &str) -> Request {
        Request::new(
            "POST",
            &format!("/clients/{}/disable", self.id),
            &[&format!("Authorization: Bearer {management_token}")],
            "",
        )
    }
}

/// Letters that nobody can guess; like ours, of those that need no encoding anywhere.
pub(crate) fn random_letters(count: usize) -> Result<String, Box<dyn Error>> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // A little uneven: good enough for one run.
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
