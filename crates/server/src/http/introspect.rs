//! `POST .../introspect` (RFC 7662; RFC 9701; the phantom token of Curity).

use actix_web::http::header::{ACCEPT, Accept, CACHE_CONTROL, CONTENT_TYPE, Header as _, Quality};
use actix_web::{HttpRequest, HttpResponse, web};
use app::Introspection;

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
    match wanted(&request) {
        Wanted::Json => Ok(answered(&dialect, &told)),
        Wanted::SignedAnswer => {
            let answer = introspect.signed_answer(
                &told.caller,
                &told.answer(dialect.token_type(), dialect.has_camel_case()),
            )?;
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
                let signed = introspect.signed(token, active).await?;
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
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(told.answer(dialect.token_type(), dialect.has_camel_case()))
}

/// The media type of `Accept` that is liked best, of those that are ours (RFC 9110 section 12.5.1);
/// JSON for whoever says nothing, or nothing that we have.
fn wanted(request: &HttpRequest) -> Wanted {
    if !request.headers().contains_key(ACCEPT) {
        return Wanted::Json;
    }
    let Ok(accepted) = Accept::parse(request) else {
        return Wanted::Json;
    };
    let mut best = (Quality::ZERO, Wanted::Json);
    for it in accepted.iter() {
        // Of what is liked as well, the first is taken. A weight of 0 is a refusal.
        if let Some(known) = known(it.item.essence_str())
            && best.0 < it.quality
        {
            best = (it.quality, known);
        }
    }
    best.1
}

fn known(media_type: &str) -> Option<Wanted> {
    match media_type {
        "application/jwt" => Some(Wanted::Token),
        SIGNED_ANSWER => Some(Wanted::SignedAnswer),
        "application/json" | "*/*" | "application/*" => Some(Wanted::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_is_liked_best_is_wanted() {
        for (accept, expected) in [
            ("", Wanted::Json),
            ("application/json", Wanted::Json),
            ("application/jwt", Wanted::Token),
            ("application/token-introspection+jwt", Wanted::SignedAnswer),
            ("Application/JWT; q=0.9, application/json", Wanted::Json),
            ("application/json; q=0.8, application/jwt; q=0.9", Wanted::Token),
            ("application/jwt, application/json", Wanted::Token),
            ("application/json, application/jwt", Wanted::Json),
            ("application/jwt; q=0, application/json; q=0.1", Wanted::Json),
            ("application/jwt; q=0", Wanted::Json),
            ("text/html, application/jwt", Wanted::Token),
            ("text/html, application/jwt; q=0.5, */*; q=0.1", Wanted::Token),
            ("*/*", Wanted::Json),
            ("text/html", Wanted::Json),
            ("no media type;;;", Wanted::Json),
        ] {
            let mut request = TestRequest::default();
            if !accept.is_empty() {
                request = request.insert_header((ACCEPT, accept));
            }
            assert_eq!(wanted(&request.to_http_request()), expected, "{accept}");
        }
    }
}
