//! `POST .../introspect` (RFC 7662; RFC 9701; the phantom token of Curity).

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use app::Introspection;
use serde_json::Value;

use super::client_authentication::{self, Doubled};
use super::dialect::Dialect;
use super::error::{ApiError, ErrorCode};
use super::token::refuse_query;
use super::{Api, body};

/// What the caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// JSON (RFC 7662).
    Json,
    /// The token itself, signed.
    Token,
    /// JSON inside a signed answer (RFC 9701).
    SignedAnswer,
}

const SIGNED_ANSWER: &str = "application/token-introspection+jwt";

pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    dialect: web::Data<Dialect>,
) -> Result<HttpResponse, ApiError> {
    let form = body::form(request.headers(), payload).await?;
    refuse_query(&request)?;
    let found = client_authentication::find(request.headers(), &form, Doubled::MayAgree)?;
    let token = form
        .get("token")
        .ok_or_else(|| ApiError::new(ErrorCode::InvalidRequest, "token is missing"))?;
    let introspect = &dialect.introspect_token;
    let told =
        introspect.execute(found.credentials, token).await.map_err(|error| dialect.told(error))?;
    match wanted(request.headers()) {
        Wanted::Json => Ok(answered(&dialect, &told)),
        Wanted::SignedAnswer => {
            let answer = introspect.signed_answer(&told.caller, document(&dialect, &told))?;
            Ok(HttpResponse::Ok()
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((CONTENT_TYPE, SIGNED_ANSWER))
                .body(answer.as_str().to_owned()))
        }
        Wanted::Token => match &told.token {
            None => {
                Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish())
            }
            Some(active) => {
                let signed = introspect.signed(token, active)?;
                let left = active.expires_at.since(api.clock.now());
                let left = dialect.may_remember(left).as_secs();
                Ok(HttpResponse::Ok()
                    .insert_header((CACHE_CONTROL, format!("max-age={left}")))
                    .insert_header((CONTENT_TYPE, "application/jwt"))
                    .body(signed.as_str().to_owned()))
            }
        },
    }
}

fn answered(dialect: &Dialect, told: &Introspection) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(document(dialect, told))
}

fn document(dialect: &Dialect, told: &Introspection) -> domain::JsonObject {
    let mut answer = told.answer(dialect.token_type());
    if dialect.has_camel_case()
        && let Some(client) = answer.get("client_id").and_then(Value::as_str).map(str::to_owned)
    {
        answer.insert("clientId".to_owned(), client.into());
    }
    answer
}

/// The first media type of `Accept` that is one of ours; JSON for whoever says nothing, or nothing
/// that we have.
fn wanted(headers: &HeaderMap) -> Wanted {
    let accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let media_types = accepted.flat_map(|value| value.split(','));
    for media_type in media_types {
        let mut parts = media_type.split(';').map(|it| it.trim().to_ascii_lowercase());
        let media_type = parts.next().unwrap_or_default();
        // RFC 9110 section 12.4.2: a weight of 0 is a refusal.
        let is_refused =
            |it: String| it.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        if parts.any(is_refused) {
            continue;
        }
        match media_type.as_str() {
            "application/jwt" => return Wanted::Token,
            SIGNED_ANSWER => return Wanted::SignedAnswer,
            "application/json" | "*/*" | "application/*" => return Wanted::Json,
            _ => (),
        }
    }
    Wanted::Json
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_first_known_type_is_wanted() {
        for (accept, expected) in [
            ("", Wanted::Json),
            ("application/json", Wanted::Json),
            ("application/jwt", Wanted::Token),
            ("Application/JWT; q=0.9, application/json", Wanted::Token),
            ("application/token-introspection+jwt", Wanted::SignedAnswer),
            ("text/html, application/jwt", Wanted::Token),
            ("*/*", Wanted::Json),
            ("text/html", Wanted::Json),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(wanted(&headers), expected, "{accept}");
        }
    }
}
