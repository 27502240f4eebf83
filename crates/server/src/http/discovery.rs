//! What the server can do, for machines to read (RFC 8414 section 2; OpenID Connect Discovery
//! section 3).

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{Api, Discovery};

/// `GET /.well-known/oauth-authorization-server`.
pub(crate) async fn oauth(request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    document(&api.discovery, &base(&request, &api.discovery))
}

/// `GET /.well-known/openid-configuration`: the operator's document, or the generated one.
pub(crate) async fn openid(request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    match &api.discovery.openid_configuration {
        Some(bytes) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "public, max-age=300"))
            .insert_header(ContentType::json())
            .body(bytes.clone()),
        None => document(&api.discovery, &base(&request, &api.discovery)),
    }
}

/// The address under which the endpoints are. A Host header never decides the issuer (threat
/// T44); where the issuer is no URL and none is configured, it decides the addresses beside it,
/// for the one who sent it.
fn base(request: &HttpRequest, discovery: &Discovery) -> String {
    if let Some(base) = &discovery.base_url {
        return base.clone();
    }
    // Not what a proxy says of itself (Forwarded, X-Forwarded-Host): anybody can say that.
    let scheme = if request.app_config().secure() { "https" } else { "http" };
    match request.headers().get("host").and_then(|it| it.to_str().ok()) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", request.app_config().local_addr()),
    }
}

fn document(discovery: &Discovery, base: &str) -> HttpResponse {
    let at = |path: &str| format!("{base}{}{path}", discovery.prefix);
    let algorithm = discovery.algorithm.name();
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let assertion_algorithms = ["RS256", "PS256", "ES256", "EdDSA"];
    let mut document = json!({
        "issuer": discovery.issuer.as_str(),
        "token_endpoint": at("/oauth/token"),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
        "revocation_endpoint": at("/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
        "jwks_uri": at("/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm],
        "service_documentation": at("/documentation"),
    });
    if discovery.has_registration
        && let Value::Object(members) = &mut document
    {
        members.insert("registration_endpoint".to_owned(), at("/register").into());
    }
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(document)
}
