//! `/clients`: operators manage clients.

use std::str::FromStr;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_MATCH};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use app::{Authority, ClientChanges, Manager, NewClient};
use domain::management::{ManagementRight, Mandate};
use domain::port::ClientQuery;
use domain::{Client, ClientId, ClientState, Revision, Scope};
use serde::Deserialize;
use serde_json::json;

use super::error::{ApiError, ErrorCode};
use super::{Api, bearer, body, carried, register, resource, secrets};
use crate::client_document;

/// The routes. One guard stands before all of them, so that none can be forgotten.
pub(crate) fn routes() -> impl HttpServiceFactory + use<> {
    let collection = [
        (Method::GET, web::to(list)),
        (Method::HEAD, web::to(list)),
        (Method::POST, web::to(create)),
    ];
    let one = [
        (Method::GET, web::to(get)),
        (Method::HEAD, web::to(get)),
        (Method::PATCH, web::to(patch)),
        (Method::DELETE, web::to(delete)),
    ];
    web::scope("/clients")
        .wrap(from_fn(guard))
        .service(resource("", "GET, HEAD, POST", collection))
        .service(resource("/{client}", "GET, HEAD, PATCH, DELETE", one))
        .service(resource("/{client}/disable", "POST", [(Method::POST, web::to(disable))]))
        .service(resource("/{client}/enable", "POST", [(Method::POST, web::to(enable))]))
        .service(resource(
            "/{client}/secrets",
            "GET, HEAD, POST",
            [
                (Method::GET, web::to(secrets::list)),
                (Method::HEAD, web::to(secrets::list)),
                (Method::POST, web::to(secrets::add)),
            ],
        ))
        .service(resource(
            "/{client}/secrets/rotate",
            "POST",
            [(Method::POST, web::to(secrets::rotate))],
        ))
        .service(resource(
            "/{client}/secrets/{secret}",
            "DELETE",
            [(Method::DELETE, web::to(secrets::revoke))],
        ))
        .default_service(web::to(super::unknown_path))
}

/// Whoever only looks needs the right to read, all others the right to write.
pub(super) async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let right = if matches!(*request.method(), Method::GET | Method::HEAD) {
        ManagementRight::ReadClients
    } else {
        ManagementRight::WriteClients
    };
    match authorized(&request, right).await {
        Ok(manager) => {
            request.extensions_mut().insert(manager);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(error) => Ok(super::refused(request, error)),
    }
}

/// Whether the caller has the right.
pub(crate) async fn authorized(
    request: &ServiceRequest,
    right: ManagementRight,
) -> Result<Manager, ApiError> {
    let Some(api) = request.app_data::<web::Data<Api>>() else {
        return Err(domain::Fault::corrupt("the handlers have no use-cases").into());
    };
    if api.authorize_management.is_open() {
        // A proxy that authenticates callers may leave its own Authorization header on.
        return Ok(Manager::Anybody);
    }
    let token = bearer::token(request.headers())?;
    Ok(api.authorize_management.execute(token, right).await?)
}

/// What the caller may do to clients, as the guard found out. A request that did not come through it
/// may do nothing that needs a mandate.
pub(super) fn mandate(request: &HttpRequest) -> Mandate {
    let extensions = request.extensions();
    extensions.get::<Manager>().map_or_else(|| Mandate::Scope(Scope::default()), Manager::mandate)
}

/// Reads an id from the path, which is decoded already; one that no client can have is an unknown
/// one.
pub(crate) fn path_value<T: FromStr>(raw: &str) -> Result<T, ApiError> {
    raw.parse().map_err(|_| unknown_client())
}

pub(crate) fn unknown_client() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no client with this id")
}

async fn create(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    let new = NewClient::parse(object, Authority::Management, &api.rules)?;
    let registered = carried::registration(&api, new, mandate(&request)).await?;
    Ok(register::created(&registered))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    search: Option<String>,
}

