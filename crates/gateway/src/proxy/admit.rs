//! Whether a request may go on: its form, its route, its policies.

use std::time::Duration;

use app::gateway::GatewayRequest;
use domain::gateway::{Blame, Denial, Refusal, Verdict};
use http::{Method, StatusCode, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use tokio::time::timeout;

use super::answer::Answer;
use super::exchange::Exchange;
use crate::forwarded;
use crate::routing::Found;
use crate::target::{self, BadTarget, Target};

/// The most that the names and values of all headers may have together, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Notes who sent a request, and by what id it is known.
pub(super) fn identify(session: &Session, exchange: &mut Exchange) {
    let request = session.req_header();
    let peer = session.client_addr().and_then(|it| it.as_inet()).map(|it| it.ip().to_canonical());
    exchange.peer = peer;
    exchange.is_listed = peer.is_some_and(|it| exchange.gate.is_listed(it));
    exchange.client = peer.map(|it| forwarded::client(request, it, exchange.gate.trusted()));
    authority(request).unwrap_or_default().clone_into(&mut exchange.host);
    if exchange.is_listed
        && let Some(id) = request.headers.get("x-request-id").and_then(|it| it.to_str().ok())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.:".contains(&it))
    {
        id.clone_into(&mut exchange.id);
    }
}

/// The host that a request asks for, maybe with a port; `None` if it cannot be told.
fn authority(request: &RequestHeader) -> Option<&str> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let host = match (request.uri.authority(), hosts.next()) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().ok()?,
        // RFC 9112 section 3.2 demands one; before HTTP/1.1 there was none.
        (None, None) if request.version == Version::HTTP_11 => return None,
        (None, None) => return Some(""),
    };
    (hosts.next().is_none() && target::is_authority(host)).then_some(host)
}

/// Whether a request target has one of the forms that a proxy like this one is sent (RFC 9112 section
/// 3.2): a path, a whole URL, or the asterisk of `OPTIONS`. The library takes anything else for the
/// path `/`, and sends it on as it came: so it would be judged as one thing and mean another.
fn has_known_form(request: &RequestHeader) -> bool {
    let target = request.raw_path();
    let begins_with = |scheme: &[u8]| {
        target.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
    };
    target.starts_with(b"/")
        || begins_with(b"http://")
        || begins_with(b"https://")
        || (target == b"*" && request.method == Method::OPTIONS)
}

/// Decides about a request to a proxy; `None` lets it go on.
///
/// # Errors
///
/// If the caller goes away while its body is read.
pub(super) async fn admit(
    session: &mut Session,
    exchange: &mut Exchange,
) -> Result<Option<Answer>> {
    let asked = match read(session.req_header(), exchange) {
        Ok(asked) => asked,
        Err(refused) => return Ok(Some(refused)),
    };
    if let Err(refused) = find_route(&asked, exchange) {
        return Ok(Some(refused));
    }
    let Some(route) = exchange.route.clone() else {
        return Ok(Some(not_found(exchange)));
    };
    if route.servers.is_none() {
        return Ok(Some(not_found(exchange)));
    }
    if let Some(length) = content_length(session.req_header())
        && route.settings.body_limit < length
    {
        return Ok(Some(too_large(exchange)));
    }
    let form = if route.chain.wants_form() && has_form(session.req_header()) {
        in_time(exchange.time_left(), read_form(session)).await??
    } else {
        None
    };
    // A copy, since the caller is watched meanwhile.
    let request = session.req_header().clone();
    let headers = headers(&request);
    let question = GatewayRequest {
        method: asked.method.as_str(),
        host: &asked.host,
        path: &asked.path,
        query: asked.query.as_deref(),
        headers: &headers,
        form: form.as_deref(),
    };
    exchange.forged = question.identity_headers(exchange.gate.identity());
    let verdict =
        in_time(exchange.time_left(), unless_gone(session, route.chain.execute(&question)))
            .await??;
    Ok(judge(verdict, exchange))
}

/// What `work` comes to, if there is time enough.
pub(super) async fn in_time<T>(left: Option<Duration>, work: impl Future<Output = T>) -> Result<T> {
    let Some(left) = left else {
        return Ok(work.await);
    };
    let late = || Error::explain(ErrorType::HTTPStatus(504), "the deadline of the route");
    timeout(left, work).await.map_err(|_| late())
}

/// What `work` comes to; or an error as soon as the caller has gone, which ends what is done on its
/// behalf: tries at a token endpoint, for one.
async fn unless_gone<T>(session: &mut Session, work: impl Future<Output = T>) -> Result<T> {
    if !session.as_mut().is_body_done() {
        // What is read now would be missing from the body.
        return Ok(work.await);
    }
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        // The next request, sent ahead, is no reason to come back from here.
        read = session.as_mut().read_body_or_idle(true) => {
            read.map_err(Error::into_down)?;
        }
    }
    Ok(work.await)
}

/// Takes note of a verdict.
pub(super) fn judge(verdict: Verdict, exchange: &mut Exchange) -> Option<Answer> {
    let has_policies = exchange.route.as_ref().is_some_and(|it| !it.settings.policies.is_empty());
    match verdict {
        Verdict::Passage(mut passage) => {
            exchange.policy_outcome = if has_policies { "allowed" } else { "none" };
            exchange.new_body = passage.form.take().map(Into::into);
            exchange.passage = passage;
            None
        }
        Verdict::Refusal(refusal) => {
            exchange.policy_outcome = outcome(refusal.denial);
            tell(&refusal, exchange);
            Some(Answer::of_refusal(&refusal, &exchange.id))
        }
    }
}

