//! How a grant becomes a token.

use crate::{AccessTokenClaims, Fault, JsonObject, SignedToken, SigningAlgorithm, TokenProfile};

/// How a grant becomes a token. Not `async`: keys are in memory by the time anyone signs.
pub trait TokenSigner: Send + Sync {
    /// Signs `claims` with the active key for `algorithm`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no such key, or it cannot be used. No other key takes its place
    /// (threat T42).
    fn sign(
        &self,
        claims: &AccessTokenClaims,
        profile: TokenProfile,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault>;

    /// Signs `claims` as they are, as a token whose `typ` is `typ`, with the active key for
    /// `algorithm`: what a reference token stands for, or the answer to an introspection (RFC 9701
    /// section 5).
    ///
    /// # Errors
    ///
    /// As [`TokenSigner::sign`].
    fn sign_object(
        &self,
        claims: &JsonObject,
        typ: &'static str,
        algorithm: SigningAlgorithm,
    ) -> Result<SignedToken, Fault>;
}
