//! Spans for an OTLP collector, where one is configured; else nothing is recorded at all.

use std::sync::OnceLock;

use actix_web::http::header::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

static IS_ON: OnceLock<()> = OnceLock::new();

/// Starts to send spans to `endpoint`. What it returns is flushed and stopped at the end.
///
/// # Errors
///
/// If the endpoint cannot be one.
pub(crate) fn start(
    endpoint: &Url,
    version: &str,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    // The blocking client belongs to the exporter's own thread; an asynchronous one would find no
    // runtime there.
    let traces = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(traces).build()?;
    let resource = Resource::builder()
        .with_service_name("tokenwright")
        .with_attribute(opentelemetry::KeyValue::new("service.version", version.to_owned()))
        .build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    IS_ON.get_or_init(|| ());
    Ok(provider)
}

/// The layer that turns our spans into the collector's.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ours = Targets::new()
        .with_target("server", LevelFilter::DEBUG)
        .with_target("app", LevelFilter::DEBUG);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tokenwright"))
        .with_location(false)
        .with_threads(false)
        .with_filter(ours)
}

/// The span of a request, below the caller's (W3C Trace Context), where spans are sent anywhere.
pub(crate) fn request_span(method: &str, headers: &HeaderMap) -> Option<Span> {
    IS_ON.get()?;
    let span = tracing::debug_span!(
        "http_request",
        otel.name = tracing::field::Empty,
        otel.kind = "server",
        http.request.method = method,
        http.route = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
    );
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // It fails only where the layer is not there, and then nothing is recorded.
    drop(span.set_parent(parent));
    Some(span)
}

/// What is known when the request has been answered.
pub(crate) fn finish(span: &Span, route: &str, status: u16) {
    span.record("otel.name", route);
    span.record("http.route", route);
    span.record("http.response.status_code", status);
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
