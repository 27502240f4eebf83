//! `/changes`: changes that are drafted, reviewed, committed at once and rolled back at once.

use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, ETAG, LOCATION};
use actix_web::middleware::from_fn;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use app::{
    ChangesError, CommitChanges, CommittedChanges, DiscardChanges, DraftChanges, DraftRequest,
    EditChanges, FindChanges, ListChanges, Manager, ReviewChanges, RollBackChanges, SettleChanges,
    Staging,
};
use domain::change_set::{ChangeSet, ChangeSetState, Transition};
use domain::management::Mandate;
use domain::port::ChangeSetQuery;
use domain::{Author, ChangeSetId, Client, ClientId, ClientSecret, JsonObject};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clients::{expected_revisions, guard, mandate, revisions_seen};
use super::error::{ApiError, ErrorCode};
use super::{Api, body, carried, resource};
use crate::change_document;

/// What the handlers may call.
#[derive(Clone)]
pub(crate) struct Changes {
    draft: DraftChanges,
    edit: EditChanges,
    find: FindChanges,
    list: ListChanges,
    review: ReviewChanges,
    commit: CommitChanges,
    roll_back: RollBackChanges,
    discard: DiscardChanges,
    pub(crate) settle: SettleChanges,
}

impl Changes {
    /// Everything that is done with change sets.
    pub(crate) fn new(staging: Staging) -> Self {
        Self {
            draft: DraftChanges { staging: staging.clone() },
            edit: EditChanges { staging: staging.clone() },
            find: FindChanges { staging: staging.clone() },
            list: ListChanges { staging: staging.clone() },
            review: ReviewChanges { staging: staging.clone() },
            commit: CommitChanges { staging: staging.clone() },
            roll_back: RollBackChanges { staging: staging.clone() },
            discard: DiscardChanges { staging: staging.clone() },
            settle: SettleChanges { staging },
        }
    }
}

/// The routes. The guard is that of `/clients`: what changes here are clients.
pub(crate) fn routes() -> impl HttpServiceFactory + use<> {
    let collection = [
        (Method::GET, web::to(list)),
        (Method::HEAD, web::to(list)),
        (Method::POST, web::to(create)),
    ];
    let one = [
        (Method::GET, web::to(get)),
        (Method::HEAD, web::to(get)),
        (Method::PUT, web::to(put)),
        (Method::DELETE, web::to(discard)),
    ];
    let diff = [(Method::GET, web::to(diff)), (Method::HEAD, web::to(diff))];
    web::scope("/changes")
        .wrap(from_fn(guard))
        .service(resource("", "GET, HEAD, POST", collection))
        .service(resource("/{set}", "GET, HEAD, PUT, DELETE", one))
        .service(resource("/{set}/diff", "GET, HEAD", diff))
        .service(resource("/{set}/commit", "POST", [(Method::POST, web::to(commit))]))
        .service(resource("/{set}/rollback", "POST", [(Method::POST, web::to(roll_back))]))
        .default_service(web::to(super::unknown_path))
}

/// What the store of clients allows.
fn changes(api: &Api) -> Result<&Changes, ApiError> {
    const DESCRIPTION: &str = "clients are kept in a crud-service, which changes one document at a time: change each \
         client by itself, below /clients";
    api.changes.as_ref().ok_or_else(|| ApiError::new(ErrorCode::NotSupported, DESCRIPTION))
}

/// An id that no change set can have is an unknown one.
fn path_value(raw: &str) -> Result<ChangeSetId, ApiError> {
    raw.parse().map_err(|_| ChangesError::Unknown.into())
}

fn author(request: &HttpRequest) -> Result<Author, ApiError> {
    let manager = request.extensions().get::<Manager>().cloned();
    Ok(manager.unwrap_or(Manager::Anybody).author()?)
}

