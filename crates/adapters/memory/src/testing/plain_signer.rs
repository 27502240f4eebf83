//! Tokens that anybody can write.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::port::{SignatureVerifier, TokenSigner, TokenVerifier};
use domain::{
    AccessTokenClaims, CompactJws, Fault, JsonObject, PublicJwk, SignedToken, SigningAlgorithm,
    TokenProfile,
};
use serde_json::{Value, json};

const SIGNATURE: &str = "plain";

/// Writes tokens in their compact form, with a word in place of the signature, and believes
/// every token with that word. So tests can read what they got, and write what they like.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainSigner;

impl PlainSigner {
    /// The `kid` of its tokens.
    pub const KEY_ID: &str = "plain";

    /// A token with `header` and `claims` that it believes, be it a token of ours or a client's
    /// assertion.
    #[must_use]
    pub fn compact(header: &Value, claims: &Value) -> String {
        let encoded = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let (header, claims) = (encoded(header.to_string()), encoded(claims.to_string()));
        format!("{header}.{claims}.{}", encoded(SIGNATURE.to_owned()))
    }

    fn believes(jws: &CompactJws) -> bool {
        jws.signature() == SIGNATURE.as_bytes()
    }
}

impl TokenSigner for PlainSigner {
    fn sign(
        &self,
        claims: &AccessTokenClaims,
        profile: TokenProfile,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault> {
        let header = json!({"alg": algorithm.name(), "kid": Self::KEY_ID, "typ": profile.typ()});
        Ok(SignedToken::new(Self::compact(&header, &claims.to_json().into())))
    }

    fn sign_object(
        &self,
        claims: &JsonObject,
        typ: &'static str,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault> {
        let header = json!({"alg": algorithm.name(), "kid": Self::KEY_ID, "typ": typ});
        Ok(SignedToken::new(Self::compact(&header, &claims.clone().into())))
    }
}

impl TokenVerifier for PlainSigner {
    fn verified(&self, raw: &str) -> Option<Arc<CompactJws>> {
        let jws = CompactJws::parse(raw).ok()?;
        let key_id = jws.header().key_id.as_ref().map(domain::KeyId::as_str);
        (Self::believes(&jws) && key_id == Some(Self::KEY_ID)).then(|| Arc::new(jws))
    }
}

impl SignatureVerifier for PlainSigner {
    fn is_signed_by(&self, jws: &CompactJws, key: &PublicJwk) -> bool {
        let header = jws.header();
        let fits = header.key_id.is_none() || header.key_id.as_ref() == key.key_id();
        Self::believes(jws) && fits && header.algorithm == key.algorithm()
    }

    fn pretend(&self, _: &CompactJws) {}

    fn is_usable(&self, _: &PublicJwk) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_what_it_wrote_and_nothing_else() {
        let header = json!({"alg": "ES256", "kid": PlainSigner::KEY_ID});
        let good = PlainSigner::compact(&header, &json!({"sub": "billing"}));
        let (signing_input, _) = good.rsplit_once('.').unwrap();
        let bad = format!("{signing_input}.YmFk");

        assert!(PlainSigner.verified(&good).is_some());
        assert!(PlainSigner.verified(&bad).is_none());
    }
}
