//! Whether a caller may manage the server.

use std::sync::Arc;

use domain::access_token::ActiveToken;
use domain::management::ManagementRight;
use domain::port::{BootstrapRepository, TokenDigester};
use domain::{Author, ClientId, Fault, TokenDigest};
use serde_json::Value;

use super::token_info::{TokenInfo, TokenInfoError};

/// Decides whether a bearer token allows something.
#[derive(Clone)]
pub struct AuthorizeManagement {
    /// How callers prove that they may.
    pub authentication: ManagementAuthentication,
    /// What a token of ours says.
    pub token_info: TokenInfo,
    /// How the bootstrap token is recognized.
    pub digester: Arc<dyn TokenDigester>,
}

/// How callers prove that they may manage the server.
#[derive(Clone)]
pub enum ManagementAuthentication {
    /// Not at all: whoever reaches the routes may use them.
    None,
    /// With the token the operator configured, or one of ours with the right scope.
    Configured(TokenDigest),
    /// With the token of the first start, or one of ours with the right scope.
    Bootstrap(Arc<dyn BootstrapRepository>),
}

/// Who manages the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Nobody asked who it is.
    Anybody,
    /// Whoever has the management token.
    Operator,
    /// A client with the right scope.
    Client(ClientId),
}

impl Manager {
    /// How it is written down who did something.
    ///
    /// # Errors
    ///
    /// None that can be met: an author has room for any client.
    pub fn author(&self) -> Result<Author, Fault> {
        let text = match self {
            Self::Anybody => "somebody who was not asked".to_owned(),
            Self::Operator => "the management token".to_owned(),
            Self::Client(client) => format!("client {client}"),
        };
        text.parse().map_err(Fault::corrupt)
    }
}

/// Why a caller may not.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeManagementError {
    /// It brought no token.
    #[error("management needs a bearer token: the bootstrap token, or one of ours with the scope")]
    TokenMissing,
    /// Its token is worth nothing here.
    #[error("the bearer token is not the bootstrap token and not a live token of this server")]
    TokenInvalid,
    /// Its token is good, and does not allow this.
    #[error("the token lacks the scope {}", .0.scope_value())]
    ScopeMissing(ManagementRight),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AuthorizeManagement {
    /// Whether whoever reaches the routes may use them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.authentication, ManagementAuthentication::None)
    }

    /// Runs the use-case, and says who the caller is.
    ///
    /// # Errors
    ///
    /// See [`AuthorizeManagementError`].
    #[tracing::instrument(level = "debug", name = "authorize_management", skip_all)]
    pub async fn execute(
        &self,
        token: Option<&str>,
        right: ManagementRight,
    ) -> Result<Manager, AuthorizeManagementError> {
        let expected = match &self.authentication {
            ManagementAuthentication::None => return Ok(Manager::Anybody),
            ManagementAuthentication::Configured(digest) => Some(digest.clone()),
            ManagementAuthentication::Bootstrap(bootstrap) if token.is_some() => {
                bootstrap.find().await?
            }
            ManagementAuthentication::Bootstrap(_) => None,
        };
        let token = token.ok_or(AuthorizeManagementError::TokenMissing)?;
        let presented = self.digester.digest(token);
        if expected.is_some_and(|digest| self.digester.is_same(&digest, &presented)) {
            return Ok(Manager::Operator);
        }
        match self.token_info.execute(token).await {
            Ok(active) if !self.is_for_us(&active) => Err(AuthorizeManagementError::TokenInvalid),
            Ok(active) if right.is_allowed_by(&active.scope) => {
                Ok(active.subject.map_or(Manager::Anybody, Manager::Client))
            }
            Ok(_) => Err(AuthorizeManagementError::ScopeMissing(right)),
            Err(TokenInfoError::Inactive(_)) => Err(AuthorizeManagementError::TokenInvalid),
            Err(TokenInfoError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whoever was sent a token that is meant for them must not manage this server with it (threat
    /// T35). Audiences that the operator named have been looked at by then.
    fn is_for_us(&self, token: &ActiveToken) -> bool {
        let is_us = |audience: &str| {
            audience == self.token_info.issuer.as_str()
                || token.subject.as_ref().is_some_and(|it| it.as_str() == audience)
        };
        !self.token_info.accepted_audiences.is_empty()
            || match token.claims.get("aud") {
                None => true,
                Some(Value::String(one)) => is_us(one),
                Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(is_us),
                Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
            }
    }
}
