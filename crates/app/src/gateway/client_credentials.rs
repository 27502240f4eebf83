//! The policy `oauth_client_credentials`.

use std::fmt;
use std::sync::Arc;

use domain::gateway::{
    Blame, ClaimPath, Claims, ClaimsExpression, ClientAuthentication, CredentialsEncoding, Denial,
    FetchCredentials, FetchFailure, ForwardHeaders, HeaderName, HeaderValue, KeepingRules, Passage,
    Refusal, RefusalBody, TokenFetch, Verdict, Whose, challenge, username,
};
use domain::port::TokenEndpoint;
use url::Url;

use super::provider::explained;
use super::request::GatewayRequest;
use super::token_source::{Obtained, TokenSource, Wanted};

/// Exchanges credentials for the token that upstream wants: the caller's (application mode), or
/// those of the gateway (gateway mode), which asks nobody who they are.
#[derive(Clone)]
pub struct ClientCredentialsPolicy {
    /// Its name, which a challenge shows as the realm.
    pub name: Box<str>,
    /// What an operator says.
    pub rules: ClientCredentialsRules,
    /// The token endpoint.
    pub endpoint: Arc<dyn TokenEndpoint>,
    /// Where tokens come from.
    pub tokens: TokenSource,
}

/// What an operator says about `oauth_client_credentials`.
#[derive(Clone)]
pub struct ClientCredentialsRules {
    /// The token endpoint.
    pub url: Url,
    /// Sent as `audience`.
    pub audience: Option<Box<str>>,
    /// Sent as `scope`.
    pub scopes: Vec<Box<str>>,
    /// The gateway's own credentials: gateway mode. Without them it is application mode.
    pub own_credentials: Option<FetchCredentials>,
    /// How the endpoint is shown the credentials.
    pub authentication: ClientAuthentication,
    /// How the caller encodes Basic credentials.
    pub encoding: CredentialsEncoding,
    /// What must be true of the token's claims.
    pub claims: Option<ClaimsExpression>,
    /// Claims that travel on as headers.
    pub forward: ForwardHeaders,
    /// The claim that the access log names.
    pub username: Option<ClaimPath>,
    /// Whether tokens are kept.
    pub is_cached: bool,
    /// See [`TokenFetch::salt`].
    pub salt: Box<str>,
}

impl ClientCredentialsPolicy {
    /// Runs the use-case.
    pub async fn execute(&self, request: &GatewayRequest<'_>) -> Verdict {
        let remove = request.identity_headers(&self.identity_headers());
        self.judge(request).await.with_removed(remove)
    }

    /// The verdict, without the headers that say who the caller is.
    pub(super) async fn judge(&self, request: &GatewayRequest<'_>) -> Verdict {
        match self.passage(request).await {
            Ok(passage) => Verdict::Passage(passage),
            Err(Refused { denial, cause, blame }) => Verdict::Refusal(Refusal {
                denial,
                challenge: self.challenge(denial),
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
        let forwarded = self.rules.forward.names().cloned();
        forwarded.chain([HeaderName::authorization()]).collect()
    }

    /// Whether it finds out who calls.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.rules.own_credentials.is_none()
    }

    async fn passage(&self, request: &GatewayRequest<'_>) -> Result<Passage, Refused> {
        let (credentials, whose) = if let Some(own) = &self.rules.own_credentials {
            (own.clone(), Whose::Gateway)
        } else {
            let encoded = request.authorization("Basic");
            let read = encoded.and_then(|it| FetchCredentials::from_basic(it, self.rules.encoding));
            (read.map_err(|it| refused(Denial::Unauthenticated, &it))?, Whose::Caller)
        };
        let wanted = Wanted {
            endpoint: Arc::clone(&self.endpoint),
            fetch: self.fetch(credentials),
            keeping: self.rules.is_cached.then(KeepingRules::default),
        };
        let obtained = self.tokens.obtain(wanted).await;
        let obtained = obtained.map_err(|it| failed(&it, Denial::of_exchange(&it, whose)))?;
        self.with_token(&obtained, whose)
    }

    /// The order of work after the token is there: claims, headers, Bearer, name.
    fn with_token(&self, obtained: &Obtained, whose: Whose) -> Result<Passage, Refused> {
        let rules = &self.rules;
        let needs_claims = rules.claims.is_some() || !rules.forward.is_empty();
        let claims = match (needs_claims || rules.username.is_some(), obtained.claims()) {
            (true, Some(claims)) => Some(claims),
            (true, None) if rules.claims.is_some() => {
                let cause = "the token is no JWT, and its claims are wanted";
                return Err(refused(Denial::Forbidden, &cause));
            }
            (true | false, _) => None,
        };
        if let (Some(expression), Some(claims)) = (&rules.claims, claims)
            && !expression.is_true_of(claims)
        {
            return Err(refused(Denial::Forbidden, &"the claims of the token are not as wanted"));
        }
        // A token without claims has none of those that travel on.
        let none = Claims::default();
        let lines = rules.forward.lines(claims.unwrap_or(&none));
        let mut set = lines.map_err(|it| refused(Denial::Unfit, &it))?;
        set.push((HeaderName::authorization(), bearer(obtained.token().as_str())?));
        let name = rules.username.as_ref().zip(claims);
        Ok(Passage {
            set,
            username: name.and_then(|(path, claims)| username(claims, path)),
            cache: obtained.cache,
            token: (whose == Whose::Gateway).then(|| obtained.used_by(0)),
            ..Passage::default()
        })
    }

    fn fetch(&self, credentials: FetchCredentials) -> TokenFetch {
        TokenFetch {
            url: self.rules.url.clone(),
            credentials,
            authentication: self.rules.authentication,
            assertion_audience: None,
            audience: self.rules.audience.clone(),
            scopes: self.rules.scopes.clone(),
            arguments: Vec::new(),
            headers: Vec::new(),
            salt: self.rules.salt.clone(),
        }
    }

    fn challenge(&self, denial: Denial) -> Option<Box<str>> {
        (denial == Denial::Unauthenticated).then(|| challenge("Basic", &self.name, &[]))
    }
}

/// Why a request does not go on.
pub(crate) struct Refused {
    pub(crate) denial: Denial,
    pub(crate) cause: Box<str>,
    pub(crate) blame: Blame,
}

pub(crate) fn refused(denial: Denial, cause: &dyn fmt::Display) -> Refused {
    Refused { denial, cause: cause.to_string().into(), blame: denial.blame() }
}

/// A server's failure that comes down to `denial`.
pub(crate) fn failed(failure: &FetchFailure, denial: Denial) -> Refused {
    let blame = Blame::of_failure(failure, denial);
    Refused { blame, ..refused(denial, &explained(failure)) }
}

/// `Bearer` and the token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Refused> {
    let unfit = |_| refused(Denial::BadGateway, &"the token cannot be in a header");
    format!("Bearer {token}").parse().map_err(unfit)
}

/// The query of a URL may be a secret.
impl fmt::Debug for ClientCredentialsRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentialsRules")
            .field("host", &self.url.host_str())
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCredentialsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentialsPolicy").field("name", &self.name).finish_non_exhaustive()
    }
}
