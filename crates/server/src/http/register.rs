//! `POST /register` (public) and the answer that `POST /clients` shares with it.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use app::{Authority, NewClient, RegisteredClient};
use domain::Fault;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};

use super::error::{ApiError, ErrorCode};
use super::{Api, RegistrationAccess, bearer, body, peer};

/// How many registrations each address has left.
pub(crate) type Limiter = DefaultKeyedRateLimiter<IpAddr>;

/// A limiter for `per_minute` registrations from one address; none for 0.
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
    let registered = carried_out(&api, new).await?;
    Ok(created(&registered))
}

/// How long a caller waits for stores that do not answer.
const PATIENCE: Duration = Duration::from_secs(9);

/// Makes the client to the end, or to the end of undoing it, even where the caller goes away or
/// loses patience: a registration that is dropped halfway would leave half a client behind.
pub(crate) async fn carried_out(
    api: &web::Data<Api>,
    new: NewClient,
) -> Result<RegisteredClient, ApiError> {
    let register_client = api.register_client.clone();
    let made = actix_web::rt::spawn(async move { register_client.execute(new).await });
    match actix_web::rt::time::timeout(PATIENCE, made).await {
        Ok(Ok(made)) => Ok(made?),
        Ok(Err(ended)) => Err(Fault::corrupt(ended).into()),
        Err(late) => Err(Fault::unavailable(late).into()),
    }
}

/// The answer to whoever made a client. It holds the secret, this once.
pub(crate) fn created(registered: &RegisteredClient) -> HttpResponse {
    let client = &registered.client;
    let mut body = json!({
        "client_id": client.id.as_str(),
        "client_id_issued_at": client.created_at.as_unix_seconds(),
    });
    if let (Some(secret), Value::Object(members)) = (&registered.secret, &mut body) {
        members.insert("client_secret".to_owned(), secret.expose().into());
        members.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(body)
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
                return Err(ApiError::new(ErrorCode::InvalidToken, description));
            }
        }
        None => {
            return Err(ApiError::new(ErrorCode::NotFound, "registration is off on this server"));
        }
    }
    let (Some(limiter), Some(address)) = (&access.limiter, peer(request)) else {
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
