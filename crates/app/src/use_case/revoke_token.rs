//! A client takes a token of its own back (RFC 7009).

use std::sync::Arc;

use domain::access_token::InactiveToken;
use domain::port::TokenRepository;
use domain::{Fault, TokenId};

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, PresentedCredentials,
};
use super::token_info::{TokenInfo, TokenInfoError};

/// Takes a token back.
#[derive(Clone)]
pub struct RevokeToken {
    /// Who is asking.
    pub authenticate: AuthenticateClient,
    /// What the token says.
    pub token_info: TokenInfo,
    /// Which tokens were taken back.
    pub tokens: Arc<dyn TokenRepository>,
}

/// Why nothing is taken back.
#[derive(Debug, thiserror::Error)]
pub enum RevokeTokenError {
    /// The caller did not prove who it is.
    #[error(transparent)]
    NotAuthenticated(#[from] AuthenticateClientError),
    /// The token was issued to another client (threat T35).
    #[error("the token was not issued to this client")]
    NotYours,
    /// The token has no identifier by which it could be remembered.
    #[error("a token without jti cannot be revoked")]
    Unnamed,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl RevokeToken {
    /// Runs the use-case. A token that is worth nothing already is a success (RFC 7009 section
    /// 2.2).
    ///
    /// # Errors
    ///
    /// See [`RevokeTokenError`].
    #[tracing::instrument(level = "debug", name = "revoke_token", skip_all)]
    pub async fn execute(
        &self,
        credentials: PresentedCredentials,
        token: &str,
    ) -> Result<Option<TokenId>, RevokeTokenError> {
        let caller = self.authenticate.execute(credentials).await?.client;
        // Whom a token is meant for does not matter to the one who takes it back.
        let any_audience = TokenInfo { accepted_audiences: Vec::new(), ..self.token_info.clone() };
        let active = match any_audience.execute(token).await {
            Ok(active) => active,
            Err(TokenInfoError::Fault(fault)) => return Err(fault.into()),
            Err(TokenInfoError::Inactive(
                InactiveToken::NotOurs
                | InactiveToken::WrongClaimType
                | InactiveToken::Expired
                | InactiveToken::WrongAudience
                | InactiveToken::Revoked,
            )) => return Ok(None),
        };
        if active.subject.as_ref() != Some(&caller.id) {
            return Err(RevokeTokenError::NotYours);
        }
        let id = active.id.ok_or(RevokeTokenError::Unnamed)?;
        self.tokens.revoke(&id, active.expires_at).await?;
        Ok(Some(id))
    }
}
