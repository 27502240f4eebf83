//! The policy `openid_connect`.

use std::fmt;
use std::sync::Arc;

use domain::CompactJws;
use domain::gateway::{
    CacheUse, Claim, Claims, ClaimsSource, ClientAuthentication, Denial, FetchCredentials,
    HeaderName, HeaderValue, Passage, ProviderMetadata, Refusal, RefusalBody, TokenFetch,
    TokenFlaw, Verdict, challenge, is_bound,
};
use domain::port::{Clock, IntrospectionEndpoint, TokenEndpoint};

use super::caller_credentials::Brought;
use super::client_credentials::{Refused, failed, refused};
use super::introspections::{IntrospectionServer, Introspections};
use super::openid_connect_rules::OpenidConnectRules;
use super::provider::Provider;
use super::rejection::{Rejected, flawed, unverified};
use super::request::{GatewayRequest, only, pairs};
use super::token_source::{Obtained, TokenSource, Wanted};

/// Has callers proved by an identity provider: by the token that it gives for their credentials,
/// or by one that they bring along.
#[derive(Clone)]
pub struct OpenidConnectPolicy {
    /// What an operator says.
    pub rules: OpenidConnectRules,
    /// The provider.
    pub provider: Provider,
    /// Its token endpoint.
    pub endpoint: Arc<dyn TokenEndpoint>,
    /// Its introspection endpoint.
    pub introspection: Arc<dyn IntrospectionEndpoint>,
    /// Where tokens come from.
    pub tokens: TokenSource,
    /// What was said of opaque tokens.
    pub introspections: Introspections,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// What upstream knows consumers by. All of these are deleted from every request.
const CONSUMER: [&str; 6] = [
    "x-consumer-username",
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-groups",
    "x-credential-identifier",
    "x-anonymous-consumer",
];

/// A token that was found good.
enum Proved {
    /// The provider gave it; its own claims, or what introspection says.
    Fetched(Obtained, Option<Arc<Claims>>),
    /// The caller brought it along.
    Brought(Box<str>, Arc<Claims>),
}

impl Proved {
    fn token(&self) -> &str {
        match self {
            Self::Fetched(obtained, _) => obtained.token().as_str(),
            Self::Brought(token, _) => token,
        }
    }

    fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Fetched(_, Some(claims)) | Self::Brought(_, claims) => Some(claims),
            Self::Fetched(obtained, None) => obtained.claims(),
        }
    }

    fn cache(&self) -> CacheUse {
        match self {
            Self::Fetched(obtained, _) => obtained.cache,
            Self::Brought(_, _) => CacheUse::None,
        }
    }
}

impl OpenidConnectPolicy {
    /// Runs the use-case.
    pub async fn execute(&self, request: &GatewayRequest<'_>) -> Verdict {
        let remove = request.identity_headers(&self.identity_headers());
        self.judge(request).await.with_removed(remove)
    }

    /// The verdict, without the headers that say who the caller is.
    pub(super) async fn judge(&self, request: &GatewayRequest<'_>) -> Verdict {
        match self.passage(request).await {
            Ok(passage) => {
                let (remove, query, form) = self.rules.hide(request);
                Verdict::Passage(Passage { remove, query, form, ..passage })
            }
            Err(rejected) => Verdict::Refusal(self.refusal(rejected)),
        }
    }

    /// The headers of a caller that never reach upstream.
    #[must_use]
    pub fn identity_headers(&self) -> Vec<HeaderName> {
        let token = self.rules.upstream_token.iter().map(|it| it.header.clone());
        let consumer = CONSUMER.iter().filter_map(|it| it.parse().ok());
        let forwarded = self.rules.upstream_headers.names().cloned();
        token.chain(forwarded).chain(consumer).collect()
    }

