//! The request as it goes on, and the answer as it comes back.

use http::header::{self, HeaderName};
use pingora_core::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use super::exchange::Exchange;
use crate::forwarded::{self, Hop};

/// How a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Whether over TLS.
    pub(super) is_tls: bool,
    /// Whether in HTTP/2, or else in HTTP/1.
    pub(super) is_http2: bool,
}

impl Received {
    /// As `Via` writes it (RFC 9110 section 7.6.3).
    fn version(self) -> &'static str {
        if self.is_http2 { "2" } else { "1.1" }
    }
}

/// Changes a request for the server behind us. What belongs to the connection is gone already.
///
/// # Errors
///
/// If a header cannot be set, which its type forbids.
pub(super) fn change(
    request: &mut RequestHeader,
    exchange: &Exchange,
    received: Received,
) -> Result<()> {
    // A server is sent a path, whatever a proxy was sent (RFC 9112 section 3.2.1): so it reads what was
    // judged, and nothing else.
    if !request.raw_path().starts_with(b"/") && request.raw_path() != b"*" {
        let path = request.uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        request.set_raw_path(path.as_bytes())?;
    }
    request.append_header(header::VIA, format!("{} tokenwright-gateway", received.version()))?;
    if let Some(peer) = exchange.peer {
        let hop = Hop { peer, is_tls: received.is_tls, host: &exchange.host };
        forwarded::tell(request, &hop, exchange.is_listed)?;
    }
    request.insert_header("X-Request-Id", &exchange.id)?;
    // After what we say of the way here: a policy may say more, in headers of its own choice.
    for name in exchange.forged.iter().chain(&exchange.passage.remove) {
        request.remove_header(&**name);
    }
    for (name, value) in &exchange.passage.set {
        request.append_header(name.as_str().to_owned(), value.as_str())?;
    }
    if let Some(query) = &exchange.passage.query {
        set_query(request, query)?;
    }
    if let Some(body) = &exchange.new_body {
        request.remove_header(&header::TRANSFER_ENCODING);
        request.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    let servers = exchange.route.as_ref().and_then(|it| it.servers.as_ref());
    if let Some(host) = servers.and_then(|it| it.settings().host.as_ref()) {
        request.insert_header(header::HOST, host)?;
    }
    Ok(())
}

fn set_query(request: &mut RequestHeader, query: &str) -> Result<()> {
    let path = request.uri.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    request.set_raw_path(target.as_bytes())
}

/// Deletes what belongs to the connection to the server (RFC 9110 section 7.6.1). Framing is the
/// library's business.
pub(super) fn strip_hop(response: &mut ResponseHeader) {
    if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let mut named = Vec::new();
    for line in response.headers.get_all(header::CONNECTION) {
        let options = line.to_str().unwrap_or_default().split(',');
        named.extend(options.filter_map(|it| it.trim().parse::<HeaderName>().ok()));
    }
    let framing = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    for name in named.iter().filter(|it| !framing.contains(it)) {
        response.remove_header(name);
    }
    for name in ["connection", "keep-alive", "proxy-connection", "te", "upgrade"] {
        response.remove_header(name);
    }
}
