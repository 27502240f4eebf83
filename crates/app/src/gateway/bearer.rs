//! The policy `bearer`.

use std::fmt;
use std::sync::Arc;

use domain::CompactJws;
use domain::gateway::{
    CacheUse, ClaimPath, Claims, ClaimsExpression, ClaimsSource, Denial, ForwardHeaders,
    HeaderName, NoCredentials, Passage, Refusal, RefusalBody, RequirementKind, TokenFlaw,
    TokenRules, Verdict, challenge, is_bound, username,
};
use domain::port::Clock;

use super::client_credentials::{Refused, failed, refused};
use super::introspections::{IntrospectionServer, Introspections};
use super::provider::Provider;
use super::rejection::unverified;
use super::request::GatewayRequest;

/// Lets in who brings a token (RFC 6750): a JWT that the provider signed, or one that a server
/// says is active.
#[derive(Clone)]
pub struct BearerPolicy {
    /// Its name, which a challenge shows as the realm.
    pub name: Box<str>,
    /// What an operator says.
    pub rules: BearerRules,
    /// Who signs JWTs; without, every token is introspected.
    pub provider: Option<Provider>,
    /// Who explains tokens; without, tokens are JWTs.
    pub introspection: Option<IntrospectionServer>,
    /// What was said of tokens.
    pub introspections: Introspections,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// What an operator says about `bearer`.
#[derive(Clone, Debug)]
pub struct BearerRules {
    /// What must be true of a token. No issuers stands for that of the metadata.
    pub token: TokenRules,
    /// What must be true of its claims.
    pub claims: Option<ClaimsExpression>,
    /// The scopes that a challenge names where they are missing.
    pub scopes: Vec<Box<str>>,
    /// Claims that travel on as headers.
    pub forward: ForwardHeaders,
    /// The claim that the access log names.
    pub username: Option<ClaimPath>,
    /// The token does not reach upstream.
    pub hides_token: bool,
}

impl BearerPolicy {
    /// Runs the use-case.
    pub async fn execute(&self, request: &GatewayRequest<'_>) -> Verdict {
        let remove = request.identity_headers(&self.identity_headers());
        self.judge(request).await.with_removed(remove)
    }

    /// The verdict, without the headers that say who the caller is.
    pub(super) async fn judge(&self, request: &GatewayRequest<'_>) -> Verdict {
        match self.passage(request).await {
            Ok(mut passage) => {
                if self.rules.hides_token {
                    passage.remove.push(HeaderName::authorization().as_str().into());
                }
                Verdict::Passage(passage)
            }
            Err((Refused { denial, cause, blame }, error)) => Verdict::Refusal(Refusal {
                denial,
                challenge: self.challenge(denial, error),
                body: RefusalBody::Problem,
                cause,
                blame,
                remove: Vec::new(),
            }),
        }
    }

    /// The headers of a caller that never reach upstream.
    #[must_use]
    pub fn identity_headers(&self) -> Vec<HeaderName> {
        self.rules.forward.names().cloned().collect()
    }

    async fn passage(
        &self,
        request: &GatewayRequest<'_>,
    ) -> Result<Passage, (Refused, Option<&'static str>)> {
        let token = match request.authorization("Bearer") {
            Ok(token) => token,
            Err(absent @ NoCredentials::Absent) => {
                return Err((refused(Denial::Unauthenticated, &absent), None));
            }
            Err(malformed @ NoCredentials::Malformed) => {
                return Err((refused(Denial::Unauthenticated, &malformed), Some("invalid_token")));
            }
        };
        let coded = |it: Refused| {
            let code = match it.denial {
                Denial::Unauthenticated => Some("invalid_token"),
                Denial::Forbidden => Some("insufficient_scope"),
                Denial::Unfit
                | Denial::BadGateway
                | Denial::Unavailable { .. }
                | Denial::Late
                | Denial::Internal => None,
            };
            (it, code)
        };
        self.admitted(token).await.map_err(coded)
    }

    async fn admitted(&self, token: &str) -> Result<Passage, Refused> {
        let bad = |cause: &dyn fmt::Display| refused(Denial::Unauthenticated, cause);
        if token.is_empty() || CompactJws::MAX_BYTES < token.len() {
            return Err(bad(&"the token is empty or too long"));
        }
        let (claims, source) = match (&self.provider, CompactJws::parse(token), &self.introspection)
        {
            (Some(provider), Ok(jws), _) => {
                let verified = provider.verify(&jws).await;
                verified.map_err(|it| unverified(&it, Denial::Unauthenticated))?;
                let claims =
                    Claims::of_jwt(token).ok_or_else(|| bad(&"the token has no claims"))?;
                (Arc::new(claims), ClaimsSource::Jwt)
            }
            (_, _, Some(server)) => {
                let answer = self.introspections.ask(server, token).await;
                let answer = answer.map_err(|it| failed(&it, Denial::of_introspection(&it)))?;
                let claims = answer.ok_or_else(|| bad(&"the token is not active"))?;
                (claims, ClaimsSource::Introspection)
            }
            (_, Err(why), None) => return Err(bad(&why)),
            (None, Ok(_), None) => {
                return Err(refused(Denial::Internal, &"the policy can verify no token"));
            }
        };
        self.judged(&claims, source).await?;
        let rules = &self.rules;
        let set = rules.forward.lines(&claims).map_err(|it| refused(Denial::Unfit, &it))?;
        let username = rules.username.as_ref().and_then(|it| username(&claims, it));
        Ok(Passage { set, username, cache: CacheUse::None, ..Passage::default() })
    }

    async fn judged(&self, claims: &Claims, source: ClaimsSource) -> Result<(), Refused> {
        let rules = &self.rules.token;
        let metadata = match &self.provider {
            Some(provider) if rules.issuers.is_empty() => {
                let out = |it| refused(Denial::unavailable(None), &it);
                Some(provider.metadata().await.map_err(out)?)
            }
            Some(_) | None => None,
        };
        let issuer = metadata.as_ref().map(|it| &*it.issuer);
        let checked = rules.check(claims, source, issuer, self.clock.now());
        checked.map_err(|flaw| {
            // A token for another audience is no token for us (RFC 9068 section 4).
            let is_for_another = flaw == TokenFlaw::Lacks(RequirementKind::Audience);
            let is_forbidden = flaw.is_about_rights() && !is_for_another;
            let denial = if is_forbidden { Denial::Forbidden } else { Denial::Unauthenticated };
            refused(denial, &flaw)
        })?;
        if is_bound(claims) {
            let cause = "the token is bound to a key, and was shown without a proof";
            return Err(refused(Denial::Unauthenticated, &cause));
        }
        match &self.rules.claims {
            Some(expression) if !expression.is_true_of(claims) => {
                Err(refused(Denial::Forbidden, &"the claims of the token are not as wanted"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn challenge(&self, denial: Denial, error: Option<&str>) -> Option<Box<str>> {
        let mut parameters: Vec<(&str, &str)> = error.map(|it| ("error", it)).into_iter().collect();
        let scope = self.rules.scopes.join(" ");
        if denial == Denial::Forbidden && !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        let is_challenged = matches!(denial, Denial::Unauthenticated | Denial::Forbidden);
        is_challenged.then(|| challenge("Bearer", &self.name, &parameters))
    }
}

impl fmt::Debug for BearerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerPolicy").field("name", &self.name).finish_non_exhaustive()
    }
}