/// Tells operators of what they have to mend.
fn tell(refusal: &Refusal, exchange: &Exchange) {
    let route = exchange.route.as_ref().map_or("", |it| &it.settings.name);
    let (id, cause) = (exchange.id.as_str(), &*refusal.cause);
    match refusal.blame {
        Blame::Caller => tracing::info!(route, request_id = id, cause, "a request was refused"),
        Blame::Configuration => {
            tracing::error!(route, request_id = id, cause, "a policy is configured wrongly");
        }
        Blame::Server => tracing::warn!(route, request_id = id, cause, "a policy cannot decide"),
    }
}

const fn outcome(denial: Denial) -> &'static str {
    match denial {
        Denial::Unauthenticated => "unauthenticated",
        Denial::Forbidden => "forbidden",
        Denial::Unfit => "unfit",
        Denial::BadGateway => "bad-gateway",
        Denial::Unavailable { .. } => "unavailable",
        Denial::Late => "late",
        Denial::Internal => "internal",
    }
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The method.
    pub(super) method: Method,
    /// The host, maybe with a port.
    pub(super) host: String,
    /// The path.
    pub(super) path: String,
    /// The query, without its question mark.
    pub(super) query: Option<String>,
}

/// Reads what a request asks for.
fn read(request: &RequestHeader, exchange: &mut Exchange) -> std::result::Result<Asked, Answer> {
    let bytes = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        name.as_str().len() + value.len()
    };
    if MAX_HEADER_BYTES < request.headers.iter().map(bytes).sum::<usize>() {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(bad(exchange, status, "the headers have more than 64 KiB"));
    }
    let Some(host) = authority(request) else {
        return Err(bad(exchange, StatusCode::BAD_REQUEST, "the host cannot be told"));
    };
    if !has_known_form(request) {
        let why = "the request target is neither a path nor a URL";
        return Err(bad(exchange, StatusCode::BAD_REQUEST, why));
    }
    if !request.raw_path_is_utf8() {
        return Err(bad(exchange, StatusCode::BAD_REQUEST, "the path is not well encoded"));
    }
    Ok(Asked {
        method: request.method.clone(),
        host: host.to_owned(),
        path: request.uri.path().to_owned(),
        query: request.uri.query().map(str::to_owned),
    })
}

/// Finds the route of a request.
///
/// # Errors
///
/// What the caller is told where there is none, or the path has no single meaning.
pub(super) fn find_route(
    asked: &Asked,
    exchange: &mut Exchange,
) -> std::result::Result<(), Answer> {
    let target = match Target::parse(&asked.path) {
        Ok(target) => target,
        Err(BadTarget::Dots) => {
            return Err(bad(exchange, StatusCode::BAD_REQUEST, "the path has dot segments"));
        }
        Err(BadTarget::Encoding) => {
            return Err(bad(exchange, StatusCode::BAD_REQUEST, "the path is not well encoded"));
        }
    };
    let gate = exchange.gate.clone();
    match gate.find(&target::host(&asked.host), &target, &asked.method) {
        Found::Route(route) => {
            exchange.route = Some(route.clone());
            Ok(())
        }
        Found::OtherMethods(methods) => {
            exchange.error = Some("no route for this method");
            let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
            let why = "there are other methods for this path";
            let answer = Answer::problem(StatusCode::METHOD_NOT_ALLOWED, why, &exchange.id);
            Err(answer.with("Allow", methods.join(", ")))
        }
        Found::Nothing => Err(not_found(exchange)),
    }
}

fn bad(exchange: &mut Exchange, status: StatusCode, why: &'static str) -> Answer {
    exchange.error = Some(why);
    Answer::problem(status, why, &exchange.id)
}

fn not_found(exchange: &mut Exchange) -> Answer {
    exchange.error = Some("no route");
    Answer::problem(StatusCode::NOT_FOUND, "there is no route for this request", &exchange.id)
}

/// A body has more bytes than its route lets pass.
pub(super) fn too_large(exchange: &mut Exchange) -> Answer {
    const WHY: &str = "the body is longer than this route lets pass";
    exchange.error = Some(WHY);
    Answer::problem(StatusCode::PAYLOAD_TOO_LARGE, WHY, &exchange.id)
}

/// The headers of a request, as policies see them.
pub(super) fn headers(request: &RequestHeader) -> Vec<(&str, &[u8])> {
    let headers = request.headers.iter();
    headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn content_length(request: &RequestHeader) -> Option<u64> {
    request.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn has_form(request: &RequestHeader) -> bool {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next()).map(str::trim);
    essence.is_some_and(|it| it.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        && content_length(request).is_none_or(|it| it <= GatewayRequest::MAX_FORM_BYTES as u64)
}

/// The whole form, if it is short enough. What is read goes on all the same: the library keeps as
/// much of it as this for a second attempt.
async fn read_form(session: &mut Session) -> Result<Option<Vec<u8>>> {
    session.as_mut().enable_retry_buffering();
    if session.get_header_bytes("expect").eq_ignore_ascii_case(b"100-continue") {
        session.as_mut().write_continue_response().await?;
    }
    let mut form = Vec::new();
    while let Some(piece) = session.as_mut().read_request_body().await? {
        form.extend_from_slice(&piece);
        if GatewayRequest::MAX_FORM_BYTES < form.len() {
            let why = ErrorType::HTTPStatus(413);
            return Error::e_explain(why, "a form of more than 64 KiB");
        }
    }
    Ok(Some(form))
}
