//! `GET` and `POST .../userinfo` (OpenID Connect Core section 5.3): who a token speaks for. Tokens of
//! clients work too: the client is who it speaks for.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::{ApiError, ErrorCode};
use super::{Api, bearer};

/// What is told of a token; all else it says is for those it is meant for.
const TOLD: [&str; 5] = ["iss", "sub", "client_id", "scope", "permissions"];

pub(crate) async fn answer(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let token = bearer::token(request.headers())?
        .ok_or_else(|| ApiError::new(ErrorCode::TokenMissing, "the request has no bearer token"))?;
    let active = api.any_token_info.execute(token).await?;
    let claims = active.claims.iter().filter(|(name, _)| TOLD.contains(&name.as_str()));
    let mut told: domain::JsonObject =
        claims.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(client) = active.subject {
        told.entry("client_id").or_insert_with(|| client.as_str().into());
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(told))
}