    /// Whether it has to see the form of a request.
    #[must_use]
    pub fn wants_form(&self) -> bool {
        let rules = &self.rules;
        let has_arguments =
            !rules.caller_arguments.is_empty() || !rules.hidden_arguments.is_empty();
        rules.takes_credentials && (rules.places.body || has_arguments)
    }

    async fn passage(&self, request: &GatewayRequest<'_>) -> Result<Passage, Rejected> {
        if !self.rules.runs_on_preflight && request.is_preflight() {
            return Ok(Passage::default());
        }
        let proved = match self.rules.brought(request).map_err(Rejected::of_caller)? {
            Brought::Credentials(credentials) => self.logged_in(request, credentials).await?,
            Brought::Token(token) => self.proved(token).await?,
        };
        Ok(self.with_token(&proved)?)
    }

    fn with_token(&self, proved: &Proved) -> Result<Passage, Refused> {
        let rules = &self.rules;
        let unfit = |it: &dyn fmt::Display| refused(Denial::Unfit, it);
        let none = Claims::default();
        let claims = proved.claims().unwrap_or(&none);
        let mut set = rules.upstream_headers.lines(claims).map_err(|it| unfit(&it))?;
        let mut username = None;
        if let Some(path) = &rules.consumer {
            username = domain::gateway::username(claims, path);
            // The whole of it: two that begin alike are two. What is empty names nobody.
            let name = claims.find(path).and_then(Claim::as_text).filter(|it| !it.is_empty());
            match name {
                Some(name) => {
                    let value = name.parse().map_err(|it| unfit(&it))?;
                    set.extend(
                        CONSUMER.first().and_then(|it| it.parse().ok()).map(|it| (it, value)),
                    );
                }
                None if rules.is_consumer_optional => {}
                None => {
                    let cause = "the token names no consumer";
                    return Err(refused(Denial::Forbidden, &cause));
                }
            }
        }
        if let Some(upstream) = &rules.upstream_token {
            let value: Result<HeaderValue, _> = match &upstream.scheme {
                Some(scheme) => format!("{scheme} {}", proved.token()).parse(),
                None => proved.token().parse(),
            };
            set.push((upstream.header.clone(), value.map_err(|it| unfit(&it))?));
        }
        Ok(Passage { set, username, cache: proved.cache(), ..Passage::default() })
    }

    /// Gets a token with the caller's credentials. One from memory that no key of now has signed
    /// is fetched anew, once.
    async fn logged_in(
        &self,
        request: &GatewayRequest<'_>,
        credentials: FetchCredentials,
    ) -> Result<Proved, Rejected> {
        let fetch = self.fetch(request, credentials).await?;
        let first = self.obtained(fetch.clone()).await?;
        match self.fetched_claims(&first).await {
            Ok(claims) => Ok(Proved::Fetched(first, claims)),
            Err(bad) if first.cache == CacheUse::Hit && bad.is_about_the_token => {
                self.tokens.discard(&first).await;
                let second = self.obtained(fetch).await?;
                let claims = self.fetched_claims(&second).await?;
                Ok(Proved::Fetched(second, claims))
            }
            Err(bad) => Err(bad),
        }
    }

    async fn obtained(&self, fetch: TokenFetch) -> Result<Obtained, Rejected> {
        let (endpoint, keeping) = (Arc::clone(&self.endpoint), self.rules.keeping);
        let obtained = self.tokens.obtain(Wanted { endpoint, fetch, keeping }).await;
        obtained.map_err(|it| failed(&it, Denial::of_login(&it)).into())
    }

