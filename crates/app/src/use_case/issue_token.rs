//! Client credentials in, access token out (RFC 6749 section 4.4).

use std::sync::Arc;

use domain::port::{Clock, Entropy, LastUse, TokenSigner};
use domain::{
    AccessTokenClaims, Fault, GrantRefusal, GrantRequest, Login, Scope, SignedToken,
    SigningAlgorithm, Timestamp, TokenPolicy, TokenProfile, grant,
};

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, AuthenticatedClient, PresentedCredentials,
};
use crate::make;

/// Exchanges client credentials for an access token.
#[derive(Clone)]
pub struct IssueToken {
    /// Who is asking.
    pub authenticate: AuthenticateClient,
    /// How grants become tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Where the tokens' identifiers come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where logins are noted.
    pub last_use: Arc<dyn LastUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The operator's choices.
    pub policy: TokenPolicy,
    /// What kind of token is made.
    pub profile: TokenProfile,
}

/// What the caller says.
#[derive(Debug)]
pub struct IssueTokenRequest {
    /// How it proves who it is.
    pub credentials: PresentedCredentials,
    /// What it wants.
    pub grant: GrantRequest,
}

/// What the caller gets.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token itself.
    pub token: SignedToken,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// What it allows, where a scope was asked for.
    pub scope: Option<Scope>,
    /// How it is signed.
    pub algorithm: SigningAlgorithm,
}

/// Why the caller gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum IssueTokenError {
    /// It did not prove who it is.
    #[error(transparent)]
    NotAuthenticated(#[from] AuthenticateClientError),
    /// It is who it says it is, and is refused.
    #[error(transparent)]
    Refused(#[from] GrantRefusal),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl IssueToken {
    /// Runs the use-case.
    ///
    /// # Errors
    ///
    /// See [`IssueTokenError`].
    #[tracing::instrument(level = "debug", name = "issue_token", skip_all)]
    pub async fn execute(
        &self,
        request: IssueTokenRequest,
    ) -> Result<IssuedToken, IssueTokenError> {
        let IssueTokenRequest { credentials, grant: mut asked } = request;
        let authenticated = self.authenticate.identify(credentials).await?;
        if let Some(assertion) = &authenticated.assertion {
            asked.audience.extend(assertion.requested_audiences.iter().cloned());
            asked.custom_claims = assertion.custom_claims.clone();
        }
        let now = self.clock.now();
        let grant = grant::decide(&authenticated.client, asked, &self.policy, now)?;
        self.authenticate.burn(&authenticated).await?;
        let AuthenticatedClient { client, .. } = authenticated;
        let (algorithm, scope) = (grant.algorithm, grant.scope.clone());
        let (issued_at, expires_at) = (grant.issued_at, grant.expires_at);
        let claims = AccessTokenClaims::of(grant, make::token_id(self.entropy.as_ref())?);
        let token = self.signer.sign(&claims, self.profile, algorithm)?;
        self.last_use.note_login(Login { client: client.id, at: now });
        Ok(IssuedToken { token, expires_at, issued_at, scope, algorithm })
    }
}
