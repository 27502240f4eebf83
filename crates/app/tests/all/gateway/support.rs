//! Servers under a script, and what every test of the gateway begins with.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use adapter_memory::testing::{ManualClock, PlainSigner, PlainVault, SeededEntropy};
use adapter_memory::{BackgroundTasks, MemoryTokenCache};
use app::gateway::{
    GatewayRequest, Introspections, Provider, ProviderParts, TokenSource, TokenSourceParts,
};
use async_trait::async_trait;
use domain::gateway::{
    Claims, FetchFailure, FetchedToken, Passage, ProviderAddress, Refusal, ServerRefusal,
    TokenFetch, Verdict,
};
use domain::port::{
    Clock, IntrospectionEndpoint, IntrospectionQuestion, ProviderDocuments, TokenCache,
    TokenEndpoint,
};
use domain::{CacheKey, Fault, SealedToken, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;

/// What a server answers.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// The body of a 200.
    Body(String),
    /// A refusal.
    Refuse(u16, &'static str),
    Throttle(u64),
    Fail(u16),
    Break,
    Late,
    Useless,
    OutOfOrder,
}

impl Say {
    pub(crate) fn failure(&self) -> FetchFailure {
        match self {
            Self::Body(_) | Self::Useless => FetchFailure::Unusable("useless"),
            Self::Refuse(status, code) => ServerRefusal::new(*status, Some(code)).classified(),
            Self::Throttle(seconds) => {
                FetchFailure::Throttled { retry_after: Some(Duration::from_secs(*seconds)) }
            }
            Self::Fail(status) => FetchFailure::Failing { status: *status, retry_after: None },
            Self::Break => FetchFailure::Unreachable("reset".into()),
            Self::Late => FetchFailure::Late,
            Self::OutOfOrder => Fault::corrupt("broken").into(),
        }
    }
}

/// A token endpoint and an introspection endpoint.
pub(crate) struct Server {
    clock: Arc<ManualClock>,
    script: Mutex<VecDeque<Say>>,
    asked: Mutex<Vec<TokenFetch>>,
    explained: Mutex<HashMap<String, Say>>,
    questions: Mutex<Vec<String>>,
    /// Who comes in needs a permit; closed gates are how tests make a server slow.
    gate: Semaphore,
}

impl Server {
    pub(crate) fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            script: Mutex::default(),
            asked: Mutex::default(),
            explained: Mutex::default(),
            questions: Mutex::default(),
            gate: Semaphore::new(1_000_000),
        })
    }

    /// Answers so from now on: one after the other, the last one for ever.
    pub(crate) fn says(&self, script: &[Say]) {
        *self.script.lock().unwrap() = script.iter().cloned().collect();
    }

    pub(crate) fn explains(&self, token: &str, say: Say) {
        self.explained.lock().unwrap().insert(token.to_owned(), say);
    }

    pub(crate) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> TokenFetch {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn introspections(&self) -> usize {
        self.questions.lock().unwrap().len()
    }

    pub(crate) fn close(&self) {
        self.gate.forget_permits(1_000_000);
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000_000);
    }
}

#[async_trait]
impl TokenEndpoint for Server {
    async fn fetch(&self, fetch: &TokenFetch) -> Result<FetchedToken, FetchFailure> {
        self.asked.lock().unwrap().push(fetch.clone());
        let asked_at = self.clock.now();
        let say = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
        };
        tokio::task::yield_now().await;
        drop(self.gate.acquire().await.unwrap());
        match say.unwrap() {
            Say::Body(body) => FetchedToken::from_answer(body.as_bytes(), asked_at),
            other => Err(other.failure()),
        }
    }
}

#[async_trait]
impl IntrospectionEndpoint for Server {
    async fn introspect(
        &self,
        question: &IntrospectionQuestion<'_>,
    ) -> Result<Option<Claims>, FetchFailure> {
        self.questions.lock().unwrap().push(question.token.0.to_owned());
        tokio::task::yield_now().await;
        let say = self.explained.lock().unwrap().get(question.token.0).cloned();
        match say {
            None => Ok(None),
            Some(Say::Body(body)) => Ok(Some(Claims::parse(body.as_bytes()).unwrap())),
            Some(other) => Err(other.failure()),
        }
    }
}

/// What a provider publishes.
#[derive(Default)]
pub(crate) struct Documents {
    published: Mutex<HashMap<String, Say>>,
    fetched: Mutex<Vec<String>>,
}

impl Documents {
    pub(crate) fn publish(&self, url: &str, say: Say) {
        self.published.lock().unwrap().insert(url.to_owned(), say);
    }

    pub(crate) fn published(&self, url: &str) -> Say {
        self.published.lock().unwrap()[url].clone()
    }

    /// How often a document was fetched.
    pub(crate) fn fetches(&self, url: &str) -> usize {
        self.fetched.lock().unwrap().iter().filter(|it| *it == url).count()
    }
}

#[async_trait]
impl ProviderDocuments for Documents {
    async fn document(&self, url: &Url) -> Result<Option<Vec<u8>>, FetchFailure> {
        self.fetched.lock().unwrap().push(url.to_string());
        tokio::task::yield_now().await;
        match self.published.lock().unwrap().get(url.as_str()) {
            None => Ok(None),
            Some(Say::Body(body)) => Ok(Some(body.clone().into_bytes())),
            Some(other) => Err(other.failure()),
        }
    }
}

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const METADATA: &str = "https://as.example/.well-known/openid-configuration";
pub(crate) const KEYS: &str = "https://as.example/keys";

