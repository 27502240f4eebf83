//! What a token says, for whoever may ask (RFC 7662, RFC 9701).

use std::sync::Arc;

use domain::access_token::ActiveToken;
use domain::port::{Clock, TokenSigner};
use domain::{Capability, Client, Fault, JsonObject, SignedToken, SigningAlgorithm, TokenProfile};
use serde_json::Value;

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, PresentedCredentials,
};
use super::token_info::{TokenInfo, TokenInfoError};

/// Tells an authenticated client what a token says.
#[derive(Clone)]
pub struct IntrospectToken {
    /// Who is asking.
    pub authenticate: AuthenticateClient,
    /// What the token says, whomever it is meant for: that is for the one who asks to judge.
    pub token_info: TokenInfo,
    /// How an answer is signed.
    pub signer: Arc<dyn TokenSigner>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How an answer is signed, and a token that stands in for a reference.
    pub algorithm: SigningAlgorithm,
}

/// What is told.
#[derive(Debug)]
pub struct Introspection {
    /// Who asked.
    pub caller: Client,
    /// What the token says; `None` for one that is worth nothing, or none of the caller's business.
    pub token: Option<ActiveToken>,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectTokenError {
    /// The caller did not prove who it is.
    #[error(transparent)]
    NotAuthenticated(#[from] AuthenticateClientError),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl IntrospectToken {
    /// Runs the use-case. A client may ask about its own tokens, and about those of others with the
    /// capability `introspection`. Whoever may not ask learns as much as of a token that nobody
    /// ever issued (threats T28, T35).
    ///
    /// # Errors
    ///
    /// See [`IntrospectTokenError`]; a token that is worth nothing is none.
    #[tracing::instrument(level = "debug", name = "introspect_token", skip_all)]
    pub async fn execute(
        &self,
        credentials: PresentedCredentials,
        raw: &str,
    ) -> Result<Introspection, IntrospectTokenError> {
        let caller = self.authenticate.execute(credentials).await?.client;
        let token = match self.token_info.execute(raw).await {
            Ok(token) => Some(token),
            Err(TokenInfoError::Inactive(_)) => None,
            Err(TokenInfoError::Fault(fault)) => return Err(fault.into()),
        };
        let may_ask = |token: &ActiveToken| {
            token.subject.as_ref() == Some(&caller.id)
                || caller.capabilities.contains(&Capability::Introspection)
        };
        let token = token.filter(may_ask);
        Ok(Introspection { caller, token })
    }

    /// The token as a signed one, for a resource server that reads nothing else ("phantom token"):
    /// the token itself, or what a reference stands for.
    ///
    /// # Errors
    ///
    /// Any [`Fault`] of the signer.
    pub fn signed(&self, raw: &str, token: &ActiveToken) -> Result<SignedToken, Fault> {
        match token.format {
            domain::TokenFormat::Jwt => Ok(SignedToken::new(raw.to_owned())),
            domain::TokenFormat::Reference => {
                // RFC 9068 section 2.2 demands both of what calls itself an access token.
                let is_standard =
                    ["aud", "client_id"].iter().all(|it| token.claims.contains_key(*it));
                let profile = if is_standard { TokenProfile::AtJwt } else { TokenProfile::Jwt };
                self.signer.sign_object(&token.claims, profile.typ(), self.algorithm)
            }
        }
    }

    /// The answer, signed (RFC 9701 section 5), for the caller alone.
    ///
    /// # Errors
    ///
    /// Any [`Fault`] of the signer.
    pub fn signed_answer(&self, caller: &Client, answer: JsonObject) -> Result<SignedToken, Fault> {
        let mut claims = JsonObject::new();
        claims.insert("iss".to_owned(), self.token_info.issuer.as_str().into());
        claims.insert("aud".to_owned(), caller.id.as_str().into());
        claims.insert("iat".to_owned(), self.clock.now().as_unix_seconds().into());
        claims.insert("token_introspection".to_owned(), answer.into());
        self.signer.sign_object(&claims, "token-introspection+jwt", self.algorithm)
    }
}

impl Introspection {
    /// The answer of RFC 7662 section 2.2: what the token says, and nothing of one that is worth
    /// nothing.
    #[must_use]
    pub fn answer(&self, token_type: &'static str) -> JsonObject {
        let Some(token) = &self.token else {
            return [("active".to_owned(), Value::Bool(false))].into_iter().collect();
        };
        let mut answer = JsonObject::clone(&token.claims);
        answer.insert("active".to_owned(), true.into());
        answer.insert("token_type".to_owned(), token_type.into());
        if let Some(client) = &token.subject {
            answer.insert("client_id".to_owned(), client.as_str().into());
        }
        answer
    }
}
