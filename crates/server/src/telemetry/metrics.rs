//! Numbers for Prometheus. No label holds a client, a token or anything a caller can make up.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use app::IssuedToken;
use domain::{FaultKind, TokenFormat};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The numbers of this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    latency: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    tokens: Family<TokenLabels, Counter<u64, AtomicU64>>,
    stores: Family<StoreLabels, Histogram, fn() -> Histogram>,
    samples: Arc<OnceLock<Vec<Sample>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    method: &'static str,
    alg: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabels {
    store: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

/// A number that somebody else keeps, read when it is asked for.
pub(crate) enum Sample {
    /// One that only grows.
    Counter(&'static str, &'static str, Box<dyn Fn() -> u64 + Send + Sync>),
    /// One that goes up and down.
    Gauge(&'static str, &'static str, Box<dyn Fn() -> u64 + Send + Sync>),
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counter(name, ..) | Self::Gauge(name, ..) => f.write_str(name),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0,
    ])
}

impl Metrics {
    /// All numbers at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tokenwright");
        let requests = Family::default();
        registry.register("http_requests", "Requests by endpoint and outcome", requests.clone());
        let latency = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "http_request_duration_seconds",
            "How long requests take",
            latency.clone(),
        );
        let tokens = Family::default();
        registry.register(
            "tokens_issued",
            "Access tokens by client authentication method and signing algorithm",
            tokens.clone(),
        );
        let stores = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "store_duration_seconds",
            "How long the stores take, by operation and outcome",
            stores.clone(),
        );
        let samples = Arc::default();
        registry.register_collector(Box::new(Samples(Arc::clone(&samples))));
        Self { registry, requests, latency, tokens, stores, samples }
    }

    /// Reads `samples` at each scrape from now on. They come from what is itself measured here,
    /// and so exist only afterwards; a second call changes nothing.
    pub(crate) fn watch(&self, samples: Vec<Sample>) {
        self.samples.get_or_init(|| samples);
    }

    /// A request was answered.
    pub(crate) fn request(&self, endpoint: &str, outcome: &'static str, elapsed: Duration) {
        let labels = RequestLabels { endpoint: endpoint.to_owned(), outcome };
        self.requests.get_or_create(&labels).inc();
        let labels = EndpointLabels { endpoint: labels.endpoint };
        self.latency.get_or_create(&labels).observe(elapsed.as_secs_f64());
    }

    /// A token was issued.
    pub(crate) fn token_issued(&self, issued: &IssuedToken) {
        let method = issued.method.name();
        let alg = match issued.format {
            TokenFormat::Jwt => issued.algorithm.name(),
            TokenFormat::Reference => "reference",
        };
        self.tokens.get_or_create(&TokenLabels { method, alg }).inc();
    }

    /// A store answered, or did not.
    pub(crate) fn store(
        &self,
        store: &'static str,
        operation: &'static str,
        fault: Option<FaultKind>,
        elapsed: Duration,
    ) {
        let outcome = match fault {
            None => "ok",
            Some(FaultKind::Unavailable) => "unavailable",
            Some(FaultKind::Overloaded) => "overloaded",
            Some(FaultKind::Corrupt) => "corrupt",
        };
        let labels = StoreLabels { store, operation, outcome };
        self.stores.get_or_create(&labels).observe(elapsed.as_secs_f64());
    }

    /// The text Prometheus reads.
    ///
    /// # Errors
    ///
    /// If a number cannot be written.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[derive(Debug)]
struct Samples(Arc<OnceLock<Vec<Sample>>>);

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        use prometheus_client::metrics::MetricType;
        for sample in self.0.get().into_iter().flatten() {
            match sample {
                Sample::Counter(name, help, read) => {
                    let place = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    ConstCounter::new(read()).encode(place)?;
                }
                Sample::Gauge(name, help, read) => {
                    let place = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    ConstGauge::new(i64::try_from(read()).unwrap_or(i64::MAX)).encode(place)?;
                }
            }
        }
        Ok(())
    }
}
