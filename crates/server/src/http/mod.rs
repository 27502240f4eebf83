//! The use-cases, over HTTP: handlers translate a request to a command and an outcome to a
//! response, and nothing else.

mod bearer;
mod body;
mod client_authentication;
mod clients;
mod discovery;
mod documentation;
mod error;
mod form;
mod jwks;
mod observe;
mod register;
mod revoke;
mod secrets;
mod status;
mod token;
mod token_info;
mod unread;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{Handler, Resource, Responder, Route, guard};
use app::{
    AddSecret, AuthorizeManagement, ChangeState, DeleteClient, FindClient, IssueToken, ListClients,
    ListSecrets, RegisterClient, RegistrationRules, RevokeSecret, RevokeToken, TokenInfo,
    UpdateClient,
};
use domain::port::{Clock, HealthProbe, TokenDigester};
use domain::{Issuer, SigningAlgorithm, TokenDigest};

pub(crate) use observe::observe;
pub(crate) use unread::hold_body;

use crate::telemetry::{Metrics, RequestLog};
use error::ApiError;

/// Everything the handlers may call, and nothing else.
pub(crate) struct Api {
    pub(crate) issue_token: IssueToken,
    pub(crate) token_info: TokenInfo,
    pub(crate) revoke_token: RevokeToken,
    pub(crate) register_client: RegisterClient,
    pub(crate) find_client: FindClient,
    pub(crate) list_clients: ListClients,
    pub(crate) update_client: UpdateClient,
    pub(crate) change_state: ChangeState,
    pub(crate) delete_client: DeleteClient,
    pub(crate) list_secrets: ListSecrets,
    pub(crate) add_secret: AddSecret,
    pub(crate) revoke_secret: RevokeSecret,
    pub(crate) authorize_management: AuthorizeManagement,
    pub(crate) rules: RegistrationRules,
    pub(crate) registration: RegistrationAccess,
    pub(crate) jwks: Arc<dyn Fn() -> Bytes + Send + Sync>,
    pub(crate) jwks_max_age_seconds: u64,
    pub(crate) discovery: Discovery,
    pub(crate) probes: Vec<Arc<dyn HealthProbe>>,
    pub(crate) phase: Arc<Phase>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: RequestLog,
}

/// Who may register clients, with the token as a digest.
pub(crate) struct RegistrationAccess {
    pub(crate) is_open: bool,
    /// The initial access token; `None` beside a closed door means that nobody may.
    pub(crate) token: Option<TokenDigest>,
    pub(crate) digester: Arc<dyn TokenDigester>,
    pub(crate) limiter: Option<register::Limiter>,
}

impl RegistrationAccess {
    /// Forgets addresses that have their whole allowance back: a million of them take no room.
    pub(crate) fn forget_idle_addresses(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

/// What the discovery documents say.
pub(crate) struct Discovery {
    pub(crate) issuer: Issuer,
    /// The address others use, where the operator or the issuer names it; else each request's own.
    pub(crate) base_url: Option<String>,
    pub(crate) prefix: String,
    pub(crate) version: String,
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) has_registration: bool,
    /// The operator's own document, byte by byte.
    pub(crate) openid_configuration: Option<Bytes>,
}

/// Where the process is in its life.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    has_started: AtomicBool,
    is_ending: AtomicBool,
}

impl Phase {
    /// The stores answered, and there are keys to sign with.
    pub(crate) fn start(&self) {
        self.has_started.store(true, Ordering::Release);
    }

    /// The process was told to end.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
    }

    /// Whether requests can be answered at all.
    pub(crate) fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Acquire)
    }

    /// Whether new requests should go elsewhere.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }
}

pub(crate) use register::limiter;

/// Declares the routes.
pub(crate) fn routes(prefix: &str) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let prefix = prefix.to_owned();
    move |config| {
        // RFC 8414 section 3.1 puts the well-known name before the path of the issuer.
        if !prefix.is_empty() {
            let path = format!("/.well-known/oauth-authorization-server{prefix}");
            config.service(get(&path, discovery::oauth));
        }
        config
            .service(get("/-/healthz", status::alive))
            .service(get("/-/ready", status::ready))
            .service(get("/-/check-up", status::check_up))
            .service(get("/-/metrics", status::metrics))
            .service(
                web::scope(&prefix)
                    .wrap(from_fn(refuse_before_start))
                    .service(post("/oauth/token", token::post))
                    .service(post("/oauth2/revoke", revoke::post))
                    .service(get("/tokeninfo", token_info::get))
                    .service(post("/register", register::post))
                    .service(get("/.well-known/jwks.json", jwks::get))
                    .service(get("/.well-known/openid-configuration", discovery::openid))
                    .service(get("/.well-known/oauth-authorization-server", discovery::oauth))
                    .service(get("/documentation/json", documentation::openapi))
                    .service(get("/documentation", documentation::page))
                    .service(get("/documentation/{file}", documentation::asset))
                    .service(clients::routes())
                    .default_service(web::to(unknown_path)),
            )
            .default_service(web::to(unknown_path));
    }
}

/// A path that is read.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(
        path,
        "GET, HEAD",
        [(Method::GET, web::to(handler.clone())), (Method::HEAD, web::to(handler))],
    )
}

/// A path that is posted to.
fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(path, "POST", [(Method::POST, web::to(handler))])
}

/// A path with its methods; all others are refused with `Allow` (RFC 9110 section 15.5.6).
fn resource<const N: usize>(
    path: &str,
    allow: &'static str,
    routes: [(Method, Route); N],
) -> Resource {
    let resource = routes.into_iter().fold(web::resource(path), |resource, (method, route)| {
        resource.route(route.guard(guard::Method(method)))
    });
    resource.default_service(web::to(move || async move {
        Err::<&'static str, _>(ApiError::method_not_allowed(allow))
    }))
}

async fn unknown_path() -> Result<&'static str, ApiError> {
    Err(ApiError::new(error::ErrorCode::NotFound, "there is nothing at this path"))
}

/// Before the stores answered once there is nothing to answer with.
async fn refuse_before_start<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let api = request.app_data::<web::Data<Api>>();
    if api.is_some_and(|api| api.phase.has_started()) {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    Ok(refused(request, ApiError::starting()))
}

/// A refusal by a middleware, as if a handler had refused.
fn refused<B>(request: ServiceRequest, error: ApiError) -> ServiceResponse<EitherBody<B>> {
    let (request, _) = request.into_parts();
    ServiceResponse::from_err(error, request).map_into_right_body()
}

/// The address of the caller, as far as the connection tells.
fn peer(request: &actix_web::HttpRequest) -> Option<std::net::IpAddr> {
    request.peer_addr().as_ref().map(SocketAddr::ip)
}
