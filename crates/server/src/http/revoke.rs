//! The revocation endpoint of every dialect (RFC 7009).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use super::client_authentication::{self, Doubled};
use super::dialect::Dialect;
use super::error::{ApiError, ErrorCode};
use super::token::refuse_query;

pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    dialect: web::Data<Dialect>,
) -> Result<HttpResponse, ApiError> {
    let form = body::form(request.headers(), payload).await?;
    refuse_query(&request)?;
    let found = client_authentication::find(request.headers(), &form, Doubled::Never)?;
    let token = form
        .get("token")
        .ok_or_else(|| ApiError::new(ErrorCode::InvalidRequest, "token is missing"))?;
    let revoked = dialect.revoke_token.execute(found.credentials, token).await;
    revoked.map_err(|error| dialect.told(error))?;
    // RFC 7009 section 2.2: the body carries nothing, and clients do not parse it.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish())
}
