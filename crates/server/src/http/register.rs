//! `POST /register` (public) and the answer that `POST /clients` shares with it.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use app::{Authority, NewClient, RegisteredClient, RegistrationRules};
use domain::management::Mandate;
use domain::{JsonObject, Scope};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::Value;

use super::error::{ApiError, ErrorCode};
use super::{Api, RegistrationAccess, bearer, body, carried, peer, registration};

/// How many registrations, or failures, each address has left.
pub(crate) type Limiter = DefaultKeyedRateLimiter<IpAddr>;

/// A limiter for so many a minute from one address; none for 0.
pub(crate) fn limiter(per_minute: u32) -> Option<Limiter> {
    NonZeroU32::new(per_minute).map(|it| RateLimiter::keyed(Quota::per_minute(it)))
}

pub(crate) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    admit(&request, &api.registration)?;
    let new = NewClient::parse(object, Authority::Public, &api.rules)?;
    let registered = carried::registration(&api, new, nothing()).await?;
    Ok(created(&registered))
}

/// `POST /oauth2/register`: as [`post`], and the answer holds all that is registered (RFC 7591
/// section 3.2.1). A key needs no name there.
pub(crate) async fn standard(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let object = body::json(request.headers(), payload).await?;
    admit(&request, &api.registration)?;
    let rules = RegistrationRules { is_key_id_required: false, ..api.rules.clone() };
    let new = NewClient::parse(object, Authority::Public, &rules)?;
    let registered = match &api.manage_registration {
        Some(_) => carried::self_managed(&api, new).await?,
        None => carried::registration(&api, new, nothing()).await?,
    };
    let body = registration::document(&request, &api, &registered);
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

/// What the public may do to clients that manage the server.
fn nothing() -> Mandate {
    Mandate::Scope(Scope::default())
}

/// The answer to whoever made a client. It holds the secret, this once.
pub(crate) fn created(registered: &RegisteredClient) -> HttpResponse {
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer(registered))
}

pub(crate) fn answer(registered: &RegisteredClient) -> JsonObject {
    let client = &registered.client;
    let mut body = JsonObject::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("client_id", client.id.as_str().into());
    set("client_id_issued_at", client.created_at.as_unix_seconds().into());
    if let Some(secret) = &registered.secret {
        set("client_secret", secret.expose().into());
        set("client_secret_expires_at", 0.into());
    }
    body
}

fn admit(request: &HttpRequest, access: &RegistrationAccess) -> Result<(), ApiError> {
    match &access.token {
        _ if access.is_open => (),
        Some(expected) => {
            let token = bearer::token(request.headers())?.ok_or_else(|| {
                ApiError::new(
                    ErrorCode::TokenMissing,
                    "registration needs the initial access token as bearer token",
                )
            })?;
            if !access.digester.is_same(expected, &access.digester.digest(token)) {
                let description = "the bearer token is not the initial access token";
                let refusal = ApiError::new(ErrorCode::InvalidToken, description);
                return Err(failed(request, access, refusal));
            }
        }
        None => {
            return Err(ApiError::new(ErrorCode::NotFound, "registration is off on this server"));
        }
    }
    throttle(request, access.limiter.as_ref())
}

/// What an address hears that brought a wrong token: `refusal`, or that it has done so too often. Who
/// brings the right one is never held up by others of its address that guess (threat T28).
pub(crate) fn failed(
    request: &HttpRequest,
    access: &RegistrationAccess,
    refusal: ApiError,
) -> ApiError {
    throttle(request, access.failures.as_ref()).err().unwrap_or(refusal)
}

/// Whether the address of the caller has anything left of its allowance.
fn throttle(request: &HttpRequest, limiter: Option<&Limiter>) -> Result<(), ApiError> {
    let (Some(limiter), Some(address)) = (limiter, peer(request)) else {
        return Ok(());
    };
    limiter.check_key(&network(address)).map_err(|not_until| {
        let wait: Duration = not_until.wait_time_from(DefaultClock::default().now());
        ApiError::too_many_requests(wait.as_secs() + 1)
    })
}

/// One customer of a provider has a whole /64 of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            it.to_ipv4_mapped()
                .map_or_else(|| Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), IpAddr::from)
        }
    }
}