async fn list(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    const DESCRIPTION: &str =
        "the query may hold limit (1 to 200), after (a client_id) and search, each once";
    let invalid = || ApiError::new(ErrorCode::InvalidRequest, DESCRIPTION);
    let page: web::Query<Page> =
        web::Query::from_query(request.query_string()).map_err(|_| invalid())?;
    let Page { limit, after, search } = page.into_inner();
    if limit.is_some_and(|it| !(1..=app::MAX_PAGE).contains(&it)) {
        return Err(invalid());
    }
    let after = match after.filter(|it| !it.is_empty()) {
        None => None,
        Some(raw) => Some(raw.parse().map_err(|_| invalid())?),
    };
    let search = search.filter(|it| !it.is_empty());
    let query = ClientQuery { after, limit: limit.unwrap_or(50), search };
    let found = api.list_clients.execute(query).await?;
    let next = found.clients.last().filter(|_| found.has_more).map(|it| it.id.as_str());
    let clients: Vec<_> = found.clients.iter().map(client_document::client).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"clients": clients, "next": next})))
}

async fn get(path: web::Path<String>, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let id: ClientId = path_value(&path)?;
    let client = api.find_client.execute(&id).await?.ok_or_else(unknown_client)?;
    Ok(shown(&client))
}

async fn patch(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    let id: ClientId = path_value(&path)?;
    let expected = expected_revisions(request.headers())?;
    let changes = ClientChanges::parse(object, &api.rules)?;
    let update_client = api.update_client.clone();
    let mandate = mandate(&request);
    let work =
        async move { update_client.execute(&id, changes, expected.as_deref(), &mandate).await };
    Ok(shown(&carried::to_the_end(work).await?))
}

async fn disable(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let id: ClientId = path_value(&path)?;
    Ok(shown(&change_state(&request, &api, id, ClientState::Trash).await?))
}

async fn enable(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let id: ClientId = path_value(&path)?;
    let client = change_state(&request, &api, id, ClientState::Public).await?;
    // Tokens count whole seconds, and those of this one are revoked: whoever is told that the
    // client is enabled gets tokens that are good.
    let into_second = Duration::from_millis(api.clock.now().as_unix_millis() % 1_000);
    actix_web::rt::time::sleep(Duration::from_secs(1).saturating_sub(into_second)).await;
    Ok(shown(&client))
}

async fn change_state(
    request: &HttpRequest,
    api: &Api,
    id: ClientId,
    state: ClientState,
) -> Result<Client, ApiError> {
    let (change_state, mandate) = (api.change_state.clone(), mandate(request));
    carried::to_the_end(async move { change_state.execute(&id, state, &mandate).await }).await
}

async fn delete(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let id: ClientId = path_value(&path)?;
    let (delete_client, mandate) = (api.delete_client.clone(), mandate(&request));
    carried::to_the_end(async move { delete_client.execute(&id, &mandate).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown(client: &Client) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, format!("\"{}\"", client.revision.0)))
        .json(client_document::client(client))
}

/// `If-Match` (RFC 9110 section 13.1.1): the revisions the caller has seen; `None` for `*`.
pub(super) fn expected_revisions(headers: &HeaderMap) -> Result<Option<Vec<Revision>>, ApiError> {
    if !headers.contains_key(IF_MATCH) {
        return Err(ApiError::new(
            ErrorCode::PreconditionRequired,
            "a change needs If-Match with the ETag of the client as it was read",
        ));
    }
    Ok(revisions_seen(headers))
}

/// As [`expected_revisions`], where `If-Match` may be left out: that is as good as `*`.
pub(super) fn revisions_seen(headers: &HeaderMap) -> Option<Vec<Revision>> {
    let value = headers.get(IF_MATCH)?.to_str().unwrap_or_default().trim();
    if value == "*" {
        return None;
    }
    // A tag that is none of ours matches nothing.
    let revisions = value
        .split(',')
        .filter_map(|tag| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok())
        .map(Revision)
        .collect();
    Some(revisions)
}
