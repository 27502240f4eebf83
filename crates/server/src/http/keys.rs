//! `/keys`: operators see the signing keys, let them take turns, and revoke them.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};
use app::{RevokeKeyError, RotateKeysError};
use domain::management::ManagementRight;
use domain::port::StoreKeysError;
use domain::{JsonObject, KeyId, KeySet};
use serde_json::{Value, json};

use super::error::{ApiError, ErrorCode};
use super::{Api, body, carried, clients, resource};
use crate::key_document;

/// The routes, with one guard before all of them.
pub(crate) fn routes() -> impl HttpServiceFactory + use<> {
    let collection = [(Method::GET, web::to(list)), (Method::HEAD, web::to(list))];
    web::scope("/keys")
        .wrap(from_fn(guard))
        .service(resource("", "GET, HEAD", collection))
        .service(resource("/rotate", "POST", [(Method::POST, web::to(rotate))]))
        .service(resource("/{key}", "DELETE", [(Method::DELETE, web::to(revoke))]))
        .default_service(web::to(super::unknown_path))
}

async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let right = if matches!(*request.method(), Method::GET | Method::HEAD) {
        ManagementRight::ReadKeys
    } else {
        ManagementRight::WriteKeys
    };
    match clients::authorized(&request, right).await {
        Ok(_) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => Ok(super::refused(request, error)),
    }
}

async fn list(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    Ok(shown(&api.list_keys.load().await?))
}

/// What kind of turn is asked for.
enum Turn {
    Usual,
    /// At once, whether or not verifiers know the next keys.
    Forced,
    /// Every key is revoked, and new ones sign at once.
    Emergency,
}

impl Turn {
    fn parse(mut object: JsonObject) -> Result<Self, ApiError> {
        let mut is_set = |member: &str| match object.remove(member) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(false),
            Some(Value::Bool(true)) => Ok(true),
            Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(invalid(&format!("{member}: must be true or false")))
            }
        };
        let (force, emergency) = (is_set("force")?, is_set("emergency")?);
        if let Some(member) = object.keys().next() {
            return Err(invalid(&format!("{member}: is not a member: send force or emergency")));
        }
        Ok(match (force, emergency) {
            (false, false) => Self::Usual,
            (true, false) => Self::Forced,
            (false | true, true) => Self::Emergency,
        })
    }
}

fn invalid(text: &str) -> ApiError {
    ApiError::with_text(ErrorCode::InvalidRequest, text)
}

async fn rotate(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let turn = Turn::parse(body::optional_json(request.headers(), payload).await?)?;
    let kept = api.clone();
    let work = async move {
        let keys = match turn {
            Turn::Usual => kept.rotate_keys.execute(false).await?,
            Turn::Forced => kept.rotate_keys.execute(true).await?,
            Turn::Emergency => kept.revoke_key.all().await?,
        };
        follow(&kept).await;
        Ok::<_, ApiError>(keys)
    };
    Ok(shown(&carried::to_the_end(work).await?))
}

impl From<RotateKeysError> for ApiError {
    fn from(error: RotateKeysError) -> Self {
        match error {
            RotateKeysError::Refused(refusal) => {
                Self::with_text(ErrorCode::Conflict, &refusal.to_string())
            }
            RotateKeysError::NotStored(error) => error.into(),
        }
    }
}

impl From<RevokeKeyError> for ApiError {
    fn from(error: RevokeKeyError) -> Self {
        match error {
            RevokeKeyError::Unknown(unknown) => {
                Self::with_text(ErrorCode::NotFound, &unknown.to_string())
            }
            RevokeKeyError::NotStored(error) => error.into(),
        }
    }
}

impl From<StoreKeysError> for ApiError {
    fn from(error: StoreKeysError) -> Self {
        let text = error.to_string();
        match error {
            StoreKeysError::Conflict | StoreKeysError::ReadOnly => {
                Self::with_text(ErrorCode::Conflict, &text)
            }
            StoreKeysError::Fault(fault) => fault.into(),
        }
    }
}

async fn revoke(path: web::Path<String>, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::from(RevokeKeyError::Unknown(domain::UnknownKey));
    let id: KeyId = path.parse().map_err(|_| unknown())?;
    let kept = api.clone();
    let work = async move {
        kept.revoke_key.execute(&id).await?;
        follow(&kept).await;
        Ok::<_, ApiError>(())
    };
    carried::to_the_end(work).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The change is stored. If it cannot be read again now, this node follows as the others do.
async fn follow(api: &Api) {
    if let Err(fault) = api.refresh_keys.execute().await {
        tracing::warn!(error = fault.explained(), "the keys cannot be read again");
    }
}

fn shown(keys: &KeySet) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"keys": key_document::keys(keys)}))
}