/// `{"note": ..., "operations": [...]}`.
fn draft_request(mut object: JsonObject) -> Result<DraftRequest, ApiError> {
    const OPERATIONS: &str = "operations: is required: an array of objects";
    let invalid = |text: &str| ApiError::with_text(ErrorCode::InvalidRequest, text);
    let note = match object.remove("note") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            Some(text.parse().map_err(|error| invalid(&format!("{error}")))?)
        }
        Some(_) => return Err(invalid("note: must be a text")),
    };
    let Some(Value::Array(items)) = object.remove("operations") else {
        return Err(invalid(OPERATIONS));
    };
    let operation = |item| match item {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(invalid(OPERATIONS))
        }
    };
    let operations = items.into_iter().map(operation).collect::<Result<_, _>>()?;
    match object.keys().next() {
        None => Ok(DraftRequest { note, operations }),
        Some(member) => Err(invalid(&format!("{member}: is not a member of a change set"))),
    }
}

async fn create(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let draft = changes(&api)?.draft.clone();
    let drafted = draft_request(body::large_json(request.headers(), payload).await?)?;
    let (author, mandate) = (author(&request)?, mandate(&request));
    let work = async move { draft.execute(drafted, author, &mandate).await };
    let set = carried::to_the_end(work).await?;
    let place = format!("{}/{}", request.path(), set.id);
    Ok(shown(HttpResponse::Created().insert_header((LOCATION, place)), &set))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<String>,
}

async fn list(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    const DESCRIPTION: &str =
        "the query may hold limit (1 to 200) and before (the id of a change set), each once";
    let invalid = || ApiError::new(ErrorCode::InvalidRequest, DESCRIPTION);
    let changes = changes(&api)?;
    let page: web::Query<Page> =
        web::Query::from_query(request.query_string()).map_err(|_| invalid())?;
    let Page { limit, before } = page.into_inner();
    if limit.is_some_and(|it| !(1..=app::MAX_PAGE).contains(&it)) {
        return Err(invalid());
    }
    let before = match before.filter(|it| !it.is_empty()) {
        None => None,
        Some(raw) => Some(raw.parse().map_err(|_| invalid())?),
    };
    let query = ChangeSetQuery { before, limit: limit.unwrap_or(50) };
    let found = changes.list.execute(query).await?;
    let next = found.sets.last().filter(|_| found.has_more).map(|it| it.id.as_str());
    let sets: Vec<_> = found.sets.iter().map(change_document::summary).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({"changes": sets, "next": next})))
}

async fn get(path: web::Path<String>, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let set = changes(&api)?.find.execute(&path_value(&path)?).await?;
    Ok(shown(&mut HttpResponse::Ok(), &set))
}

async fn put(
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let edit = changes(&api)?.edit.clone();
    let edited = draft_request(body::large_json(request.headers(), payload).await?)?;
    let id = path_value(&path)?;
    let expected = expected_revisions(request.headers())?;
    let mandate = mandate(&request);
    let work = async move { edit.execute(&id, edited, expected.as_deref(), &mandate).await };
    let set = carried::to_the_end(work).await?;
    Ok(shown(&mut HttpResponse::Ok(), &set))
}

async fn discard(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let discard = changes(&api)?.discard.clone();
    let id = path_value(&path)?;
    let expected = revisions_seen(request.headers());
    let work = async move { discard.execute(&id, expected.as_deref()).await };
    carried::to_the_end(work).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn diff(path: web::Path<String>, api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let reviewed = changes(&api)?.review.execute(&path_value(&path)?).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, entity_tag(&reviewed.set)))
        .json(change_document::review(&reviewed)))
}

