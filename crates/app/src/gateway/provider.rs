//! What is known of an identity provider, fetched when it is needed.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::gateway::{
    FetchFailure, ProviderAddress, ProviderKeys, ProviderMetadata, may_be_access_token,
};
use domain::port::{Clock, ProviderDocuments, SignatureVerifier};
use domain::{CompactJws, Timestamp};
use url::Url;

use super::flights::{Boarding, Flights, Work};

/// An identity provider: its metadata and its keys, fetched when somebody needs them, by one for
/// all, and kept. The gateway starts while the provider is down, and finds it when it is back.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

/// What a [`Provider`] is made of.
pub struct ProviderParts {
    /// Where it describes itself; `None` if only its keys are known.
    pub address: Option<ProviderAddress>,
    /// Where its keys are, if that is not for the metadata to say.
    pub jwks_uri: Option<Url>,
    /// How its documents are fetched.
    pub documents: Arc<dyn ProviderDocuments>,
    /// How its signatures are verified.
    pub verifier: Arc<dyn SignatureVerifier>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// An unknown key is looked for at once, and from then on once in this time.
    pub rediscovery: Duration,
}

/// A document of the provider cannot be had: nobody gets in until it can.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the provider's {what} cannot be had: {why}")]
pub struct ProviderOut {
    what: &'static str,
    why: Arc<str>,
}

/// Why a signature does not count.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unverified {
    /// None of the provider's keys made it.
    #[error("the token is not signed by a key of the provider")]
    NotSigned,
    /// It says that it is another kind of token: a logout token, say.
    #[error("the token's typ says that it is no access token")]
    AnotherKind,
    /// Nobody knows: the keys cannot be had.
    #[error(transparent)]
    Out(#[from] ProviderOut),
}

/// Which keys verified a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) u64);

struct Inner {
    parts: ProviderParts,
    /// Tells providers apart in marks.
    number: u32,
    state: Mutex<State>,
    flights: Arc<Flights<Document, Result<(), ProviderOut>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Document {
    Metadata,
    Keys,
}

#[derive(Default)]
struct State {
    metadata: Kept<ProviderMetadata>,
    keys: Kept<KnownKeys>,
    /// When keys were last fetched because of one that is unknown.
    rediscovered_at: Option<Timestamp>,
}

/// A set of keys, and the how manieth it is.
struct KnownKeys {
    keys: ProviderKeys,
    generation: u32,
}

struct Kept<T> {
    value: Option<Arc<T>>,
    failure: Option<(ProviderOut, Timestamp)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, failure: None }
    }
}

/// For so long a failure is not looked into again: whoever comes meanwhile does not wait in vain.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

impl Provider {
    /// A provider that nothing is known of yet.
    #[must_use]
    pub fn new(parts: ProviderParts) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Inner { parts, number, state: Mutex::default(), flights: Arc::default() }))
    }

    /// What the provider says of itself.
    ///
    /// # Errors
    ///
    /// [`ProviderOut`], also where nobody knows where it would say so.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, ProviderOut> {
        let inner = &self.0;
        if let Some(known) = &inner.state().metadata.value {
            return Ok(Arc::clone(known));
        }
        inner.told(|state| state.metadata.failure.as_ref())?;
        let landed = || inner.state().metadata.value.is_some().then_some(Ok(()));
        let begun = Arc::clone(inner);
        inner.fly(Document::Metadata, landed, || begun.fetch_metadata()).await?;
        let metadata = inner.state().metadata.value.clone();
        metadata.ok_or_else(|| ProviderOut::new("metadata", "it went away"))
    }

    /// Whether a key of the provider signed `jws`. An unknown key is looked for, so often and no
    /// oftener.
    pub(crate) async fn verify(&self, jws: &CompactJws) -> Result<Mark, Unverified> {
        let inner = &self.0;
        if !may_be_access_token(jws.header()) {
            return Err(Unverified::AnotherKind);
        }
        let known = inner.keys().await?;
        let found = inner.candidates(&known.keys, jws);
        if found.is_signed {
            return Ok(inner.mark(known.generation));
        }
        // A key of that name is known, and did not sign this.
        if found.is_known && jws.header().key_id.is_some() {
            return Err(Unverified::NotSigned);
        }
        if !inner.may_rediscover() {
            return Err(Unverified::NotSigned);
        }
        inner.refetch().await?;
        let known = inner.keys().await?;
        if inner.candidates(&known.keys, jws).is_signed {
            return Ok(inner.mark(known.generation));
        }
        Err(Unverified::NotSigned)
    }

    /// The mark of tokens that the keys of now verified; 0 is no mark.
    pub(crate) fn current_mark(&self) -> Mark {
        let generation = self.0.state().keys.value.as_ref().map_or(0, |it| it.generation);
        self.0.mark(generation)
    }

    /// Its host, for challenges.
    pub(crate) fn host(&self) -> Option<&str> {
        self.0.parts.address.as_ref().map(ProviderAddress::host)
    }
}