    async fn fetch(
        &self,
        request: &GatewayRequest<'_>,
        credentials: FetchCredentials,
    ) -> Result<TokenFetch, Rejected> {
        let rules = &self.rules;
        let is_known =
            rules.token_endpoint.is_some() && rules.token_endpoint_authentication.is_some();
        let metadata = if is_known { None } else { Some(self.provider.metadata().await?) };
        let metadata = metadata.as_deref();
        let url = rules.token_endpoint.as_ref();
        let url = url.or_else(|| metadata.and_then(|it| it.token_endpoint.as_ref()));
        let missing = || refused(Denial::BadGateway, &"the provider names no token endpoint");
        let authentication = rules
            .token_endpoint_authentication
            .or_else(|| metadata.map(ProviderMetadata::secret_authentication))
            .unwrap_or(ClientAuthentication::Header);
        let assertion_audience = match authentication {
            ClientAuthentication::SecretJwt | ClientAuthentication::PrivateKeyJwt => {
                Some(self.provider.metadata().await?.issuer.clone())
            }
            ClientAuthentication::Params
            | ClientAuthentication::Header
            | ClientAuthentication::Auto
            | ClientAuthentication::Certificate => None,
        };
        let mut arguments = rules.arguments.clone();
        if !rules.caller_arguments.is_empty() {
            let mut pairs = pairs(request.query.unwrap_or_default().as_bytes());
            pairs.extend(self::pairs(request.form.unwrap_or_default()));
            let named = |name: &str| only(&pairs, name).map(|it| (name.into(), it.into()));
            arguments.extend(rules.caller_arguments.iter().filter_map(|it| named(it)));
        }
        Ok(TokenFetch {
            url: url.ok_or_else(missing)?.clone(),
            credentials,
            authentication,
            assertion_audience,
            audience: None,
            scopes: rules.scopes.clone(),
            arguments,
            headers: rules.headers.clone(),
            salt: rules.salt.clone(),
        })
    }

    /// What introspection says of a token that the provider gave for the caller's credentials, or
    /// nothing where its own claims are good. One that is not good is the provider's fault, or our
    /// configuration's.
    async fn fetched_claims(&self, obtained: &Obtained) -> Result<Option<Arc<Claims>>, Rejected> {
        let bad = |cause: &dyn fmt::Display| Rejected::of_token(refused(Denial::BadGateway, cause));
        let token = obtained.token().as_str();
        let claims = match obtained.claims() {
            Some(claims) if !self.rules.introspects_jwts => claims,
            Some(_) | None => {
                let claims = self.introspected(token).await?;
                let claims = claims.ok_or_else(|| bad(&"the provider's token is not active"))?;
                let judged = self.judged(&claims, ClaimsSource::Introspection).await?;
                judged.map_err(|flaw| Rejected::of_token(flawed(&flaw, Denial::BadGateway)))?;
                return Ok(Some(claims));
            }
        };
        if self.rules.verifies_signatures && obtained.mark() != self.provider.current_mark().0 {
            let jws = CompactJws::parse(token).map_err(|it| bad(&it))?;
            let verified = self.provider.verify(&jws).await;
            let verified = verified.map_err(|it| unverified(&it, Denial::BadGateway));
            obtained.set_mark(verified.map_err(Rejected::of_token)?.0);
        }
        let judged = self.judged(claims, ClaimsSource::Jwt).await?;
        judged.map_err(|flaw| Rejected::of_token(flawed(&flaw, Denial::BadGateway)))?;
        Ok(None)
    }

    /// A token that the caller brought along.
    async fn proved(&self, token: &str) -> Result<Proved, Rejected> {
        let rules = &self.rules;
        let bad = |cause: &dyn fmt::Display| refused(Denial::Unauthenticated, cause);
        if token.is_empty() || CompactJws::MAX_BYTES < token.len() {
            return Err(bad(&"the token is empty or too long").into());
        }
        let claims = Claims::of_jwt(token);
        let introspects = rules.takes_opaque_tokens || claims.is_some() && rules.introspects_jwts;
        let (claims, source) = match (CompactJws::parse(token), claims) {
            (Ok(jws), Some(claims)) if rules.takes_jwts && !rules.introspects_jwts => {
                if rules.verifies_signatures {
                    let verified = self.provider.verify(&jws).await;
                    verified.map_err(|it| unverified(&it, Denial::Unauthenticated))?;
                }
                (Arc::new(claims), ClaimsSource::Jwt)
            }
            (Ok(_) | Err(_), _) if introspects => {
                let claims = self.introspected(token).await?;
                let claims = claims.ok_or_else(|| bad(&"the token is not active"))?;
                (claims, ClaimsSource::Introspection)
            }
            (Ok(_), _) => return Err(bad(&"the token is no JWT of an object of claims").into()),
            (Err(why), _) => return Err(bad(&why).into()),
        };
        let judged = self.judged(&claims, source).await?;
        judged.map_err(|flaw| flawed(&flaw, Denial::Unauthenticated))?;
        if is_bound(&claims) {
            return Err(bad(&"the token is bound to a key, and was shown without a proof").into());
        }
        Ok(Proved::Brought(token.into(), claims))
    }

