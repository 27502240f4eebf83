//! `/documentation`: the API, for people and for machines. Nothing is loaded from elsewhere.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use utoipa_swagger_ui::Config;

use super::Api;
use super::error::{ApiError, ErrorCode};

const OPENAPI: &str = include_str!("openapi.json");

/// `GET /documentation/json`: OpenAPI 3.
pub(crate) async fn openapi(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let mut document: Value = serde_json::from_str(OPENAPI).map_err(domain::Fault::corrupt)?;
    let prefix = api.discovery.prefix.as_str();
    let url = if prefix.is_empty() { "/" } else { prefix };
    if let Some(server) = document.pointer_mut("/servers/0/url") {
        *server = url.into();
    }
    if let Some(version) = document.pointer_mut("/info/version") {
        *version = api.discovery.version.as_str().into();
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(document))
}

/// `GET /documentation`: sends readers to the page, whose files lie below.
pub(crate) async fn page(api: web::Data<Api>) -> HttpResponse {
    let place = format!("{}/documentation/index.html", api.discovery.prefix);
    HttpResponse::Found().insert_header(("location", place)).finish()
}

/// `GET /documentation/{file}`: the files of Swagger UI, which are part of this binary.
pub(crate) async fn asset(
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        // Without this the page asks somebody else's server whether the document is valid.
        Arc::new(Config::new(["json"]).validator_url("none"))
    });
    let unknown = || ApiError::new(ErrorCode::NotFound, "there is nothing at this path");
    if !request.query_string().is_empty() {
        // Swagger UI reads another document from the query: not from ours.
        return Err(unknown());
    }
    match utoipa_swagger_ui::serve(&path, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, file.content_type))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((X_FRAME_OPTIONS, "DENY"))
            .insert_header((
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                 img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
                 base-uri 'none'; form-action 'none'",
            ))
            .body(file.bytes.into_owned())),
        Ok(None) | Err(_) => Err(unknown()),
    }
}
