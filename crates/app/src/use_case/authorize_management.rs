//! Whether a caller may manage the server.

use std::sync::Arc;

use domain::access_token::ActiveToken;
use domain::management::{ManagementRight, Mandate};
use domain::port::{BootstrapRepository, ClientRepository, TokenDigester};
use domain::{Author, Client, ClientId, Fault, Scope, TokenDigest};
use serde_json::Value;

use super::token_info::{TokenInfo, TokenInfoError};

/// Decides whether a bearer token allows something.
#[derive(Clone)]
pub struct AuthorizeManagement {
    /// How callers prove that they may.
    pub authentication: ManagementAuthentication,
    /// What a token of ours says.
    pub token_info: TokenInfo,
    /// What clients may do now: the store itself, past what is remembered.
    pub clients: Arc<dyn ClientRepository>,
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
    /// Whoever has a token of ours with the right scope.
    Token {
        /// Whose token it is; `None` where it names none that could be a client.
        client: Option<ClientId>,
        /// What it allows, and its client may still do.
        scope: Scope,
    },
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
            Self::Token { client: Some(client), .. } => format!("client {client}"),
            Self::Token { client: None, .. } => "a token that names no client".to_owned(),
        };
        text.parse().map_err(Fault::corrupt)
    }

    /// What they may do to clients.
    #[must_use]
    pub fn mandate(&self) -> Mandate {
        match self {
            Self::Anybody | Self::Operator => Mandate::Unlimited,
            Self::Token { scope, .. } => Mandate::Scope(scope.clone()),
        }
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
    /// Its token is good, and does not allow this; or its client may not do this any more.
    #[error("the token, or its client by now, lacks the scope {}", .0.scope_value())]
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
            Ok(active) => self.by_token(active, right).await,
            Err(TokenInfoError::Inactive(_)) => Err(AuthorizeManagementError::TokenInvalid),
            Err(TokenInfoError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// A token says what its client could do when it was issued, and it may live for long. Here it
    /// allows no more than the client may do now. A token of a service that shares our keys may name
    /// somebody who is no client of ours: for them it says all there is.
    async fn by_token(
        &self,
        token: ActiveToken,
        right: ManagementRight,
    ) -> Result<Manager, AuthorizeManagementError> {
        let client = match &token.subject {
            Some(subject) => self.clients.find(subject).await?,
            None => None,
        };
        if client.as_ref().is_some_and(|it| !it.is_enabled()) {
            return Err(AuthorizeManagementError::TokenInvalid);
        }
        let is_still_allowed =
            |value: &str| client.as_ref().is_none_or(|it: &Client| it.scope.contains(value));
        let scope = token.scope.only(is_still_allowed);
        if !right.is_allowed_by(&scope) {
            return Err(AuthorizeManagementError::ScopeMissing(right));
        }
        Ok(Manager::Token { client: token.subject, scope })
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
