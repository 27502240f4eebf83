//! What a token says, as long as it is worth something.

use std::sync::Arc;

use domain::access_token::{self, ActiveToken, InactiveToken};
use domain::port::{
    ClientRepository, Clock, ReferenceTokenRepository, TokenDigester, TokenRepository,
    TokenVerifier,
};
use domain::{Audience, Fault, Issuer, TokenFormat};

/// Tells what an access token of ours says.
#[derive(Clone)]
pub struct TokenInfo {
    /// Whether a signature is ours.
    pub verifier: Arc<dyn TokenVerifier>,
    /// What reference tokens stand for.
    pub references: Arc<dyn ReferenceTokenRepository>,
    /// How they are kept without being known.
    pub digester: Arc<dyn TokenDigester>,
    /// Which tokens were taken back.
    pub tokens: Arc<dyn TokenRepository>,
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whose tokens these are.
    pub issuer: Issuer,
    /// The audiences of which a token that names any must name one; empty: not checked.
    pub accepted_audiences: Vec<Audience>,
}

/// The lengths that reference tokens of any style have.
const MIN_REFERENCE: usize = 32;
const MAX_REFERENCE: usize = 64;

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum TokenInfoError {
    /// The token is worth nothing.
    #[error(transparent)]
    Inactive(#[from] InactiveToken),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl TokenInfo {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`TokenInfoError`].
    #[tracing::instrument(level = "debug", name = "token_info", skip_all)]
    pub async fn execute(&self, raw: &str) -> Result<ActiveToken, TokenInfoError> {
        // No reference holds a dot, and no signed token is without.
        let token = if raw.contains('.') { self.signed(raw)? } else { self.reference(raw).await? };
        if self.is_taken_back(&token).await? {
            return Err(InactiveToken::Revoked.into());
        }
        Ok(token)
    }

    fn signed(&self, raw: &str) -> Result<ActiveToken, InactiveToken> {
        let jws = self.verifier.verified(raw).ok_or(InactiveToken::NotOurs)?;
        access_token::check(&jws, &self.issuer, &self.accepted_audiences, self.clock.now())
    }

    /// A text that was shortened or made longer has another digest, and is nobody's (threat T38).
    async fn reference(&self, raw: &str) -> Result<ActiveToken, TokenInfoError> {
        let is_possible = (MIN_REFERENCE..=MAX_REFERENCE).contains(&raw.len())
            && raw.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
        if !is_possible {
            return Err(InactiveToken::NotOurs.into());
        }
        let found = self.references.find(&self.digester.digest(raw)).await?;
        let kept = found.ok_or(InactiveToken::NotOurs)?;
        let now = self.clock.now();
        let (issuer, accepted) = (&self.issuer, &self.accepted_audiences);
        let token = access_token::check_claims(&kept.claims, issuer, accepted, now)?;
        Ok(ActiveToken { format: TokenFormat::Reference, ..token })
    }

    /// Taken back is a token by its `jti`, with all tokens of its client up to a moment, or as
    /// long as its client is disabled (threat T34). The subject of a JWT that is no client of ours
    /// is not looked at: services that share our keys may name others. A reference is always ours,
    /// and a client that is gone has none.
    async fn is_taken_back(&self, token: &ActiveToken) -> Result<bool, Fault> {
        if let Some(id) = &token.id
            && self.tokens.is_revoked(id).await?
        {
            return Ok(true);
        }
        let Some(subject) = &token.subject else {
            return Ok(false);
        };
        if let Some(until) = self.tokens.client_revoked_until(subject).await?
            && token.issued_at.is_none_or(|issued_at| issued_at <= until)
        {
            return Ok(true);
        }
        Ok(match self.clients.find(subject).await? {
            Some(client) => !client.is_enabled(),
            None => token.format == TokenFormat::Reference,
        })
    }
}
