//! How requests come in and answers go out, well or badly.

use std::future::{Future, ready};
use std::io;
use std::pin::Pin;

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, rt};
use futures_util::stream::{self, StreamExt as _};

use crate::Dialect;
use crate::answer::Answer;
use crate::collection::{Asked, Collection};
use crate::mood::{Mood, RecordedRequest, Stage};

/// What every request can see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) collection: Collection,
    pub(crate) dialect: Dialect,
    pub(crate) user_header: String,
    pub(crate) path: String,
    pub(crate) stage: Stage,
}

const HUGE_PIECES: usize = 64;
const HUGE_PIECE_BYTES: usize = 1_024 * 1_024;

/// `/-/healthz`: the process lives.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "OK"}))
}

/// `/-/ready`: the database answers.
pub(crate) async fn ready_or_not(shared: Data<Shared>) -> HttpResponse {
    if shared.collection.answers().await {
        return healthz().await;
    }
    HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "KO"}))
}

/// Everything else.
pub(crate) async fn serve(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    let recorded = recorded(&request, &body);
    let mood = shared.stage.mood_for(&recorded);
    let user = recorded.header(&shared.user_header).unwrap_or("public").to_owned();
    shared.stage.record(recorded);
    let carried_out = || answer(&request, &body, &user, &shared);
    match mood {
        Mood::Well => sent(carried_out().await),
        Mood::Slow(delay) => {
            rt::time::sleep(delay).await;
            sent(carried_out().await)
        }
        Mood::Failing(status) => empty(status),
        Mood::FailingAfter(status) => {
            carried_out().await;
            empty(status)
        }
        Mood::Hanging => std::future::pending().await,
        Mood::CutBefore => cut(),
        Mood::CutAfter => {
            carried_out().await;
            cut()
        }
        Mood::Truncated => {
            let mut whole = carried_out().await.pieces().concat();
            whole.truncate(whole.len() / 2);
            HttpResponse::Ok().content_type("application/json").body(whole)
        }
        Mood::CutInBody => {
            let whole = carried_out().await.pieces().concat();
            let pieces = stream::iter([Ok(Bytes::from(whole.clone())), Err(gone())]);
            HttpResponse::Ok().body(SizedStream::new(whole.len() as u64 + 1, pieces))
        }
        Mood::Html => HttpResponse::Ok()
            .content_type("text/html")
            .body("<!doctype html><title>Please log in</title>"),
        Mood::Huge => {
            let piece = Bytes::from(vec![b' '; HUGE_PIECE_BYTES]);
            let pieces = stream::repeat(piece).take(HUGE_PIECES).map(Ok::<_, io::Error>);
            HttpResponse::Ok().content_type("application/json").streaming(pieces)
        }
        Mood::Saying(body) => HttpResponse::Ok().content_type("application/json").body(body),
        Mood::Elsewhere(place) => {
            HttpResponse::Found().insert_header((header::LOCATION, place)).finish()
        }
    }
}

fn recorded(request: &HttpRequest, body: &Bytes) -> RecordedRequest {
    let text = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    RecordedRequest {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: request.headers().iter().map(text).collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

fn answer<'a>(
    request: &'a HttpRequest,
    body: &'a Bytes,
    user: &'a str,
    shared: &'a Shared,
) -> Pin<Box<dyn Future<Output = Answer> + 'a>> {
    Box::pin(async move {
        let refused = |refusal| Answer::refused(&refusal, shared.dialect);
        let Some(rest) = request.path().strip_prefix(&shared.path) else {
            return refused(crate::refusal::Refusal::NotFound);
        };
        let path = match rest.strip_prefix('/') {
            None if rest.is_empty() => Vec::new(),
            None => return refused(crate::refusal::Refusal::NotFound),
            Some(rest) => rest.split('/').collect(),
        };
        let Ok(Query(words)) = Query::from_query(request.query_string()) else {
            return refused(crate::refusal::BAD_QUERY);
        };
        let asked = Asked { method: request.method().as_str(), path, words, body, user };
        shared.collection.carry_out(&asked).await.unwrap_or_else(refused)
    })
}

fn with_status(status: u16) -> HttpResponseBuilder {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

fn empty(status: u16) -> HttpResponse {
    with_status(status).finish()
}

fn sent(answer: Answer) -> HttpResponse {
    let mut response = with_status(answer.status());
    let pieces = answer.pieces();
    if pieces.is_empty() {
        return response.finish();
    }
    let pieces = stream::iter(pieces).map(|piece| Ok::<_, io::Error>(Bytes::from(piece)));
    response.content_type("application/json; charset=utf-8").streaming(pieces)
}

/// An answer that ends before it begins: the connection is closed.
fn cut() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::once(ready(Err::<Bytes, _>(gone()))))
}

fn gone() -> io::Error {
    io::Error::other("cut on purpose")
}
