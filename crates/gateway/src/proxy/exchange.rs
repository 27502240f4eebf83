//! What is known of a request while it is under way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::gateway::{CacheUse, Passage};
use http::Method;
use pingora_proxy::Session;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use crate::gate::{Gate, LiveRoute};
use crate::telemetry::{Counted, Entry, Telemetry, millis, rfc3339};

/// A request and what was found out about it.
pub(crate) struct Exchange {
    /// The configuration that it is judged by, to its end.
    pub(crate) gate: Arc<Gate>,
    /// Its id.
    pub(crate) id: String,
    /// When it began.
    pub(crate) started: Instant,
    /// Who sent it.
    pub(crate) peer: Option<IpAddr>,
    /// Whether that is a listed proxy.
    pub(crate) is_listed: bool,
    /// On whose behalf it was sent.
    pub(crate) client: Option<IpAddr>,
    /// The host that it asks for, as it came.
    pub(crate) host: String,
    /// The request that another proxy asks about.
    pub(crate) asked: Option<(Method, String)>,
    /// Its route.
    pub(crate) route: Option<Arc<LiveRoute>>,
    /// What the policies came to.
    pub(crate) policy_outcome: &'static str,
    /// Headers that no caller may send, because a policy of some route says there who it is.
    pub(crate) forged: Vec<Box<str>>,
    /// How it goes on.
    pub(crate) passage: Passage,
    /// The body that goes on in place of the caller's.
    pub(crate) new_body: Option<Bytes>,
    /// Bytes of the body so far.
    pub(crate) received: u64,
    /// The servers that were tried.
    pub(crate) tried: Vec<SocketAddr>,
    /// When the last of them was tried.
    pub(crate) tried_at: Option<Instant>,
    /// How long it took to the first byte of its answer.
    pub(crate) upstream_took: Option<Duration>,
    /// Why it failed, in our words.
    pub(crate) error: Option<&'static str>,
    _under_way: UnderWay,
}

/// Counts a request for as long as it is under way.
struct UnderWay(Gauge<i64, std::sync::atomic::AtomicI64>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Exchange {
    /// A request begins.
    pub(crate) fn begin(gate: Arc<Gate>, telemetry: &Telemetry) -> Self {
        let under_way = telemetry.metrics.under_way.clone();
        under_way.inc();
        Self {
            gate,
            id: uuid::Uuid::new_v4().to_string(),
            started: Instant::now(),
            peer: None,
            is_listed: false,
            client: None,
            host: String::new(),
            asked: None,
            route: None,
            policy_outcome: "none",
            forged: Vec::new(),
            passage: Passage::default(),
            new_body: None,
            received: 0,
            tried: Vec::new(),
            tried_at: None,
            upstream_took: None,
            error: None,
            _under_way: UnderWay(under_way),
        }
    }

    /// What is left of its time; `None` if it may take any.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let deadline = self.route.as_ref()?.settings.deadline?;
        Some(deadline.saturating_sub(self.started.elapsed()))
    }

    /// Whether its time is over.
    pub(crate) fn is_late(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// Writes it into the access log, and counts it.
    pub(crate) fn report(&self, session: &Session, listener: &str, telemetry: &Telemetry) {
        let request = session.req_header();
        let (method, path) = match &self.asked {
            Some((method, path)) => (method, path.as_str()),
            None => (&request.method, request.uri.path()),
        };
        let status = session.response_written().map_or(0, |it| it.status.as_u16());
        let route = self.route.as_ref().map(|it| it.settings.name.as_str());
        let token_cache = match self.passage.cache {
            CacheUse::None => None,
            CacheUse::Hit => Some("hit"),
            CacheUse::Miss => Some("miss"),
        };
        let elapsed = self.started.elapsed();
        telemetry.metrics.request(&Counted {
            route: route.unwrap_or_default(),
            policy_outcome: self.policy_outcome,
            status,
            elapsed,
            upstream: self.upstream_took,
            token_cache,
        });
        telemetry.access_log.write(&Entry {
            time: rfc3339(),
            request_id: &self.id,
            listener,
            client_address: self.client.map(|it| it.to_string()).unwrap_or_default(),
            protocol: if session.is_http2() { "HTTP/2.0" } else { "HTTP/1.1" },
            method: method.as_str(),
            host: &self.host,
            path,
            route,
            policy_outcome: self.policy_outcome,
            client_username: self.passage.username.as_deref(),
            token_cache,
            status,
            upstream: self.tried.last().map(ToString::to_string),
            upstream_ms: self.upstream_took.map(millis),
            attempts: self.tried.len(),
            duration_ms: millis(elapsed),
            request_bytes: session.body_bytes_read(),
            response_bytes: session.body_bytes_sent(),
            error: self.error,
        });
    }
}
