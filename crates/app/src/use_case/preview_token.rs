//! What token a client would get, and why not.

use std::sync::Arc;

use domain::port::{ClientRepository, Clock};
use domain::{
    AccessTokenClaims, ClientId, Fault, GrantRefusal, GrantRequest, JsonObject, SigningAlgorithm,
    Timestamp, TokenFormat, TokenPolicy, grant,
};

use crate::catalogue_in_use::CatalogueInUse;

/// Says what token a client would get for a request, as far as that is decided by what is known of
/// the client. It signs nothing, keeps nothing and uses nothing up; the client need not
/// authenticate, since an operator asks.
#[derive(Clone)]
pub struct PreviewToken {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// What is registered.
    pub catalogue: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// A token that would be issued.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewedToken {
    /// Its claims, but for `jti`, which each token has of its own.
    pub claims: JsonObject,
    /// What it would look like.
    pub format: TokenFormat,
    /// How it would be signed, where it is.
    pub algorithm: SigningAlgorithm,
    /// When it would be issued.
    pub issued_at: Timestamp,
    /// When it would expire.
    pub expires_at: Timestamp,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum PreviewTokenError {
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl PreviewToken {
    /// Runs the use-case: the token that would be issued under `policy`, or why none would.
    ///
    /// # Errors
    ///
    /// See [`PreviewTokenError`]; a refusal is none.
    #[tracing::instrument(level = "debug", name = "preview_token", skip_all)]
    pub async fn execute(
        &self,
        id: &ClientId,
        request: GrantRequest,
        policy: &TokenPolicy,
    ) -> Result<Result<PreviewedToken, GrantRefusal>, PreviewTokenError> {
        let client = self.clients.find(id).await?.ok_or(PreviewTokenError::Unknown)?;
        let now = self.clock.now();
        let catalogue = self.catalogue.current(now)?;
        let grant = match grant::decide(&client, request, policy, &catalogue, now) {
            Ok(grant) => grant,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (format, algorithm) = (grant.format, grant.algorithm);
        let (issued_at, expires_at) = (grant.issued_at, grant.expires_at);
        let none = "none".parse().map_err(Fault::corrupt)?;
        let mut claims = AccessTokenClaims::of(grant, none).to_json();
        claims.remove("jti");
        Ok(Ok(PreviewedToken { claims, format, algorithm, issued_at, expires_at }))
    }
}
