//! The clients that benchmarks register, and what they ask for.

use std::{error::Error, fs::File, io::Read, net::SocketAddr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    http::{Connection, Request},
    process::Server,
};

/// Where tokens come from.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";

/// A client and its secret.
#[derive(Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret, in the clear.
    pub secret: String,
}

impl Client {
    /// Registers a client with a secret, as anybody can.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub fn register(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let answer = registered(address, &json!({ "client_name": "bench" }))?;
        Ok(Self {
            id: member(&answer, "client_id")?.to_owned(),
            secret: member(&answer, "client_secret")?.to_owned(),
        })
    }

    /// Creates a client as an operator does, with what only an operator may give it.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub fn create(
        address: SocketAddr,
        management_token: &str,
        metadata: &Value,
    ) -> Result<Self, Box<dyn Error>> {
        let bearer = format!("Authorization: Bearer {management_token}");
        let answer = created(address, "/clients", &[&bearer], metadata)?;
        Ok(Self {
            id: member(&answer, "client_id")?.to_owned(),
            secret: member(&answer, "client_secret")?.to_owned(),
        })
    }

    /// A client that nobody knows.
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn invent() -> Result<Self, Box<dyn Error>> {
        Ok(Self { id: random_letters(32)?, secret: random_letters(48)? })
    }

    /// The same client with a secret that is not its own.
    ///
    /// # Errors
    ///
    /// If there is no randomness.
    pub fn with_wrong_secret(&self) -> Result<Self, Box<dyn Error>> {
        Ok(Self { id: self.id.clone(), secret: random_letters(48)? })
    }

    /// Its request for a token.
    #[must_use]
    pub fn token_request(&self) -> Request {
        Request::token(TOKEN_PATH, &self.id, &self.secret)
    }

    /// A token of its own.
    ///
    /// # Errors
    ///
    /// If it gets none.
    pub fn token(&self, address: SocketAddr) -> Result<String, Box<dyn Error>> {
        let response = Connection::new(address).exchange(&self.token_request())?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        match answer.get("access_token").and_then(Value::as_str) {
            Some(token) => Ok(token.to_owned()),
            None => Err(format!("no token: {} {}", response.status, response.text()).into()),
        }
    }

    /// Its question what `token` says (RFC 7662).
    #[must_use]
    pub fn introspection(&self, token: &str) -> Request {
        let body = format!("token={token}");
        Request::authenticated("/oauth2/introspect", &self.id, &self.secret, &body)
    }

    /// The request that disables it.
    #[must_use]
    pub fn disable_request(&self, management_token: &str) -> Request {
        Request::new(
            "POST",
            &format!("/clients/{}/disable", self.id),
            &[&format!("Authorization: Bearer {management_token}")],
            "",
        )
    }
}

/// What a registration with this body was answered.
pub(crate) fn registered(address: SocketAddr, body: &Value) -> Result<Value, Box<dyn Error>> {
    created(address, "/register", &[], body)
}

fn created(
    address: SocketAddr,
    path: &str,
    headers: &[&str],
    body: &Value,
) -> Result<Value, Box<dyn Error>> {
    let headers = [headers, &["Content-Type: application/json"]].concat();
    let request = Request::new("POST", path, &headers, &body.to_string());
    let response = Connection::new(address).exchange(&request)?;
    if response.status != 201 {
        return Err(format!("{path}: {} {}", response.status, response.text()).into());
    }
    Ok(serde_json::from_slice(&response.body)?)
}

pub(crate) fn member<'a>(answer: &'a Value, name: &str) -> Result<&'a str, String> {
    let value = answer.get(name).and_then(Value::as_str);
    value.ok_or_else(|| format!("the answer holds no {name}"))
}

/// Measures nothing if the server signs with something else than it should.
///
/// # Errors
///
/// If it does, or gives no token at all; with what it logged.
pub fn must_sign_with(
    server: &Server,
    client: &Client,
    algorithm: &str,
) -> Result<(), Box<dyn Error>> {
    let response = Connection::new(server.address).exchange(&client.token_request())?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let header = answer
        .get("access_token")
        .and_then(Value::as_str)
        .and_then(|token| token.split('.').next())
        .and_then(decode_header);
    if header.as_ref().and_then(|header| header.get("alg")).and_then(Value::as_str)
        == Some(algorithm)
    {
        return Ok(());
    }
    let log = server.log_tail();
    Err(format!("no {algorithm} token: {} {}\n{log}", response.status, response.text()).into())
}

fn decode_header(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Letters that nobody can guess; like ours, of those that need no encoding anywhere.
///
/// # Errors
///
/// If there is no randomness.
pub fn random_letters(count: usize) -> Result<String, Box<dyn Error>> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // A little uneven: good enough for one run.
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
