//! `GET /.well-known/jwks.json`: the keys that verify our tokens (RFC 7517 section 5).

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::{HttpResponse, web};

use super::Api;

pub(crate) async fn get(api: web::Data<Api>) -> HttpResponse {
    // Whoever caches the keys for as long as this says knows every key before it signs.
    let cache = format!("public, max-age={}", api.refresh_keys.cacheable_for().as_secs());
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, cache))
        .insert_header(ContentType::json())
        .body((api.jwks)())
}
