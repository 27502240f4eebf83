//! `POST /clients/{client}/preview`: what token a client would get, and why not.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};
use app::{IssueTokenError, PreviewedToken};
use domain::management::ManagementRight;
use domain::{ClientId, JsonObject, TokenFormat};
use serde_json::{Value, json};

use super::clients::{self, path_value};
use super::dialect::{Dialect, DialectName};
use super::error::{ApiError, ErrorCode};
use super::form::Form;
use super::{Api, body, resource, token};

const DIALECTS: [DialectName; 4] =
    [DialectName::Standard, DialectName::Mia, DialectName::Curity, DialectName::IdService];

/// The route, which changes nothing, and so is for whoever may read.
pub(crate) fn route() -> impl HttpServiceFactory {
    let methods = [(Method::POST, web::to(post))];
    resource("/clients/{client}/preview", "POST", methods).wrap(from_fn(guard))
}

async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match clients::authorized(&request, ManagementRight::ReadClients).await {
        Ok(_) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => Ok(super::refused(request, error)),
    }
}

async fn post(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let mut object = body::optional_json(request.headers(), payload).await?;
    let id: ClientId = path_value(&path)?;
    let dialect = dialect(&mut object, &api)?;
    let custom_claims = match object.remove("custom_claims") {
        None | Some(Value::Null) => JsonObject::new(),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err(invalid("custom_claims must be an object")),
    };
    let form = form(object)?;
    // Read as the token endpoint reads it: what is refused there is refused here.
    let mut asked = match token::grant_request(&form) {
        Ok(asked) => asked,
        Err(error) => {
            api.find_client.execute(&id).await?.ok_or_else(clients::unknown_client)?;
            let why = error.description().to_owned();
            return Ok(answered(&refused(&dialect, error, &why)));
        }
    };
    asked.custom_claims = custom_claims;
    let previewed = api.preview_token.execute(&id, asked, &dialect.issue_token.policy).await?;
    Ok(answered(&match previewed {
        Ok(token) => granted(&dialect, &token),
        Err(refusal) => refused(&dialect, IssueTokenError::Refused(refusal), &refusal.to_string()),
    }))
}

fn granted(dialect: &Dialect, token: &PreviewedToken) -> Value {
    let mut document = JsonObject::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    set("granted", true.into());
    set("dialect", dialect.name.name().into());
    set("format", token.format.name().into());
    if token.format == TokenFormat::Jwt {
        set("alg", token.algorithm.name().into());
        set("typ", dialect.issue_token.policy.profile.typ().into());
    }
    set("expires_in", token.expires_at.since(token.issued_at).as_secs().into());
    set("claims", token.claims.clone().into());
    document.into()
}

/// What the client would be told, and what only an operator is.
fn refused(dialect: &Dialect, error: impl Into<ApiError>, why: &str) -> Value {
    let error = dialect.told(error);
    json!({
        "granted": false,
        "dialect": dialect.name.name(),
        "statusCode": error.code().status().as_u16(),
        "error": error.code().name(),
        "error_description": error.description(),
        "reason": why,
    })
}

fn answered(document: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(document)
}

fn dialect(object: &mut JsonObject, api: &Api) -> Result<web::Data<Dialect>, ApiError> {
    let spoken: Vec<_> =
        DIALECTS.into_iter().filter(|it| api.dialects.get(*it).is_some()).collect();
    let chosen = match object.remove("dialect") {
        None | Some(Value::Null) => spoken.first().copied(),
        Some(value) => spoken.iter().find(|it| value.as_str() == Some(it.name())).copied(),
    };
    chosen.and_then(|it| api.dialects.get(it)).ok_or_else(|| {
        let names: Vec<_> = spoken.iter().map(|it| it.name()).collect();
        invalid(&format!("dialect must be one that is spoken: {}", names.join(", ")))
    })
}

/// The members as parameters of a token request.
fn form(mut object: JsonObject) -> Result<Form, ApiError> {
    let mut parameters = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    for (name, is_repeatable) in [("scope", false), ("audience", true), ("resource", true)] {
        let values = match object.remove(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(values)) if is_repeatable => values,
            Some(value) => vec![value],
        };
        for value in values {
            let Value::String(text) = value else {
                let or_list = if is_repeatable { ", or an array of texts" } else { "" };
                return Err(invalid(&format!("{name} must be a text{or_list}")));
            };
            parameters.push((name.to_owned(), text));
        }
    }
    match object.keys().next() {
        None => Ok(Form::of(parameters)),
        Some(member) => Err(invalid(&format!(
            "{member} is not known here: send scope, audience, resource, custom_claims or dialect"
        ))),
    }
}

fn invalid(description: &str) -> ApiError {
    ApiError::with_text(ErrorCode::InvalidRequest, description)
}
