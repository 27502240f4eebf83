//! The phases of a request, as the library calls them: admit, choose a server, change what goes on,
//! change what comes back, report.

mod admin;
mod admit;
mod answer;
mod exchange;
mod onward;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use tokio::time::Instant;

pub(crate) use admin::Readiness;
use answer::Answer;
use exchange::Exchange;
use onward::Received;

use crate::gate::Gate;
use crate::settings::Serves;
use crate::telemetry::Telemetry;

/// How long a caller may send nothing while its request is not whole, and take nothing of the
/// answer.
const CALLER_PATIENCE: Duration = Duration::from_mins(1);
/// How long we read what is left of a refused request, so that the caller gets to read the answer.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs behind a listener.
pub(crate) struct Gateway {
    /// The configuration in use.
    pub(crate) gate: Arc<ArcSwap<Gate>>,
    /// The name of the listener.
    pub(crate) listener: String,
    /// What it serves.
    pub(crate) serves: Serves,
    /// Whether it serves over TLS.
    pub(crate) is_tls: bool,
    /// Where requests are reported.
    pub(crate) telemetry: Arc<Telemetry>,
    /// Whether requests are welcome.
    pub(crate) readiness: Arc<Readiness>,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::begin(self.gate.load_full(), &self.telemetry)
    }

    async fn early_request_filter(&self, session: &mut Session, it: &mut Exchange) -> Result<()> {
        admit::identify(session, it);
        // Whoever has changed protocols may be silent for as long as both sides like.
        let patience = (!session.is_upgrade_req()).then_some(CALLER_PATIENCE);
        session.set_read_timeout(patience);
        session.set_write_timeout(Some(CALLER_PATIENCE));
        session.set_total_drain_timeout(Some(DRAIN));
        // Whoever sends requests ahead is answered in turn (RFC 9112 section 9.3.2).
        session.set_pipelining_enabled(true);
        if self.readiness.is_stopping() {
            // Its next request is for whoever is there then.
            session.set_keepalive(None);
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, it: &mut Exchange) -> Result<bool> {
        let answer = match self.serves {
            Serves::Proxy => Box::pin(admit::admit(session, it)).await?,
            Serves::ForwardAuth => Some(verify::answer(session, it).await),
            Serves::Admin => Some(admin::answer(session, it, &self.telemetry, &self.readiness)),
        };
        let Some(answer) = answer else {
            return Ok(false);
        };
        if answer.status == StatusCode::PAYLOAD_TOO_LARGE {
            session.set_keepalive(None);
        }
        let id = it.id.clone();
        answer.send(session, &id).await?;
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        it: &mut Exchange,
    ) -> Result<Box<HttpPeer>> {
        let servers = it.route.as_ref().and_then(|it| it.servers.clone());
        let Some(servers) = servers else {
            return Error::e_explain(ErrorType::InternalError, "a route without servers");
        };
        if it.is_late() {
            return Error::e_explain(ErrorType::HTTPStatus(504), "the deadline of the route");
        }
        let Some(server) = servers.choose(&it.tried) else {
            it.error = Some("no server is well");
            return Error::e_explain(ErrorType::HTTPStatus(503), "no server is well");
        };
        it.tried.push(server);
        it.tried_at = Some(Instant::now());
        let mut peer = servers.peer(server, it.time_left());
        if session.is_upgrade_req() {
            peer.options.read_timeout = None;
            peer.options.write_timeout = None;
        }
        Ok(Box::new(peer))
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        is_last: bool,
        it: &mut Exchange,
    ) -> Result<()> {
        if session.was_upgraded() {
            return Ok(());
        }
        it.received += body.as_ref().map_or(0, |it| it.len() as u64);
        let limit = it.route.as_ref().map_or(0, |it| it.settings.body_limit);
        if limit < it.received {
            return Error::e_explain(ErrorType::HTTPStatus(413), "a body over the limit");
        }
        if it.is_late() {
            return Error::e_explain(ErrorType::HTTPStatus(504), "the deadline of the route");
        }
        if let Some(form) = &it.new_body {
            *body = if is_last { Some(form.clone()) } else { Some(Bytes::new()) };
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        it: &mut Exchange,
    ) -> Result<()> {
        // A second attempt sends the body from its beginning.
        it.received = 0;
        let received = Received { is_tls: self.is_tls, is_http2: session.is_http2() };
        onward::change(request, it, received)
    }

    async fn upstream_response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        it: &mut Exchange,
    ) -> Result<()> {
        onward::strip_hop(response);
        if response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS
        {
            return Ok(());
        }
        it.upstream_took = it.tried_at.map(|at| at.elapsed());
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(route) = it.route.clone()
            && route.chain.upstream_refused(&it.passage).await
        {
            tracing::info!(route = route.settings.name, request_id = it.id, "a token was purged");
        }
        response.insert_header("X-Request-Id", &it.id)?;
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        is_last: bool,
        it: &mut Exchange,
    ) -> Result<Option<Duration>> {
        if !is_last && !session.was_upgraded() && it.is_late() {
            return Error::e_explain(ErrorType::HTTPStatus(504), "the deadline of the route");
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        it: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        // Nothing was sent: any request may be tried again.
        error.set_retry(may_try_again(it));
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        it: &mut Exchange,
        is_reused: bool,
    ) -> Box<Error> {
        let request = session.req_header();
        let is_safe = request.method.is_idempotent() && !session.as_ref().retry_buffer_truncated();
        let is_unanswered = session.response_written().is_none();
        let is_gone = matches!(
            error.etype(),
            ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError
        ) && *error.esource() == ErrorSource::Upstream;
        if is_safe && is_unanswered && (is_gone || is_reused) && may_try_again(it) {
            error.retry.decide_reuse(is_reused);
            if is_gone {
                error.set_retry(true);
            }
        } else {
            error.set_retry(false);
        }
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        it: &mut Exchange,
    ) -> FailToProxy {
        let (status, why) = failure(error);
        it.error = it.error.or(Some(why));
        let is_answered =
            session.response_written().is_some_and(|it| !it.status.is_informational());
        if 0 < status && !is_answered {
            session.set_keepalive(None);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let detail = if status.is_client_error() { why } else { "" };
            let mut answer = Answer::problem(status, detail, &it.id);
            if status == StatusCode::SERVICE_UNAVAILABLE {
                answer = answer.with("Retry-After", "1");
            }
            // Whoever has gone needs no answer.
            drop(answer.send(session, &it.id).await);
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, it: &mut Exchange) {
        if let Some(error) = error
            && *error.esource() != ErrorSource::Downstream
        {
            let route = it.route.as_ref().map_or("", |it| &it.settings.name);
            let (request_id, kind) = (it.id.as_str(), error.etype().as_str());
            tracing::warn!(route, request_id, kind, why = it.error, "a request failed");
        }
        if self.serves != Serves::Admin {
            it.report(session, &self.listener, &self.telemetry);
        }
    }

    // The library would print the query, which may hold credentials.
    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Exchange,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, it: &Exchange) -> String {
        format!("request {}", it.id)
    }
}

fn may_try_again(it: &Exchange) -> bool {
    let servers = it.route.as_ref().and_then(|it| it.servers.as_ref());
    servers.is_some_and(|servers| it.tried.len() <= servers.settings().retries) && !it.is_late()
}

/// What a caller is told of an error: a status, or 0 if it has gone.
fn failure(error: &Error) -> (u16, &'static str) {
    match (error.esource(), error.etype()) {
        (_, ErrorType::HTTPStatus(413)) => (413, "the body is longer than this route lets pass"),
        (_, ErrorType::HTTPStatus(504)) => (504, "the deadline of the route has passed"),
        (_, ErrorType::HTTPStatus(503)) => (503, "no server is well"),
        (_, ErrorType::HTTPStatus(status)) => (*status, "the request failed"),
        (
            ErrorSource::Upstream,
            ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout,
        ) => (504, "a server did not answer in time"),
        (ErrorSource::Upstream, _) => (502, "a server could not be reached, or broke off"),
        (
            ErrorSource::Downstream,
            ErrorType::WriteError
            | ErrorType::WriteTimedout
            | ErrorType::ReadError
            | ErrorType::ConnectionClosed
            | ErrorType::H2Error,
        ) => (0, "the caller went away"),
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => (408, "the caller was too slow"),
        (ErrorSource::Downstream, _) => (400, "the request is malformed"),
        (ErrorSource::Internal | ErrorSource::Unset, _) => (500, "the gateway failed"),
    }
}
