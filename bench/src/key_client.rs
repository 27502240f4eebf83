//! A client that signs assertions (RFC 7523), each of which is good once.

#![expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]

use std::{
    error::Error,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    client::{TOKEN_PATH, member, random_letters, registered},
    http::Request,
};

/// What its key is called.
const KID: &str = "bench";

/// A client with an ES256 key.
#[derive(Debug)]
pub struct KeyClient {
    id: String,
    /// Whom its assertions are meant for.
    audience: String,
    key: EcdsaKeyPair,
    /// Begins every `jti`: no other run has it.
    run: String,
    made: u64,
}

impl KeyClient {
    /// Registers a key, as anybody can, with the server that calls itself `issuer`.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub fn register(address: SocketAddr, issuer: &str) -> Result<Self, Box<dyn Error>> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let answer = registered(
            address,
            &json!({
                "client_name": "bench",
                "token_endpoint_auth_method": "private_key_jwt",
                "public_key": jwk(&key)?,
            }),
        )?;
        Ok(Self {
            id: member(&answer, "client_id")?.to_owned(),
            audience: issuer.to_owned(),
            key,
            run: random_letters(16)?,
            made: 0,
        })
    }

    /// Requests for a token, each with an assertion of its own that is good for a few minutes.
    ///
    /// # Errors
    ///
    /// If nothing can be signed.
    pub fn requests(&mut self, count: usize) -> Result<Vec<Request>, Box<dyn Error>> {
        (0..count).map(|_| self.request()).collect()
    }

    fn request(&mut self) -> Result<Request, Box<dyn Error>> {
        self.made += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({ "alg": "ES256", "kid": KID, "typ": "JWT" });
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": self.audience,
            "jti": format!("{}-{}", self.run, self.made), "iat": now - 10, "exp": now + 290,
        });
        let input = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), input.as_bytes())?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let id = &self.id;
        let body = format!(
            "grant_type=client_credentials&client_id={id}&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={input}.{signature}"
        );
        let headers = ["Content-Type: application/x-www-form-urlencoded"];
        Ok(Request::new("POST", TOKEN_PATH, &headers, &body))
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn jwk(key: &EcdsaKeyPair) -> Result<Value, Box<dyn Error>> {
    // An uncompressed point: 4, and two coordinates of 32 bytes.
    let point = key.public_key().as_ref();
    let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
        return Err("not an uncompressed point".into());
    };
    Ok(json!({
        "kty": "EC", "crv": "P-256", "kid": KID, "alg": "ES256", "use": "sig",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }))
}