/// Everything around the policies.
pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Arc<Server>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) tokens: TokenSource,
    pub(crate) introspections: Introspections,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with_store(None, 1_000)
    }

    pub(crate) fn with_store(store: Option<Arc<dyn TokenCache>>, capacity: usize) -> Self {
        let clock = Arc::new(ManualClock::default());
        let house = Self {
            server: Server::new(&clock),
            documents: Arc::default(),
            tokens: source(&clock, store, capacity),
            introspections: Introspections::new(
                Arc::new(PlainVault),
                Arc::clone(&clock) as _,
                1_000,
            ),
            clock,
        };
        house.server.says(&[token("t", 600)]);
        house.publish_metadata(&json!({}));
        house.publish_keys(&["k1"]);
        house
    }

    /// Publishes metadata with these members beside the usual ones.
    pub(crate) fn publish_metadata(&self, more: &Value) {
        let mut metadata = json!({
            "issuer": ISSUER,
            "token_endpoint": "https://as.example/token",
            "introspection_endpoint": "https://as.example/introspect",
            "jwks_uri": KEYS,
        });
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        self.documents.publish(METADATA, Say::Body(metadata.to_string()));
    }

    pub(crate) fn publish_keys(&self, ids: &[&str]) {
        let coordinate = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let key = |id: &&str| json!({"kty": "EC", "crv": "P-256", "kid": id, "x": coordinate, "y": coordinate});
        let keys: Vec<Value> = ids.iter().map(key).collect();
        self.documents.publish(KEYS, Say::Body(json!({ "keys": keys }).to_string()));
    }

    pub(crate) fn provider(&self) -> Provider {
        Provider::new(ProviderParts {
            address: Some(ProviderAddress::parse(ISSUER).unwrap()),
            jwks_uri: None,
            documents: Arc::clone(&self.documents) as _,
            verifier: Arc::new(PlainSigner),
            clock: Arc::clone(&self.clock) as _,
            rediscovery: Duration::from_secs(30),
        })
    }

    /// A good token of the provider, with these members besides.
    pub(crate) fn jwt(&self, key: &str, more: &Value) -> String {
        let now = self.clock.now().as_unix_seconds();
        let mut claims = json!({"iss": ISSUER, "sub": "billing", "iat": now, "exp": now + 300});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        PlainSigner::compact(&json!({"alg": "ES256", "kid": key}), &claims)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets work in the background come to its end.
    pub(crate) async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn source(
    clock: &Arc<ManualClock>,
    store: Option<Arc<dyn TokenCache>>,
    capacity: usize,
) -> TokenSource {
    TokenSource::new(TokenSourceParts {
        vault: Arc::new(PlainVault),
        store,
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(SeededEntropy::default()),
        background: Arc::new(BackgroundTasks::new(100)),
        capacity,
    })
}

pub(crate) fn store() -> Arc<MemoryTokenCache> {
    Arc::new(MemoryTokenCache::new(1_000))
}

/// A store that can be made to wait before it writes or forgets.
pub(crate) struct SlowStore {
    store: Arc<MemoryTokenCache>,
    /// Each write takes a permit.
    pub(crate) writes: Semaphore,
    /// So does each removal.
    pub(crate) removals: Semaphore,
}

impl SlowStore {
    pub(crate) fn allowing(writes: usize, removals: usize) -> Arc<Self> {
        let (writes, removals) = (Semaphore::new(writes), Semaphore::new(removals));
        Arc::new(Self { store: store(), writes, removals })
    }
}

#[async_trait]
impl TokenCache for SlowStore {
    async fn find(&self, key: &CacheKey) -> Result<Option<SealedToken>, Fault> {
        self.store.find(key).await
    }

    async fn keep(
        &self,
        key: &CacheKey,
        token: &SealedToken,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.writes.acquire().await.unwrap().forget();
        self.store.keep(key, token, until, now).await
    }

    async fn forget(&self, key: &CacheKey) -> Result<(), Fault> {
        self.removals.acquire().await.unwrap().forget();
        self.store.forget(key).await
    }
}

/// The answer with a token.
pub(crate) fn token(token: &str, expires_in: i64) -> Say {
    Say::Body(
        json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in})
            .to_string(),
    )
}

/// A request with these headers.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) query: Option<String>,
    pub(crate) form: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn new(headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).collect();
        Self { method: "GET", query: None, form: None, headers }
    }

    pub(crate) fn parts(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect()
    }

    pub(crate) fn request<'a>(&'a self, parts: &'a [(&'a str, &'a [u8])]) -> GatewayRequest<'a> {
        GatewayRequest {
            method: self.method,
            host: "api.example",
            path: "/",
            query: self.query.as_deref(),
            headers: parts,
            form: self.form.as_deref().map(str::as_bytes),
        }
    }
}

/// `id:secret` as a Basic header.
pub(crate) fn basic(pair: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair))
}

pub(crate) fn passage(verdict: Verdict) -> Passage {
    match verdict {
        Verdict::Passage(passage) => passage,
        Verdict::Refusal(refusal) => panic!("refused: {refusal:?}"),
    }
}

pub(crate) fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refusal(refusal) => refusal,
        Verdict::Passage(passage) => panic!("let pass: {passage:?}"),
    }
}

/// The lines to set, as text.
pub(crate) fn lines(passage: &Passage) -> Vec<String> {
    passage.set.iter().map(|(name, value)| format!("{name}: {}", value.as_str())).collect()
}

pub(crate) fn removes(names: &[Box<str>], name: &str) -> bool {
    names.iter().any(|it| &**it == name)
}
