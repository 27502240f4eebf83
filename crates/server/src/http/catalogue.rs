//! `/catalogue`, `/capabilities`, `/scopes` and `/resources`: operators say what is registered.
//!
//! All of it is one catalogue with one revision, which is the `ETag` of each part.

use std::str::FromStr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use app::Expectation;
use domain::catalogue::CatalogueChange;
use domain::management::ManagementRight;
use domain::{
    Catalogue, CatalogueEdition, InvalidCatalogue, RegisteredScope, ResourceIdentifier, ScopeToken,
};
use serde_json::{Value, json};

use super::error::{ApiError, ErrorCode};
use super::{Api, body, carried, clients, resource};

/// The routes, each behind the guard.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let whole = [
        (Method::GET, web::to(show)),
        (Method::HEAD, web::to(show)),
        (Method::PUT, web::to(replace)),
    ];
    let capabilities = [
        (Method::GET, web::to(show_capabilities)),
        (Method::HEAD, web::to(show_capabilities)),
        (Method::PUT, web::to(set_capabilities)),
    ];
    let scopes = [(Method::GET, web::to(list_scopes)), (Method::HEAD, web::to(list_scopes))];
    let scope = [
        (Method::GET, web::to(show_scope)),
        (Method::HEAD, web::to(show_scope)),
        (Method::PUT, web::to(put_scope)),
        (Method::DELETE, web::to(remove_scope)),
    ];
    let resources =
        [(Method::GET, web::to(list_resources)), (Method::HEAD, web::to(list_resources))];
    let one = [
        (Method::GET, web::to(show_resource)),
        (Method::HEAD, web::to(show_resource)),
        (Method::PUT, web::to(put_resource)),
        (Method::DELETE, web::to(remove_resource)),
    ];
    config
        .service(guarded(resource("/catalogue", "GET, HEAD, PUT", whole)))
        .service(guarded(resource("/capabilities", "GET, HEAD, PUT", capabilities)))
        .service(guarded(resource("/scopes", "GET, HEAD", scopes)))
        .service(guarded(resource("/scopes/{scope}", "GET, HEAD, PUT, DELETE", scope)))
        .service(guarded(resource("/resources", "GET, HEAD", resources)))
        .service(guarded(resource("/resources/{resource}", "GET, HEAD, PUT, DELETE", one)));
}

fn guarded(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(guard))
}

/// Whoever only looks needs the right to read, all others the right to write.
async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let right = if matches!(*request.method(), Method::GET | Method::HEAD) {
        ManagementRight::ReadCatalogue
    } else {
        ManagementRight::WriteCatalogue
    };
    match clients::authorized(&request, right).await {
        Ok(_) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => Ok(super::refused(request, error)),
    }
}

async fn show(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    Ok(shown(&edition, &edition.catalogue.to_json().into()))
}

async fn replace(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    let expected = required(request.headers())?;
    let catalogue = Catalogue::parse(&object)?;
    let edition = edited(&api, CatalogueChange::Replace(catalogue), expected).await?;
    Ok(shown(&edition, &edition.catalogue.to_json().into()))
}

async fn show_capabilities(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    Ok(shown(&edition, &capabilities(&edition.catalogue)))
}

async fn set_capabilities(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let mut object = body::json(request.headers(), payload).await?;
    let expected = required(request.headers())?;
    // Read as a catalogue that says nothing else.
    for member in ["scopes", "resources"] {
        if object.insert(member.to_owned(), json!([])).is_some() {
            let reason = "is not known here: leave it out".to_owned();
            return Err(InvalidCatalogue { place: member.to_owned(), reason }.into());
        }
    }
    let on = Catalogue::parse(&object)?.capabilities().clone();
    let edition = edited(&api, CatalogueChange::SetCapabilities(on), expected).await?;
    Ok(shown(&edition, &capabilities(&edition.catalogue)))
}

fn capabilities(catalogue: &Catalogue) -> Value {
    let names: Vec<_> = catalogue.capabilities().iter().map(|it| it.name()).collect();
    json!({"capabilities": names})
}

async fn list_scopes(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    let scopes: Vec<_> = edition.catalogue.scopes().map(RegisteredScope::to_json).collect();
    Ok(shown(&edition, &json!({"scopes": scopes})))
}

async fn show_scope(
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    let scope = edition.catalogue.scope(&path).ok_or_else(unknown)?;
    Ok(shown(&edition, &scope.to_json().into()))
}

