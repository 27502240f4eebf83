//! What a token says, for whoever may ask (RFC 7662, RFC 9701).

use std::sync::Arc;

use domain::access_token::ActiveToken;
use domain::port::{Clock, TokenSigner};
use domain::{Capability, Client, Fault, JsonObject, SignedToken, SigningAlgorithm, TokenProfile};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use super::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, PresentedCredentials,
};
use super::token_info::{TokenInfo, TokenInfoError};
use crate::catalogue_in_use::CatalogueInUse;

/// Tells an authenticated client what a token says.
#[derive(Clone)]
pub struct IntrospectToken {
    /// Who is asking.
    pub authenticate: AuthenticateClient,
    /// What the token says, whomever it is meant for: that is for the one who asks to judge.
    pub token_info: TokenInfo,
    /// How an answer is signed.
    pub signer: Arc<dyn TokenSigner>,
    /// Whether anybody may ask at all.
    pub catalogue: Arc<CatalogueInUse>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How an answer is signed, and a token that stands in for a reference whose client has no
    /// choice of its own.
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
    /// Nobody is told anything: the capability is off for the service.
    #[error("the capability introspection is off for this service")]
    CapabilityOff,
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
        if !self.catalogue.current(self.clock.now())?.is_on(Capability::Introspection) {
            return Err(IntrospectTokenError::CapabilityOff);
        }
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
    pub async fn signed(&self, raw: &str, token: &ActiveToken) -> Result<SignedToken, Fault> {
        match token.format {
            domain::TokenFormat::Jwt => Ok(SignedToken::new(raw.to_owned())),
            domain::TokenFormat::Reference => {
                // RFC 9068 section 2.2 demands both of what calls itself an access token.
                let is_standard =
                    ["aud", "client_id"].iter().all(|it| token.claims.contains_key(*it));
                let profile = if is_standard { TokenProfile::AtJwt } else { TokenProfile::Jwt };
                let owner = match &token.subject {
                    Some(id) => self.token_info.clients.find(id).await?,
                    None => None,
                };
                let chosen = owner.and_then(|it| it.settings.token_algorithm);
                let algorithm = chosen.unwrap_or(self.algorithm);
                self.signer.sign_object(&token.claims, profile.typ(), algorithm)
            }
        }
    }

    /// The answer, signed (RFC 9701 section 5), for the caller alone.
    ///
    /// # Errors
    ///
    /// Any [`Fault`] of the signer.
    pub fn signed_answer(
        &self,
        caller: &Client,
        answer: &IntrospectionAnswer<'_>,
    ) -> Result<SignedToken, Fault> {
        let answer = serde_json::to_value(answer).map_err(Fault::corrupt)?;
        let mut claims = JsonObject::new();
        claims.insert("iss".to_owned(), self.token_info.issuer.as_str().into());
        claims.insert("aud".to_owned(), caller.id.as_str().into());
        claims.insert("iat".to_owned(), self.clock.now().as_unix_seconds().into());
        claims.insert("token_introspection".to_owned(), answer);
        self.signer.sign_object(&claims, "token-introspection+jwt", self.algorithm)
    }
}

impl Introspection {
    /// The answer of RFC 7662 section 2.2. `is_camel_case_too`: the client is also told as
    /// `clientId`.
    #[must_use]
    pub const fn answer(
        &self,
        token_type: &'static str,
        is_camel_case_too: bool,
    ) -> IntrospectionAnswer<'_> {
        IntrospectionAnswer { token: self.token.as_ref(), token_type, is_camel_case_too }
    }
}

/// What is answered: what the token says, and nothing of one that is worth nothing. It is written
/// as it is, without a copy: this is asked for more often than anything else.
#[derive(Clone, Copy, Debug)]
pub struct IntrospectionAnswer<'a> {
    token: Option<&'a ActiveToken>,
    token_type: &'static str,
    is_camel_case_too: bool,
}

impl Serialize for IntrospectionAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        let Some(token) = self.token else {
            members.serialize_entry("active", &false)?;
            return members.end();
        };
        members.serialize_entry("active", &true)?;
        members.serialize_entry("token_type", self.token_type)?;
        let client = token.subject.as_ref().map(domain::ClientId::as_str).or_else(|| {
            // A token of another service that shares our keys, whose subject is no client of ours.
            token.claims.get("client_id").and_then(Value::as_str)
        });
        if let Some(client) = client {
            members.serialize_entry("client_id", client)?;
            if self.is_camel_case_too {
                members.serialize_entry("clientId", client)?;
            }
        }
        for (name, value) in token.claims.iter() {
            let is_told = match name.as_str() {
                "active" | "token_type" => true,
                "client_id" => client.is_some(),
                "clientId" => client.is_some() && self.is_camel_case_too,
                _ => false,
            };
            if !is_told {
                members.serialize_entry(name, value)?;
            }
        }
        members.end()
    }
}
