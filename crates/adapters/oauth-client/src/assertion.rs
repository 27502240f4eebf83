//! Our own assertions (RFC 7523 section 3).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{ClientSecret, Fault, Timestamp};
use serde_json::json;

use crate::{AssertionKey, HmacAlgorithm};

/// What `client_assertion_type` says.
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion lives: long enough for clocks that differ, and for one try.
const LIFETIME_SECONDS: u64 = 60;

/// What an assertion says.
pub(crate) struct Assertion<'a> {
    pub(crate) client_id: &'a str,
    /// The issuer of the server, alone (RFC 7523bis): a token endpoint would let a server that is
    /// told of another's endpoint use it there.
    pub(crate) audience: &'a str,
    pub(crate) now: Timestamp,
}

impl Assertion<'_> {
    /// An assertion under a private key (`private_key_jwt`).
    pub(crate) fn signed(&self, key: &AssertionKey) -> Result<String, Fault> {
        let input = self.signing_input(key.algorithm(), key.key_id())?;
        let signature = key.sign(input.as_bytes());
        let signature = signature.map_err(|_| Fault::corrupt("an assertion cannot be signed"))?;
        Ok(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// An assertion under a secret (`client_secret_jwt`).
    pub(crate) fn authenticated(
        &self,
        secret: &ClientSecret,
        algorithm: HmacAlgorithm,
    ) -> Result<String, Fault> {
        let input = self.signing_input(algorithm.name(), None)?;
        let hmac_algorithm = match algorithm {
            HmacAlgorithm::Hs256 => hmac::HMAC_SHA256,
            HmacAlgorithm::Hs384 => hmac::HMAC_SHA384,
            HmacAlgorithm::Hs512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(hmac_algorithm, secret.expose().as_bytes());
        let tag = hmac::sign(&key, input.as_bytes());
        Ok(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)))
    }

    fn signing_input(&self, algorithm: &str, key_id: Option<&str>) -> Result<String, Fault> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| Fault::unavailable("no randomness"))?;
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let (Some(key_id), Some(header)) = (key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), key_id.into());
        }
        let issued_at = self.now.as_unix_seconds();
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "iat": issued_at,
            "exp": issued_at.saturating_add(LIFETIME_SECONDS),
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
        });
        let part = |it: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(it.to_string());
        Ok(format!("{}.{}", part(&header), part(&claims)))
    }
}
