//! What callers are told by the gateway itself.

use bytes::Bytes;
use domain::gateway::Refusal;
use http::StatusCode;
use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use serde_json::json;

/// An answer that no server behind us gave.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// More headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The media type of the body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// A problem object (RFC 9457).
    pub(crate) fn problem(status: StatusCode, detail: &str, request_id: &str) -> Self {
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "requestId": request_id,
        });
        if let Some(members) = body.as_object_mut().filter(|_| !detail.is_empty()) {
            members.insert("detail".to_owned(), detail.into());
        }
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/problem+json",
            body: body.to_string().into(),
        }
    }

    /// What a policy says to a caller who may not go on.
    pub(crate) fn of_refusal(refusal: &Refusal, request_id: &str) -> Self {
        let mut headers = Vec::new();
        if let Some(challenge) = &refusal.challenge {
            headers.push(("WWW-Authenticate".to_owned(), challenge.to_string()));
        }
        if let Some(seconds) = refusal.retry_after_seconds() {
            headers.push(("Retry-After".to_owned(), seconds.to_string()));
        }
        Self {
            status: StatusCode::from_u16(refusal.status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            content_type: refusal.content_type(),
            body: refusal.body(request_id).into(),
        }
    }

    /// Plain text.
    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let content_type = "text/plain; charset=utf-8";
        Self { status, headers: Vec::new(), content_type, body: body.into() }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// If the caller has gone.
    pub(crate) async fn send(self, session: &mut Session, request_id: &str) -> Result<()> {
        let mut header = ResponseHeader::build(self.status, Some(5 + self.headers.len()))?;
        for (name, value) in self.headers {
            header.append_header(name, value)?;
        }
        header.insert_header("X-Request-Id", request_id)?;
        header.insert_header("Cache-Control", "no-store")?;
        header.insert_header("Content-Length", self.body.len())?;
        if !self.body.is_empty() {
            header.insert_header("Content-Type", self.content_type)?;
        }
        let is_over = self.body.is_empty() || session.req_header().method == http::Method::HEAD;
        session.write_response_header(Box::new(header), is_over).await?;
        if is_over {
            return Ok(());
        }
        session.write_response_body(Some(self.body), true).await
    }
}
