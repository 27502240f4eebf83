//! How a grant becomes a token.

use crate::{AccessTokenClaims, Fault, SignedToken, SigningAlgorithm, TokenProfile};

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
}
