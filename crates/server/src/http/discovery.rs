//! What the server can do, for machines to read (RFC 8414 section 2; OpenID Connect Discovery
//! section 3).

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::{AuthenticationMethod, Capability, JsonObject, MacAlgorithm, SigningAlgorithm};
use serde_json::{Value, json};

use super::dialect::{Dialect, DialectName};
use super::{Api, Discovery};

/// `GET /.well-known/oauth-authorization-server`: the standard endpoints, where they are spoken.
pub(crate) async fn oauth(request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    use DialectName::{Curity, IdService, Mia, Standard};
    generated(&request, &api, &[Standard, Mia, Curity, IdService])
}

/// `GET /.well-known/openid-configuration`: the operator's document, or one of the endpoints that
/// clients of those services look for there.
pub(crate) async fn openid(request: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    use DialectName::{Curity, IdService, Mia, Standard};
    match &api.discovery.openid_configuration {
        Some(bytes) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "public, max-age=300"))
            .insert_header(ContentType::json())
            .body(bytes.clone()),
        None => generated(&request, &api, &[Mia, IdService, Standard, Curity]),
    }
}

/// The document of the dialect at whose path it stands.
pub(crate) async fn of_dialect(
    request: HttpRequest,
    api: web::Data<Api>,
    dialect: web::Data<Dialect>,
) -> HttpResponse {
    let base = base(&request, &api.discovery);
    document(&api, &base, dialect.name)
}

/// Every name under which an assertion may say that it was signed like that.
fn names(algorithm: SigningAlgorithm) -> impl Iterator<Item = &'static str> {
    let other = (algorithm == SigningAlgorithm::EdDsa).then_some(SigningAlgorithm::ED25519);
    [algorithm.name()].into_iter().chain(other)
}

fn generated(request: &HttpRequest, api: &Api, preferred: &[DialectName]) -> HttpResponse {
    let name = api.dialects.first(preferred).map_or(DialectName::Standard, |it| it.name);
    document(api, &base(request, &api.discovery), name)
}

/// The address under which the endpoints are. A Host header never decides the issuer (threat
/// T44); where the issuer is no URL and none is configured, it decides the addresses beside it,
/// for the one who sent it.
pub(crate) fn base(request: &HttpRequest, discovery: &Discovery) -> String {
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

fn document(api: &Api, base: &str, name: DialectName) -> HttpResponse {
    let discovery = &api.discovery;
    // Documents are for others to keep, and decide nothing.
    let catalogue = api.catalogue.last_known();
    let at = |path: &str| format!("{base}{}{path}", discovery.prefix);
    let is_spoken = |name| api.dialects.get(name).is_some();
    let algorithms: Vec<_> = discovery.algorithms.iter().map(|it| it.name()).collect();
    let methods: Vec<_> = api.rules.methods.iter().map(|it| it.name()).collect();
    let macs = MacAlgorithm::ALL.iter().map(|it| it.name());
    let has_macs = api.rules.methods.contains(&AuthenticationMethod::ClientSecretJwt);
    let signatures = api.rules.key_algorithms.iter().flat_map(|it| names(*it));
    let assertion_algorithms: Vec<_> = signatures.chain(macs.filter(|_| has_macs)).collect();
    let paths = name.paths();
    let mut document = JsonObject::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    let mut endpoint = |prefix: &str, path: &str| {
        set(&format!("{prefix}_endpoint"), at(path).into());
        set(&format!("{prefix}_endpoint_auth_methods_supported"), json!(methods));
        set(
            &format!("{prefix}_endpoint_auth_signing_alg_values_supported"),
            json!(assertion_algorithms),
        );
    };
    endpoint("token", paths.token);
    endpoint("revocation", paths.revoke);
    // The vendor's service has none of its own: it is there where the standard dialect is spoken.
    let has_introspection = name != DialectName::Mia || is_spoken(DialectName::Standard);
    if has_introspection && catalogue.is_on(Capability::Introspection) {
        endpoint("introspection", paths.introspect);
        set("introspection_signing_alg_values_supported", json!(algorithms));
    }
    set("issuer", discovery.issuer.as_str().into());
    set("jwks_uri", at(paths.jwks).into());
    let grants = catalogue.is_on(Capability::ClientCredentials).then_some("client_credentials");
    set("grant_types_supported", json!(grants.as_slice()));
    let scopes: Vec<_> = catalogue.scopes().map(|it| it.name.as_str()).collect();
    if !scopes.is_empty() {
        set("scopes_supported", json!(scopes));
    }
    set("response_types_supported", json!([]));
    set("subject_types_supported", json!(["public"]));
    set("id_token_signing_alg_values_supported", json!(algorithms));
    set("service_documentation", at("/documentation").into());
    // Whichever dialect has one: it tells of the tokens of all.
    let elsewhere = [DialectName::Standard, DialectName::IdService];
    let elsewhere = elsewhere.into_iter().find(|it| is_spoken(*it));
    if let Some(path) = paths.userinfo.or_else(|| elsewhere?.paths().userinfo) {
        set("userinfo_endpoint", at(path).into());
    }
    if let Some(path) = paths.register.filter(|_| discovery.has_registration) {
        set("registration_endpoint", at(path).into());
    }
    // What a Host header says is for the one who sent it (threat T44).
    let cached = if discovery.base_url.is_some() { "public, max-age=300" } else { "no-store" };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, cached)).json(document)
}