    /// Judges claims, once it is known whose they must be.
    async fn judged(
        &self,
        claims: &Claims,
        source: ClaimsSource,
    ) -> Result<Result<(), TokenFlaw>, Rejected> {
        let rules = &self.rules.token;
        let is_needed = rules.verify_claims && rules.issuers.is_empty();
        let metadata = if is_needed { Some(self.provider.metadata().await?) } else { None };
        let issuer = metadata.as_ref().map(|it| &*it.issuer);
        Ok(rules.check(claims, source, issuer, self.clock.now()))
    }

    async fn introspected(&self, token: &str) -> Result<Option<Arc<Claims>>, Rejected> {
        let rules = &self.rules;
        let missing = |what: &str| refused(Denial::BadGateway, &what);
        let credentials = rules.own_credentials.clone();
        let url = match &rules.introspection_endpoint {
            Some(url) => Some(url.clone()),
            None => self.provider.metadata().await?.introspection_endpoint.clone(),
        };
        let server = IntrospectionServer {
            endpoint: Arc::clone(&self.introspection),
            url: url.ok_or_else(|| missing("there is no introspection endpoint"))?,
            credentials: credentials
                .ok_or_else(|| missing("there is no client_id to introspect with"))?,
            authentication: rules.own_authentication,
            assertion_audience: match rules.own_authentication {
                ClientAuthentication::SecretJwt | ClientAuthentication::PrivateKeyJwt => {
                    Some(self.provider.metadata().await?.issuer.clone())
                }
                ClientAuthentication::Params
                | ClientAuthentication::Header
                | ClientAuthentication::Auto
                | ClientAuthentication::Certificate => None,
            },
            is_cached: rules.keeps_introspections,
        };
        let answer = self.introspections.ask(&server, token).await;
        answer.map_err(|it| failed(&it, Denial::of_introspection(&it)).into())
    }

    fn refusal(&self, rejected: Rejected) -> Refusal {
        let Rejected { refused: Refused { denial, cause, blame }, error, is_about_the_token: _ } =
            rejected;
        let rules = &self.rules;
        let error = error.filter(|_| rules.exposes_error_code);
        let parameters: Vec<(&str, &str)> = error.map(|it| ("error", it)).into_iter().collect();
        let realm = self.provider.host().unwrap_or_default();
        let is_challenged = denial == Denial::Unauthenticated
            || denial == Denial::Forbidden && !parameters.is_empty();
        let message = match denial {
            Denial::Unauthenticated => rules.unauthorized_message.clone(),
            Denial::Forbidden => rules.forbidden_message.clone(),
            Denial::Unfit
            | Denial::BadGateway
            | Denial::Unavailable { .. }
            | Denial::Late
            | Denial::Internal => denial.title().into(),
        };
        Refusal {
            denial,
            challenge: is_challenged.then(|| challenge("Bearer", realm, &parameters)),
            body: RefusalBody::Message(message),
            cause,
            blame,
            remove: Vec::new(),
        }
    }
}

impl fmt::Debug for OpenidConnectPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenidConnectPolicy")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
