//! `/oauth2/register/{client}`: a client manages its own registration (RFC 7592).

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use app::{ManageRegistration, ManageRegistrationError, RegisteredClient, RegistrationRules};
use domain::{Client, ClientId, JsonObject};
use serde_json::json;

use super::error::{ApiError, ErrorCode};
use super::{Api, bearer, body, carried, discovery, register};
use crate::client_document;

/// The client configuration endpoint.
pub(crate) fn resource() -> Resource {
    super::resource(
        "/oauth2/register/{client}",
        "GET, PUT, DELETE",
        [
            (Method::GET, web::to(read)),
            (Method::PUT, web::to(replace)),
            (Method::DELETE, web::to(delete)),
        ],
    )
}

/// All that is registered of a client (RFC 7591 section 3.2.1, RFC 7592 section 3).
pub(crate) fn document(
    request: &HttpRequest,
    api: &Api,
    registered: &RegisteredClient,
) -> JsonObject {
    let client = &registered.client;
    let mut body = register::answer(registered);
    let document = client_document::client(client);
    for member in ["client_name", "token_endpoint_auth_method", "jwks", "jwks_uri"] {
        if let Some(value) = document.get(member) {
            body.insert(member.to_owned(), value.clone());
        }
    }
    body.extend(client.informative.as_object().clone());
    if !client.scope.is_empty() {
        body.insert("scope".to_owned(), client.scope.to_string().into());
    }
    body.insert("grant_types".to_owned(), json!(["client_credentials"]));
    // Nobody is sent anywhere by this server. Clients that know registration from OpenID Connect
    // miss the second member where it is left out.
    for none in ["response_types", "redirect_uris"] {
        body.insert(none.to_owned(), json!([]));
    }
    if let Some(token) = &registered.registration_token {
        let (base, prefix) = (discovery::base(request, &api.discovery), &api.discovery.prefix);
        let uri = format!("{base}{prefix}/oauth2/register/{}", client.id);
        body.insert("registration_access_token".to_owned(), token.expose().into());
        body.insert("registration_client_uri".to_owned(), uri.into());
    }
    body
}

/// What the caller wants to manage, and by what right.
struct Caller {
    manage: ManageRegistration,
    /// `None` for a name that no client can have.
    id: Option<ClientId>,
    token: String,
}

impl Caller {
    fn of(request: &HttpRequest, path: &str, api: &Api) -> Result<Self, ApiError> {
        // RFC 7592 sections 2.1 to 2.3 know no other answer of a server that does not offer this.
        let Some(manage) = &api.manage_registration else {
            return Err(ApiError::method_not_allowed(""));
        };
        let token = bearer(request.headers())?;
        Ok(Self { manage: manage.clone(), id: path.parse().ok(), token })
    }

    /// The client. Wrong tokens are counted, and nothing else is.
    async fn client(&self, request: &HttpRequest, api: &Api) -> Result<Client, ApiError> {
        match self.manage.read(self.id.as_ref(), &self.token).await {
            Ok(client) => Ok(client),
            Err(error @ ManageRegistrationError::Unauthorized) => {
                Err(register::failed(request, &api.registration, error.into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<String, ApiError> {
    let token = bearer::token(headers)?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::TokenMissing,
            "this needs the registration access token of the client as bearer token",
        )
    })?;
    Ok(token.to_owned())
}

async fn read(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let caller = Caller::of(&request, &path, &api)?;
    let client = caller.client(&request, &api).await?;
    let known = RegisteredClient { client, secret: None, registration_token: None };
    Ok(shown(&request, &api, known, caller.token))
}

async fn replace(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await;
    let caller = Caller::of(&request, &path, &api)?;
    // Whoever has no right learns nothing of what is wrong with the rest.
    caller.client(&request, &api).await?;
    let Caller { manage, id, token } = caller;
    let object = object?;
    let rules = RegistrationRules { is_key_id_required: false, ..api.rules.clone() };
    let presented = token.clone();
    let work = async move { manage.replace(id.as_ref(), &presented, object, &rules).await };
    let replaced = carried::to_the_end(work).await?;
    Ok(shown(&request, &api, replaced, token))
}

async fn delete(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let caller = Caller::of(&request, &path, &api)?;
    caller.client(&request, &api).await?;
    let Caller { manage, id, token } = caller;
    let work = async move { manage.delete(id.as_ref(), &token).await };
    carried::to_the_end(work).await?;
    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish())
}

/// The token that came with the request is the one that is still good: it is kept as a digest only.
fn shown(request: &HttpRequest, api: &Api, known: RegisteredClient, token: String) -> HttpResponse {
    let registration_token = Some(domain::ClientSecret::new(token));
    let body = document(request, api, &RegisteredClient { registration_token, ..known });
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

impl From<ManageRegistrationError> for ApiError {
    fn from(error: ManageRegistrationError) -> Self {
        let text = error.to_string();
        match error {
            ManageRegistrationError::Unauthorized => {
                Self::with_text(ErrorCode::InvalidToken, &text)
            }
            ManageRegistrationError::Invalid(error) => error.into(),
            ManageRegistrationError::Conflict => Self::with_text(ErrorCode::Conflict, &text),
            ManageRegistrationError::Fault(fault) => fault.into(),
        }
    }
}