async fn commit(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let Changes { commit, roll_back, .. } = changes(&api)?.clone();
    let id = path_value(&path)?;
    let expected = revisions_seen(request.headers());
    let (by, mandate) = (author(&request)?, mandate(&request));
    let taker = by.clone();
    let work = async move { commit.execute(&id, expected.as_deref(), by, &mandate).await };
    // Secrets that nobody got to know would leave clients that nobody can use.
    let taking_back = |unheard: CommittedChanges| async move {
        let id = unheard.set.id.clone();
        if unheard.secrets.is_empty() {
            return;
        }
        match roll_back.execute(&id, taker, &Mandate::Unlimited).await {
            Ok(_) => tracing::warn!(set = id.as_str(), "rolled back: nobody heard its secrets"),
            Err(error) => tracing::warn!(
                set = id.as_str(),
                error = %error,
                "nobody heard the secrets of this commit, and it cannot be rolled back"
            ),
        }
    };
    let committed = carried::long_or_back(work, taking_back).await?;
    until_tokens_are_good(&api, &committed.set).await;
    let secret = |(client, secret): &(ClientId, ClientSecret)| json!({"client_id": client.as_str(), "client_secret": secret.expose()});
    let mut document = change_document::change_set(&committed.set);
    if let Value::Object(members) = &mut document {
        let secrets = committed.secrets.iter().map(secret).collect();
        members.insert("secrets".to_owned(), secrets);
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, entity_tag(&committed.set)))
        .json(document))
}

async fn roll_back(
    request: HttpRequest,
    path: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, ApiError> {
    let roll_back = changes(&api)?.roll_back.clone();
    let id = path_value(&path)?;
    let (by, mandate) = (author(&request)?, mandate(&request));
    let work = async move { roll_back.execute(&id, by, &mandate).await };
    let set = carried::long_or_back(work, |_| std::future::ready(())).await?;
    until_tokens_are_good(&api, &set).await;
    Ok(shown(&mut HttpResponse::Ok(), &set))
}

/// Tokens count whole seconds, and those of this one were taken back from clients that came into
/// use: whoever is told that they are gets tokens that are good.
async fn until_tokens_are_good(api: &Api, set: &ChangeSet) {
    let commitment = match &set.state {
        ChangeSetState::Draft => return,
        ChangeSetState::Committed(it) | ChangeSetState::RolledBack { commitment: it, .. } => it,
    };
    let is_enabled = |client: &Option<Client>| client.as_ref().is_some_and(Client::is_enabled);
    let is_switched = |it: &Transition| is_enabled(&it.before) != is_enabled(&it.after);
    if commitment.transitions.iter().any(is_switched) {
        let into_second = Duration::from_millis(api.clock.now().as_unix_millis() % 1_000);
        actix_web::rt::time::sleep(Duration::from_secs(1).saturating_sub(into_second)).await;
    }
}

fn entity_tag(set: &ChangeSet) -> String {
    format!("\"{}\"", set.revision.0)
}

fn shown(response: &mut HttpResponseBuilder, set: &ChangeSet) -> HttpResponse {
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, entity_tag(set)))
        .json(change_document::change_set(set))
}

impl From<ChangesError> for ApiError {
    fn from(error: ChangesError) -> Self {
        let text = error.to_string();
        match error {
            ChangesError::Unknown => Self::with_text(ErrorCode::NotFound, &text),
            ChangesError::Superseded => Self::with_text(ErrorCode::PreconditionFailed, &text),
            ChangesError::WrongState { .. } => Self::with_text(ErrorCode::Conflict, &text),
            ChangesError::Moved(clients) => {
                let clients = clients.iter().map(ClientId::as_str).collect();
                Self::with_text(ErrorCode::Conflict, &text).with_member("clients", clients)
            }
            ChangesError::Invalid(problems) => {
                let problems = problems.iter().map(change_document::problem).collect();
                Self::with_text(ErrorCode::InvalidClientMetadata, &text)
                    .with_member("problems", problems)
            }
            ChangesError::Exceeded(client, exceeded) => {
                Self::from(exceeded).with_member("clients", Value::from(vec![client.as_str()]))
            }
            ChangesError::Impossible(_) => Self::with_text(ErrorCode::NotSupported, &text),
            ChangesError::Fault(fault) => fault.into(),
        }
    }
}
