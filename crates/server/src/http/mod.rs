//! The use-cases, over HTTP: handlers translate a request to a command and an outcome to a
//! response, and nothing else.

mod bearer;
mod body;
mod carried;
mod catalogue;
mod changes;
mod client_authentication;
mod clients;
mod dialect;
mod discovery;
mod documentation;
mod error;
mod form;
mod forwarded;
mod introspect;
mod jwks;
mod keys;
mod observe;
mod preview;
mod register;
mod registration;
mod revoke;
mod secrets;
mod status;
mod token;
mod token_info;
mod unread;
mod userinfo;

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
    AddSecret, AuthorizeManagement, CatalogueInUse, ChangeState, DeleteClient, EditCatalogue,
    FindClient, ListClients, ListSecrets, ManageRegistration, PreviewToken, ReadCatalogue,
    RefreshKeys, RegisterClient, RegistrationRules, RevokeKey, RevokeSecret, RotateKeys,
    RotateSecret, TokenInfo, UpdateClient,
};
use domain::port::{Clock, KeyRepository, TokenDigester};
use domain::{Issuer, SigningAlgorithm, TokenDigest};

pub(crate) use changes::Changes;
pub(crate) use dialect::{Dialect, DialectName, Dialects};
pub(crate) use forwarded::forwarded_headers;
pub(crate) use observe::observe;
pub(crate) use unread::hold_body;

use crate::telemetry::{Metrics, RequestLog};
use crate::wiring::Dependency;
use error::ApiError;

/// Everything the handlers may call, and nothing else.
pub(crate) struct Api {
    pub(crate) dialects: Dialects,
    pub(crate) token_info: TokenInfo,
    /// The same, whomever a token is meant for.
    pub(crate) any_token_info: TokenInfo,
    pub(crate) register_client: RegisterClient,
    /// There where clients manage what they registered.
    pub(crate) manage_registration: Option<ManageRegistration>,
    pub(crate) find_client: FindClient,
    pub(crate) list_clients: ListClients,
    pub(crate) update_client: UpdateClient,
    pub(crate) change_state: ChangeState,
    pub(crate) delete_client: DeleteClient,
    /// There where the store of clients may be able to change several at once.
    pub(crate) changes: Option<Changes>,
    pub(crate) list_secrets: ListSecrets,
    pub(crate) add_secret: AddSecret,
    pub(crate) rotate_secret: RotateSecret,
    pub(crate) revoke_secret: RevokeSecret,
    pub(crate) preview_token: PreviewToken,
    pub(crate) read_catalogue: ReadCatalogue,
    pub(crate) edit_catalogue: EditCatalogue,
    /// What this node goes by.
    pub(crate) catalogue: Arc<CatalogueInUse>,
    pub(crate) authorize_management: AuthorizeManagement,
    pub(crate) rules: RegistrationRules,
    pub(crate) registration: RegistrationAccess,
    pub(crate) jwks: Arc<dyn Fn() -> Bytes + Send + Sync>,
    pub(crate) list_keys: Arc<dyn KeyRepository>,
    pub(crate) rotate_keys: RotateKeys,
    pub(crate) revoke_key: RevokeKey,
    /// What follows a change of the keys on this node, and knows how long they may be cached.
    pub(crate) refresh_keys: RefreshKeys,
    pub(crate) discovery: Discovery,
    pub(crate) dependencies: Vec<Dependency>,
    /// The headers that go on to the crud-service, in lower case, where clients are kept in one.
    pub(crate) forwarded_headers: Option<Vec<String>>,
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
    /// Wrong initial access tokens and registration access tokens, which count by themselves.
    pub(crate) failures: Option<register::Limiter>,
}

impl RegistrationAccess {
    /// Forgets addresses that have their whole allowance back: a million of them take no room.
    pub(crate) fn forget_idle_addresses(&self) {
        for limiter in [&self.limiter, &self.failures].into_iter().flatten() {
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
    /// The algorithms that tokens are signed with.
    pub(crate) algorithms: Vec<SigningAlgorithm>,
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
pub(crate) fn routes(prefix: &str, dialects: &Dialects) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let (prefix, dialects) = (prefix.to_owned(), dialects.clone());
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
                    .configure(|config| spoken(&dialects, config))
                    .service(get("/.well-known/jwks.json", jwks::get))
                    .service(get("/.well-known/openid-configuration", discovery::openid))
                    .service(get("/.well-known/oauth-authorization-server", discovery::oauth))
                    .service(get("/documentation/json", documentation::openapi))
                    .service(get("/documentation", documentation::page))
                    .service(get("/documentation/{file}", documentation::asset))
                    .service(preview::route())
                    .service(clients::routes())
                    .service(keys::routes())
                    .service(changes::routes())
                    .configure(catalogue::routes)
                    .default_service(web::to(unknown_path)),
            )
            .default_service(web::to(unknown_path));
    }
}

/// The endpoints of the dialects that are spoken.
fn spoken(dialects: &Dialects, config: &mut ServiceConfig) {
    use DialectName::{Curity, IdService, Mia, Standard};
    for name in [Standard, Mia, Curity, IdService] {
        let Some(dialect) = dialects.get(name) else { continue };
        let paths = name.paths();
        config.service(post(paths.token, token::post).app_data(dialect.clone()));
        if name != Mia {
            config.service(post(paths.introspect, introspect::post).app_data(dialect.clone()));
        }
        if name == Curity {
            config.service(post(paths.revoke, revoke::post).app_data(dialect.clone()));
        }
        if let Some(metadata) = paths.metadata {
            config.service(get(metadata, discovery::of_dialect).app_data(dialect.clone()));
        }
        if matches!(name, Curity | IdService) {
            config.service(get(paths.jwks, jwks::get));
        }
        if let (Standard | IdService, Some(path)) = (name, paths.userinfo) {
            config.service(userinfo_at(path));
        }
    }
    // A token is taken back there, whichever dialect it came from.
    if let Some(dialect) = dialects.first(&[Standard, Mia, IdService]) {
        let path = Standard.paths().revoke;
        config.service(post(path, revoke::post).app_data(dialect));
    }
    if dialects.get(Mia).is_some() {
        config.service(get("/tokeninfo", token_info::get));
        config.service(post("/register", register::post));
    }
    if dialects.get(Standard).is_some() {
        config.service(post("/oauth2/register", register::standard));
        config.service(registration::resource());
    }
}

fn userinfo_at(path: &str) -> Resource {
    let methods = [Method::GET, Method::HEAD, Method::POST];
    resource(path, "GET, HEAD, POST", methods.map(|it| (it, web::to(userinfo::answer))))
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