struct Found {
    is_known: bool,
    is_signed: bool,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked under the lock had not begun to change anything, or had changed it all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, generation: u32) -> Mark {
        Mark(u64::from(self.number) << 32 | u64::from(generation))
    }

    /// What was found out a moment ago.
    fn told(
        &self,
        failure: impl FnOnce(&State) -> Option<&(ProviderOut, Timestamp)>,
    ) -> Result<(), ProviderOut> {
        let now = self.parts.clock.now();
        match failure(&self.state()) {
            Some((out, at)) if *at <= now && now.since(*at) < FAILURE_PAUSE => Err(out.clone()),
            Some(_) | None => Ok(()),
        }
    }

    fn candidates(&self, keys: &ProviderKeys, jws: &CompactJws) -> Found {
        let mut found = Found { is_known: false, is_signed: false };
        for key in keys.candidates(jws) {
            found.is_known = true;
            found.is_signed |= self.parts.verifier.is_signed_by(jws, key);
        }
        found
    }

    async fn keys(self: &Arc<Self>) -> Result<Arc<KnownKeys>, ProviderOut> {
        if let Some(known) = &self.state().keys.value {
            return Ok(Arc::clone(known));
        }
        self.told(|state| state.keys.failure.as_ref())?;
        let landed = || self.state().keys.value.is_some().then_some(Ok(()));
        let begun = Arc::clone(self);
        self.fly(Document::Keys, landed, || begun.fetch_keys()).await?;
        let keys = self.state().keys.value.clone();
        keys.ok_or_else(|| ProviderOut::new("keys", "they went away"))
    }

    /// Fetches metadata and keys anew, whatever is known. Those who know keys go on with them
    /// meanwhile, and where only the metadata cannot be had the keys are where they were.
    async fn refetch(self: &Arc<Self>) -> Result<(), ProviderOut> {
        let begun = Arc::clone(self);
        let work = || async move {
            if begun.parts.address.is_some()
                && let Err(out) = Arc::clone(&begun).fetch_metadata().await
            {
                tracing::warn!(%out, "looking for an unknown key where the keys were before");
            }
            begun.fetch_keys().await
        };
        self.fly(Document::Keys, || None, work).await
    }

    fn may_rediscover(&self) -> bool {
        let now = self.parts.clock.now();
        let mut state = self.state();
        let is_soon = state
            .rediscovered_at
            .is_some_and(|it| it <= now && now.since(it) < self.parts.rediscovery);
        if !is_soon {
            state.rediscovered_at = Some(now);
        }
        !is_soon
    }

    async fn fly<F>(
        self: &Arc<Self>,
        document: Document,
        landed: impl FnOnce() -> Option<Result<(), ProviderOut>>,
        work: impl FnOnce() -> F,
    ) -> Result<(), ProviderOut>
    where
        F: Future<Output = Result<(), ProviderOut>> + Send + 'static,
    {
        let boarding = self.flights.join(&document, landed, |ticket| {
            let work = work();
            let work = async move {
                let outcome = work.await;
                ticket.leave();
                outcome
            };
            Box::pin(work) as Work<_>
        });
        match boarding {
            Boarding::Landed(outcome) => outcome,
            Boarding::Waiting(passenger) => passenger
                .land()
                .await
                .unwrap_or_else(|| Err(ProviderOut::new("documents", "the question was dropped"))),
        }
    }

    async fn fetch_metadata(self: Arc<Self>) -> Result<(), ProviderOut> {
        let outcome = self.found_metadata().await;
        let mut state = self.state();
        match outcome {
            Ok(metadata) => {
                state.metadata = Kept { value: Some(Arc::new(metadata)), failure: None };
                Ok(())
            }
            Err(out) => {
                state.metadata.failure = Some((out.clone(), self.parts.clock.now()));
                Err(out)
            }
        }
    }

    async fn found_metadata(&self) -> Result<ProviderMetadata, ProviderOut> {
        let out = |why: &dyn fmt::Display| ProviderOut::new("metadata", why);
        let Some(address) = &self.parts.address else {
            return Err(out(&"no issuer is configured"));
        };
        for url in address.documents() {
            let document = self.parts.documents.document(url).await;
            if let Some(body) = document.map_err(|it| out(&explained(&it)))? {
                return address.metadata(&body).map_err(|it| out(&it));
            }
        }
        Err(out(&"there is none at its addresses"))
    }

    async fn fetch_keys(self: Arc<Self>) -> Result<(), ProviderOut> {
        let outcome = self.found_keys().await;
        let mut state = self.state();
        match outcome {
            Ok(keys) => {
                let known = state.keys.value.as_ref();
                let (last, is_same) =
                    known.map_or((0, false), |it| (it.generation, it.keys == keys));
                let generation = if is_same { last } else { last.wrapping_add(1) };
                let value = Some(Arc::new(KnownKeys { keys, generation }));
                state.keys = Kept { value, failure: None };
                Ok(())
            }
            Err(out) => {
                state.keys.failure = Some((out.clone(), self.parts.clock.now()));
                Err(out)
            }
        }
    }

    async fn found_keys(self: &Arc<Self>) -> Result<ProviderKeys, ProviderOut> {
        let out = |why: &dyn fmt::Display| ProviderOut::new("keys", why);
        let url = if let Some(url) = &self.parts.jwks_uri {
            url.clone()
        } else {
            let metadata = Provider(Arc::clone(self)).metadata().await?;
            metadata.jwks_uri.clone().ok_or_else(|| out(&"the metadata has no jwks_uri"))?
        };
        match self.parts.documents.document(&url).await {
            Ok(Some(body)) => ProviderKeys::parse(&body).map_err(|it| out(&it)),
            Ok(None) => Err(out(&"there is nothing at jwks_uri")),
            Err(failure) => Err(out(&explained(&failure))),
        }
    }
}

impl ProviderOut {
    fn new(what: &'static str, why: impl fmt::Display) -> Self {
        Self { what, why: why.to_string().into() }
    }
}

/// A failure with its causes, for a log.
pub(crate) fn explained(failure: &FetchFailure) -> String {
    let mut text = failure.to_string();
    let mut source = std::error::Error::source(failure);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("address", &self.0.parts.address).finish_non_exhaustive()
    }
}
