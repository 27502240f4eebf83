//! The token endpoint of every dialect (RFC 6749 sections 4.4 and 5).

use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use app::IssueTokenRequest;
use domain::{Audience, GrantRequest};
use serde::Serialize;
use url::Url;

use super::client_authentication::{self, Doubled};
use super::dialect::Dialect;
use super::error::{ApiError, ErrorCode};
use super::form::Form;
use super::{Api, body};

pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    dialect: web::Data<Dialect>,
) -> Result<HttpResponse, ApiError> {
    let form = if dialect.has_query && !request.query_string().is_empty() {
        body::form_or_query(&request, payload).await?
    } else {
        let form = body::form(request.headers(), payload).await?;
        refuse_query(&request)?;
        form
    };
    let grant = grant_request(&form)?;
    let found = client_authentication::find(request.headers(), &form, Doubled::Never)?;
    let command = IssueTokenRequest { credentials: found.credentials, grant };
    let issued = dialect.issue_token.execute(command).await.map_err(|error| dialect.told(error))?;
    api.metrics.token_issued(found.method, &issued);
    let expires_in = if dialect.counts_from_now() {
        issued.expires_at.since(api.clock.now())
    } else {
        issued.expires_at.since(issued.issued_at)
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(Body {
            access_token: issued.token.as_str(),
            token_type: dialect.token_type(),
            expires_in: expires_in.as_secs(),
            scope: issued
                .scope
                .as_ref()
                .filter(|_| dialect.has_scope(issued.is_scope_asked))
                .map(ToString::to_string),
        }))
}

/// Parameters in the query end in logs: the seed's systems disagree, and this one refuses.
pub(crate) fn refuse_query(request: &HttpRequest) -> Result<(), ApiError> {
    if request.query_string().is_empty() {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidRequest,
        "parameters belong in the form, not in the query of the URL",
    ))
}

pub(super) fn grant_request(form: &Form) -> Result<GrantRequest, ApiError> {
    match form.get("grant_type") {
        Some("client_credentials") => (),
        Some(_) => {
            return Err(ApiError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type must be client_credentials",
            ));
        }
        None => {
            return Err(ApiError::new(ErrorCode::InvalidRequest, "grant_type is missing"));
        }
    }
    let scope = match form.get("scope") {
        None => None,
        Some(raw) => Some(raw.parse().map_err(|error: domain::InvalidScope| {
            ApiError::with_text(ErrorCode::InvalidScope, &error.to_string())
        })?),
    };
    Ok(GrantRequest { scope, audience: audience(form)?, ..GrantRequest::default() })
}

/// `audience`, repeated or space separated, and `resource` (RFC 8707 section 2: an absolute URI
/// without a fragment) mean the same list.
fn audience(form: &Form) -> Result<Vec<Audience>, ApiError> {
    let invalid = |what: &str| ApiError::with_text(ErrorCode::InvalidTarget, what);
    let mut audience = Vec::new();
    for value in form.all("audience").flat_map(|it| it.split(' ')).filter(|it| !it.is_empty()) {
        let one: Result<Audience, _> = value.parse();
        audience.push(one.map_err(|error| invalid(&error.to_string()))?);
    }
    for value in form.all("resource") {
        let is_resource = Url::parse(value).is_ok_and(|url| url.fragment().is_none());
        let one: Option<Audience> = value.parse().ok().filter(|_| is_resource);
        let reason = "resource must be an absolute URI without a fragment (RFC 8707 section 2)";
        audience.push(one.ok_or_else(|| invalid(reason))?);
    }
    Ok(audience)
}

#[derive(Serialize)]
struct Body<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}
