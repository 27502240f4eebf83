//! `GET /tokeninfo`: what the bearer token says.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::{ApiError, ErrorCode};
use super::{Api, bearer};

pub(crate) async fn get(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let token = bearer::token(request.headers())?
        .ok_or_else(|| ApiError::new(ErrorCode::TokenMissing, "the request has no bearer token"))?;
    let active = api.token_info.execute(token).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(active.claims))
}
