//! MACs that anybody can make.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::port::{MacVerifier, SecretOwner};
use domain::{ClientSecret, CompactMac, Fault, SecretHash};
use serde_json::{Value, json};

/// Keeps secrets as they are, behind `$open$`, with their owner, and takes for the MAC of a token the
/// secret itself. It breaks the one promise of its port that matters, that nobody learns a secret,
/// and keeps those that a use-case can see.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainMacs;

impl PlainMacs {
    /// An assertion with these claims that it takes for one by `secret`.
    #[must_use]
    pub fn compact(secret: &str, claims: &Value) -> String {
        let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let header = json!({"alg": "HS256", "kid": "k1"}).to_string();
        format!("{}.{}.{}", encoded(&header), encoded(&claims.to_string()), encoded(secret))
    }

    fn prefix(owner: SecretOwner<'_>) -> String {
        format!("$open${}${}$", owner.client.as_str(), owner.secret.as_str())
    }
}

impl MacVerifier for PlainMacs {
    fn seal(&self, owner: SecretOwner<'_>, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        Ok(SecretHash::new(format!("{}{}", Self::prefix(owner), secret.expose())))
    }

    fn is_by(
        &self,
        jws: &CompactMac,
        sealed: Option<(SecretOwner<'_>, &SecretHash)>,
    ) -> Result<bool, Fault> {
        let Some((owner, sealed)) = sealed else {
            return Ok(false);
        };
        match sealed.as_str().strip_prefix(&Self::prefix(owner)) {
            Some(secret) => Ok(jws.signature() == secret.as_bytes()),
            None => Err(Fault::corrupt("what is kept was not sealed for this secret")),
        }
    }

    fn is_secret(
        &self,
        presented: &ClientSecret,
        owner: SecretOwner<'_>,
        sealed: &SecretHash,
    ) -> Result<bool, Fault> {
        match sealed.as_str().strip_prefix(&Self::prefix(owner)) {
            Some(secret) => Ok(presented.expose() == secret),
            None => Err(Fault::corrupt("what is kept was not sealed for this secret")),
        }
    }
}
