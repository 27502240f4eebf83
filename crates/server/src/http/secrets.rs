//! `/clients/{client}/secrets`: operators rotate secrets.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use app::{AddSecretError, AddSecretRequest, AddedSecret};
use domain::management::Mandate;
use domain::{ClientId, JsonObject, SecretId, SecretName, Timestamp};
use serde_json::{Value, json};

use super::clients::{mandate, path_value, unknown_client};
use super::error::{ApiError, ErrorCode};
use super::{Api, body, carried};
use crate::client_document;

pub(crate) async fn list(
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let id: ClientId = path_value(&path)?;
    let known = api.list_secrets.execute(&id).await?.ok_or_else(unknown_client)?;
    let secrets: Vec<_> = known.iter().map(client_document::credential).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"secrets": secrets})))
}

pub(crate) async fn add(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::optional_json(request.headers(), payload).await?;
    let id: ClientId = path_value(&path)?;
    let asked = add_secret_request(object, api.clock.now())?;
    let (add_secret, of, mandate) = (api.add_secret.clone(), id.clone(), mandate(&request));
    made(&api, id, async move { add_secret.execute(&of, asked, &mandate).await }).await
}

/// A new secret, beside which the others are good for `overlap` seconds more: none, unless the
/// request says so.
pub(crate) async fn rotate(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let mut object = body::optional_json(request.headers(), payload).await?;
    let id: ClientId = path_value(&path)?;
    let overlap = match object.remove("overlap") {
        None | Some(Value::Null) => Duration::ZERO,
        Some(value) => value.as_u64().map(Duration::from_secs).ok_or_else(|| {
            invalid("overlap: must be a whole number of seconds; 0 ends the others at once")
        })?,
    };
    let asked = add_secret_request(object, api.clock.now())?;
    let (rotate_secret, of, mandate) = (api.rotate_secret.clone(), id.clone(), mandate(&request));
    let work = async move { rotate_secret.execute(&of, asked, overlap, &mandate).await };
    made(&api, id, work).await
}

/// The answer of whoever makes a secret. One that nobody got to know is taken back: it would take the
/// room of another.
async fn made(
    api: &Api,
    id: ClientId,
    work: impl Future<Output = Result<AddedSecret, AddSecretError>> + 'static,
) -> Result<HttpResponse, ApiError> {
    let (revoke_secret, client) = (api.revoke_secret.clone(), id.clone());
    let taking_back = |unheard: AddedSecret| async move {
        let secret = &unheard.credential.id;
        if let Err(error) = revoke_secret.execute(&client, secret, &Mandate::Unlimited).await {
            tracing::warn!(client.id = %client, error = %error, "a secret that nobody knows stays");
        }
    };
    let added = carried::or_back(work, taking_back).await?;
    let ends = added.credential.expires_at.map_or(0, Timestamp::as_unix_seconds);
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "client_id": id.as_str(),
        "client_secret": added.secret.expose(),
        "client_secret_expires_at": ends,
        "secret_id": added.credential.id.as_str(),
    })))
}

pub(crate) async fn revoke(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let (client, secret) = path.into_inner();
    let client: ClientId = path_value(&client)?;
    let secret: SecretId = path_value(&secret)?;
    let (revoke_secret, mandate) = (api.revoke_secret.clone(), mandate(&request));
    let work = async move { revoke_secret.execute(&client, &secret, &mandate).await };
    if carried::to_the_end(work).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(ApiError::new(ErrorCode::NotFound, "the client has no secret with this id"))
}

fn invalid(text: &str) -> ApiError {
    ApiError::with_text(ErrorCode::InvalidClientMetadata, text)
}

fn add_secret_request(
    mut object: JsonObject,
    now: Timestamp,
) -> Result<AddSecretRequest, ApiError> {
    let name: Option<SecretName> = match object.remove("name") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_str().map(str::parse) {
            Some(Ok(name)) => Some(name),
            Some(Err(error)) => return Err(invalid(&error.to_string())),
            None => return Err(invalid("name: must be a text")),
        },
    };
    let expires_at = match object.remove("expires_in") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64() {
            Some(seconds @ 1..) => Some(now.after(Duration::from_secs(seconds))),
            Some(0) | None => {
                return Err(invalid("expires_in: must be a whole number of seconds, at least 1"));
            }
        },
    };
    match object.keys().next() {
        None => Ok(AddSecretRequest { name, expires_at }),
        Some(member) => Err(invalid(&format!("{member}: is not a member of a secret"))),
    }
}
