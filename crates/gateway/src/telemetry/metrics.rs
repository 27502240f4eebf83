//! Numbers for Prometheus. No label holds anything that a caller can make up.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The numbers of this process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    upstream_latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    tokens: Family<TokenLabels, Counter<u64, AtomicU64>>,
    reloads: Family<ReloadLabels, Counter<u64, AtomicU64>>,
    lost_lines: Gauge<i64, AtomicI64>,
    /// Requests that are under way, upgraded connections included.
    pub(crate) under_way: Gauge<i64, AtomicI64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    policy_outcome: &'static str,
    status: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    route: String,
    cache: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

/// What is counted of a request.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    /// The route, or nothing.
    pub(crate) route: &'a str,
    /// What the policies came to.
    pub(crate) policy_outcome: &'static str,
    /// What the caller was told.
    pub(crate) status: u16,
    /// How long all of it took.
    pub(crate) elapsed: Duration,
    /// How long the server behind us took.
    pub(crate) upstream: Option<Duration>,
    /// `hit` or `miss`, if a token was wanted.
    pub(crate) token_cache: Option<&'static str>,
}

fn histogram() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

impl Metrics {
    /// All numbers at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tokenwright_gateway");
        let constructor = histogram as fn() -> Histogram;
        let requests = Family::default();
        registry.register(
            "requests",
            "Requests by route, outcome of the policies and status",
            requests.clone(),
        );
        let latency = Family::new_with_constructor(constructor);
        registry.register("request_duration_seconds", "How long requests take", latency.clone());
        let upstream_latency = Family::new_with_constructor(constructor);
        registry.register(
            "upstream_duration_seconds",
            "How long servers take to the first byte of their answer",
            upstream_latency.clone(),
        );
        let tokens = Family::default();
        registry.register("tokens", "Wanted tokens, from the cache or not", tokens.clone());
        let reloads = Family::default();
        registry.register("reloads", "Changes of the configuration, by outcome", reloads.clone());
        let lost_lines = Gauge::default();
        registry.register(
            "access_log_lost_lines",
            "Lines of the access log that nobody read in time",
            lost_lines.clone(),
        );
        let under_way = Gauge::default();
        registry.register("requests_under_way", "Requests that are under way", under_way.clone());
        Self {
            registry,
            requests,
            latency,
            upstream_latency,
            tokens,
            reloads,
            lost_lines,
            under_way,
        }
    }

    /// A request has ended.
    pub(crate) fn request(&self, it: &Counted<'_>) {
        let route = it.route.to_owned();
        let (policy_outcome, status) = (it.policy_outcome, it.status.into());
        let labels = RequestLabels { route: route.clone(), policy_outcome, status };
        self.requests.get_or_create(&labels).inc();
        if let Some(cache) = it.token_cache {
            self.tokens.get_or_create(&TokenLabels { route: route.clone(), cache }).inc();
        }
        let labels = RouteLabels { route };
        self.latency.get_or_create(&labels).observe(it.elapsed.as_secs_f64());
        if let Some(upstream) = it.upstream {
            self.upstream_latency.get_or_create(&labels).observe(upstream.as_secs_f64());
        }
    }

    /// The configuration changed, or did not, for a mistake.
    pub(crate) fn reload(&self, is_good: bool) {
        let outcome = if is_good { "taken" } else { "refused" };
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// The text Prometheus reads.
    ///
    /// # Errors
    ///
    /// If a number cannot be written.
    pub(crate) fn encode(&self, lost_lines: usize) -> Result<String, fmt::Error> {
        self.lost_lines.set(i64::try_from(lost_lines).unwrap_or(i64::MAX));
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.registry)?;
        Ok(encoded)
    }
}