async fn put_scope(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    let expected = required(request.headers())?;
    let name: ScopeToken = named(&path)?;
    let scope = RegisteredScope::parse(object, &name)?;
    let document = scope.to_json().into();
    let is_new = expected == Expectation::Absent;
    let edition = edited(&api, CatalogueChange::PutScope(scope), expected).await?;
    Ok(put(&edition, &document, is_new))
}

async fn remove_scope(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let expected = expectation(request.headers())?.unwrap_or(Expectation::Nothing);
    let name = path.parse().map_err(|_| unknown())?;
    edited(&api, CatalogueChange::RemoveScope(name), expected).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_resources(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    let resources: Vec<_> = edition.catalogue.resources().map(domain::Resource::to_json).collect();
    Ok(shown(&edition, &json!({"resources": resources})))
}

async fn show_resource(
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let edition = api.read_catalogue.execute().await?;
    let resource = edition.catalogue.resource(&path).ok_or_else(unknown)?;
    Ok(shown(&edition, &resource.to_json().into()))
}

async fn put_resource(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    let expected = required(request.headers())?;
    let identifier: ResourceIdentifier = named(&path)?;
    let resource = domain::Resource::parse(object, &identifier)?;
    let document = resource.to_json().into();
    let is_new = expected == Expectation::Absent;
    let edition = edited(&api, CatalogueChange::PutResource(resource), expected).await?;
    Ok(put(&edition, &document, is_new))
}

async fn remove_resource(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let expected = expectation(request.headers())?.unwrap_or(Expectation::Nothing);
    let identifier = path.parse().map_err(|_| unknown())?;
    edited(&api, CatalogueChange::RemoveResource(identifier), expected).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn edited(
    api: &Api,
    change: CatalogueChange,
    expected: Expectation,
) -> Result<CatalogueEdition, ApiError> {
    let edit_catalogue = api.edit_catalogue.clone();
    carried::to_the_end(async move { edit_catalogue.execute(change, &expected).await }).await
}

fn shown(edition: &CatalogueEdition, document: &Value) -> HttpResponse {
    put(edition, document, false)
}

fn put(edition: &CatalogueEdition, document: &Value, is_new: bool) -> HttpResponse {
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, format!("\"{}\"", edition.revision)))
        .json(document)
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "nothing of that name is registered")
}

/// A name from the path, which is decoded already.
fn named<T: FromStr<Err: std::fmt::Display>>(raw: &str) -> Result<T, ApiError> {
    raw.parse()
        .map_err(|error: T::Err| ApiError::with_text(ErrorCode::InvalidRequest, &error.to_string()))
}

fn required(headers: &HeaderMap) -> Result<Expectation, ApiError> {
    expectation(headers)?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::PreconditionRequired,
            "a change needs If-Match with the ETag of what was read, and what is new needs \
             If-None-Match: *",
        )
    })
}

/// `If-Match` and `If-None-Match` (RFC 9110 section 13.1): what must be so for the change to be made.
fn expectation(headers: &HeaderMap) -> Result<Option<Expectation>, ApiError> {
    match (headers.contains_key(IF_MATCH), headers.get(IF_NONE_MATCH)) {
        (false, None) => Ok(None),
        (false, Some(value)) if value.as_bytes().trim_ascii() == b"*" => {
            Ok(Some(Expectation::Absent))
        }
        (_, Some(_)) => Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "If-None-Match may be * only, and goes without If-Match",
        )),
        (true, None) => Ok(Some(match clients::expected_revisions(headers)? {
            None => Expectation::Present,
            Some(revisions) => {
                Expectation::Revisions(revisions.into_iter().map(|it| it.0).collect())
            }
        })),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_precondition_is_read_as_the_rfc_has_it() {
        let read = |headers: &[(HeaderName, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name.clone(), HeaderValue::from_static(value));
            }
            expectation(&map).ok()
        };
        for (headers, expected) in [
            (vec![], Some(None)),
            (vec![(IF_NONE_MATCH, "*")], Some(Some(Expectation::Absent))),
            (vec![(IF_MATCH, "*")], Some(Some(Expectation::Present))),
            (vec![(IF_MATCH, "\"7\"")], Some(Some(Expectation::Revisions(vec![7])))),
            (vec![(IF_MATCH, "W/\"7\", x")], Some(Some(Expectation::Revisions(vec![])))),
            (vec![(IF_NONE_MATCH, "\"7\"")], None),
            (vec![(IF_MATCH, "*"), (IF_NONE_MATCH, "*")], None),
        ] {
            assert_eq!(read(&headers), expected, "{headers:?}");
        }
    }
}
