//! What servers said of opaque tokens, for a short while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::gateway::{Claim, Claims, ClientAuthentication, FetchCredentials, FetchFailure};
use domain::port::{Clock, IntrospectionEndpoint, IntrospectionQuestion, SecretText, TokenVault};
use domain::{CacheKey, Fault, Timestamp};
use quick_cache::sync::Cache;
use url::Url;

use super::flights::{Boarding, Flights, Work};

/// What servers said of tokens. However many ask about one token at once, its server is asked once.
///
/// What is kept are the members of the answer, never a verdict: which scopes or audiences a route
/// wants is judged anew for every request (threat T40). An answer is kept for at most a minute, and
/// not beyond the token's end; that a token is not active, for five seconds. So a token that was
/// taken back is let in for a minute at most. Nothing is kept of a question that failed.
#[derive(Clone)]
pub struct Introspections(Arc<Inner>);

/// Whom to ask about a token, and as whom.
#[derive(Clone)]
pub struct IntrospectionServer {
    /// How the server is reached.
    pub endpoint: Arc<dyn IntrospectionEndpoint>,
    /// Its introspection endpoint.
    pub url: Url,
    /// Who asks.
    pub credentials: FetchCredentials,
    /// How that is shown.
    pub authentication: ClientAuthentication,
    /// Whom an assertion is for.
    pub assertion_audience: Option<Box<str>>,
    /// Whether the answers are kept.
    pub is_cached: bool,
}

type Answer = Result<Option<Arc<Claims>>, Arc<FetchFailure>>;

struct Inner {
    vault: Arc<dyn TokenVault>,
    clock: Arc<dyn Clock>,
    answers: Cache<CacheKey, Kept>,
    flights: Arc<Flights<CacheKey, Answer>>,
}

#[derive(Clone)]
struct Kept {
    claims: Option<Arc<Claims>>,
    asked_at: Timestamp,
    until: Timestamp,
}

const ACTIVE: Duration = Duration::from_mins(1);
const INACTIVE: Duration = Duration::from_secs(5);

impl Introspections {
    /// Remembers `capacity` answers at most, by digests that `vault` makes.
    #[must_use]
    pub fn new(vault: Arc<dyn TokenVault>, clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let (answers, flights) = (Cache::new(capacity), Arc::default());
        Self(Arc::new(Inner { vault, clock, answers, flights }))
    }

    /// What `server` says of `token`; `None` if it is not active.
    ///
    /// # Errors
    ///
    /// Whatever the question failed with.
    pub async fn ask(&self, server: &IntrospectionServer, token: &str) -> Answer {
        let inner = &self.0;
        if !server.is_cached {
            return server.ask(token).await;
        }
        // Two clients of one server may be told different things.
        let id = &server.credentials.id;
        let about = format!("{} {} {}", id.len(), id, server.url);
        let key = inner.vault.digest(&about, token);
        if let Some(kept) = inner.fresh(&key) {
            return Ok(kept.claims);
        }
        let landed = || inner.fresh(&key).map(|it| Ok(it.claims));
        let boarding = inner.flights.join(&key, landed, |ticket| {
            let (inner, server) = (Arc::clone(inner), server.clone());
            let (key, token) = (key.clone(), token.to_owned());
            let work = async move {
                let asked_at = inner.clock.now();
                let answer = server.ask(&token).await;
                if let Ok(claims) = &answer {
                    ticket.if_valid(|| inner.keep(&key, claims.clone(), asked_at));
                }
                ticket.leave();
                answer
            };
            Box::pin(work) as Work<_>
        });
        match boarding {
            Boarding::Landed(answer) => answer,
            Boarding::Waiting(passenger) => passenger.land().await.unwrap_or_else(|| {
                Err(Arc::new(Fault::unavailable("the question was dropped").into()))
            }),
        }
    }
}

impl IntrospectionServer {
    async fn ask(&self, token: &str) -> Answer {
        let question = IntrospectionQuestion {
            url: &self.url,
            token: SecretText(token),
            credentials: &self.credentials,
            authentication: self.authentication,
            assertion_audience: self.assertion_audience.as_deref(),
        };
        let answer = self.endpoint.introspect(&question).await;
        answer.map(|claims| claims.map(Arc::new)).map_err(Arc::new)
    }
}

impl Inner {
    fn fresh(&self, key: &CacheKey) -> Option<Kept> {
        let now = self.clock.now();
        // After a clock was set back nobody knows how old an answer is (threat T45).
        self.answers.get(key).filter(|it| it.asked_at <= now && now < it.until)
    }

    fn keep(&self, key: &CacheKey, claims: Option<Arc<Claims>>, asked_at: Timestamp) {
        let mut until = asked_at.after(if claims.is_some() { ACTIVE } else { INACTIVE });
        let exp = claims.as_ref().and_then(|it| it.get("exp")).and_then(Claim::as_seconds);
        if let Some(exp) = exp {
            until = until.min(Timestamp::from_unix_seconds(exp));
        }
        self.answers.insert(key.clone(), Kept { claims, asked_at, until });
    }
}

impl fmt::Debug for Introspections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspections")
            .field("kept", &self.0.answers.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IntrospectionServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionServer")
            .field("host", &self.url.host_str())
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}
