//! `POST /oauth2/revoke` (RFC 7009).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::{ApiError, ErrorCode};
use super::token::refuse_query;
use super::{Api, body, client_authentication};

pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let form = body::form(request.headers(), payload).await?;
    refuse_query(&request)?;
    let found = client_authentication::find(request.headers(), &form)?;
    let token = form
        .get("token")
        .ok_or_else(|| ApiError::new(ErrorCode::InvalidRequest, "token is missing"))?;
    api.revoke_token.execute(found.credentials, token).await?;
    // RFC 7009 section 2.2: the body carries nothing, and clients do not parse it.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish())
}
