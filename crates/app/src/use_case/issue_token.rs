//! Client credentials in, access token out (RFC 6749 section 4.4).

use std::sync::Arc;

use domain::port::{Clock, Entropy, LastUse, ReferenceTokenRepository, TokenDigester, TokenSigner};
use domain::{
    AccessToken, AccessTokenClaims, AuthenticationMethod, Capability, CompactJws, Fault,
    GrantRefusal, GrantRequest, Login, OpaqueToken, ReferenceToken, Scope, SigningAlgorithm,
    Timestamp, TokenFormat, TokenPolicy, TokenProfile, grant,
};

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, AuthenticatedClient, PresentedCredentials,
};
use crate::catalogue_in_use::CatalogueInUse;
use crate::make;

/// Exchanges client credentials for an access token.
#[derive(Clone)]
pub struct IssueToken {
    /// Who is asking.
    pub authenticate: AuthenticateClient,
    /// How grants become signed tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Where reference tokens are kept.
    pub references: Arc<dyn ReferenceTokenRepository>,
    /// How they are kept without being known.
    pub digester: Arc<dyn TokenDigester>,
    /// Where the tokens' identifiers come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where logins are noted.
    pub last_use: Arc<dyn LastUse>,
    /// What is registered.
    pub catalogue: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The choices of the operator, and of the dialect.
    pub policy: TokenPolicy,
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
    pub token: AccessToken,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// What it allows, where any scope was granted.
    pub scope: Option<Scope>,
    /// Whether a scope was asked for.
    pub is_scope_asked: bool,
    /// What it looks like.
    pub format: TokenFormat,
    /// How it is signed, where it is.
    pub algorithm: SigningAlgorithm,
    /// How the client authenticated.
    pub method: AuthenticationMethod,
}

const TOO_LONG: &str =
    "the token would be too long: the client has too many permissions, audiences or claims";

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
    /// RFC 9068 section 2.2 demands an audience of what calls itself an access token.
    fn profile(&self, claims: &AccessTokenClaims) -> TokenProfile {
        if claims.audience.is_empty() { TokenProfile::Jwt } else { self.policy.profile }
    }

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
        let catalogue = self.catalogue.current(self.clock.now())?;
        // Of the service, and so nobody need say who they are to hear of it.
        if !catalogue.is_on(Capability::ClientCredentials) {
            return Err(GrantRefusal::CapabilityOff.into());
        }
        let authenticated = self.authenticate.identify(credentials).await?;
        if let Some(assertion) = &authenticated.assertion {
            asked.audience.extend(assertion.requested_audiences.iter().cloned());
            asked.custom_claims = assertion.custom_claims.clone();
        }
        let now = self.clock.now();
        let grant = grant::decide(&authenticated.client, asked, &self.policy, &catalogue, now)?;
        self.authenticate.burn(&authenticated).await?;
        let AuthenticatedClient { client, method, .. } = authenticated;
        let (format, algorithm) = (grant.format, grant.algorithm);
        let (scope, is_scope_asked) = (grant.scope.clone(), grant.is_scope_asked);
        let (issued_at, expires_at) = (grant.issued_at, grant.expires_at);
        let claims = AccessTokenClaims::of(grant, make::token_id(self.entropy.as_ref())?);
        let token = match format {
            TokenFormat::Jwt => {
                let signed = self.signer.sign(&claims, self.profile(&claims), algorithm)?;
                if CompactJws::MAX_BYTES < signed.as_str().len() {
                    // Nobody could ask about it, or take it back.
                    return Err(Fault::corrupt(TOO_LONG).into());
                }
                AccessToken::Signed(signed)
            }
            TokenFormat::Reference => AccessToken::Opaque(self.reference(&claims).await?),
        };
        self.last_use.note_login(Login { client: client.id, at: now });
        Ok(IssuedToken {
            token,
            expires_at,
            issued_at,
            scope,
            is_scope_asked,
            format,
            algorithm,
            method,
        })
    }

    /// A text that stands for the claims. Only its digest is kept (threat T38).
    async fn reference(&self, claims: &AccessTokenClaims) -> Result<OpaqueToken, Fault> {
        let token = make::reference_token(self.entropy.as_ref(), self.policy.reference_style)?;
        let kept = ReferenceToken {
            client: claims.subject.clone(),
            expires_at: claims.expires_at,
            claims: claims.to_json().into(),
        };
        if self.references.insert(&self.digester.digest(token.as_str()), &kept).await? {
            return Ok(token);
        }
        // Of 122 random bits, at least: whoever drew them is broken.
        Err(Fault::corrupt("a reference token was drawn that is there already"))
    }
}
