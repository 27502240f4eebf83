//! One key of the ring, with everything prepared that can be.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{
    AccessTokenClaims, CompactJws, Fault, JsonObject, KeyId, PublicJwk, SignedToken,
    SigningAlgorithm, SigningKey, TokenProfile,
};
use josekit::jws::{JwsSigner, JwsVerifier};
use serde_json::json;

use crate::KeyFileError;
use crate::key_file;
use crate::payload::payload;
use crate::signer::AwsSigner;
use crate::verifier::AwsVerifier;

/// What every key signs before it is used.
const PROBE: &[u8] = b"probe";

/// One key of the ring.
#[derive(Debug)]
pub(crate) struct RingKey {
    id: KeyId,
    algorithm: SigningAlgorithm,
    signer: Box<dyn JwsSigner>,
    verifier: Box<dyn JwsVerifier>,
    jwt_header: String,
    at_jwt_header: String,
}

impl RingKey {
    /// The key, and what is published of it.
    pub(crate) fn new(key: &SigningKey) -> Result<(Self, PublicJwk), KeyFileError> {
        let (private_key, _) = key_file::parse(key.private_key.expose().as_bytes(), None)?;
        let signer = AwsSigner::new(&private_key, key.algorithm)?;
        let jwk = private_key.public_jwk(&key.id, key.algorithm)?;
        let verifier = AwsVerifier::new(&jwk).ok_or(KeyFileError::Unusable)?;
        // A file may hold a public half that is not that of its private one.
        let signature = signer.sign(PROBE).map_err(|_| KeyFileError::Unusable)?;
        verifier.verify(PROBE, &signature).map_err(|_| KeyFileError::Unusable)?;
        let key = Self {
            id: key.id.clone(),
            algorithm: key.algorithm,
            signer: Box::new(signer),
            verifier: Box::new(verifier),
            jwt_header: header(&key.id, key.algorithm, TokenProfile::Jwt.typ()),
            at_jwt_header: header(&key.id, key.algorithm, TokenProfile::AtJwt.typ()),
        };
        Ok((key, jwk))
    }

    pub(crate) fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn sign(
        &self,
        claims: &AccessTokenClaims,
        profile: TokenProfile,
    ) -> Result<SignedToken, Fault> {
        let header = match profile {
            TokenProfile::Jwt => &self.jwt_header,
            TokenProfile::AtJwt => &self.at_jwt_header,
        };
        self.compact(header, &payload(claims).map_err(Fault::corrupt)?)
    }

    /// Signs an object as it is. Its header is made anew: such tokens are rare.
    pub(crate) fn sign_object(
        &self,
        claims: &JsonObject,
        typ: &'static str,
    ) -> Result<SignedToken, Fault> {
        let payload = serde_json::to_vec(claims).map_err(Fault::corrupt)?;
        self.compact(&header(&self.id, self.algorithm, typ), &payload)
    }

    fn compact(&self, header: &str, payload: &[u8]) -> Result<SignedToken, Fault> {
        // Three bytes become four characters.
        let length = header.len() + (payload.len() + self.signer.signature_len()) * 4 / 3 + 8;
        let mut token = String::with_capacity(length);
        token.push_str(header);
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signer.sign(token.as_bytes()).map_err(Fault::corrupt)?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(SignedToken::new(token))
    }

    /// Whether `jws` is signed by this key, with its algorithm (threat T03).
    pub(crate) fn verifies(&self, jws: &CompactJws) -> bool {
        jws.header().algorithm == self.algorithm
            && self.verifier.verify(jws.signing_input(), jws.signature()).is_ok()
    }
}

/// The encoded header, and the dot after it.
fn header(key: &KeyId, algorithm: SigningAlgorithm, typ: &str) -> String {
    let header = json!({"alg": algorithm.name(), "kid": key.as_str(), "typ": typ});
    let mut encoded = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
    encoded.push('.');
    encoded
}
