//! The status routes: never below the prefix, never logged.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::Api;
use super::error::ApiError;
use crate::wiring::Dependency;

/// A probe that takes longer is an answer too.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// `GET /-/healthz`: the process lives.
pub(crate) async fn alive(api: web::Data<Api>) -> HttpResponse {
    answer(&api, true, None)
}

/// `GET /-/ready`: requests are welcome. A store that most of them can do without does not count.
pub(crate) async fn ready(api: web::Data<Api>) -> HttpResponse {
    let is_on = api.phase.has_started() && !api.phase.is_ending();
    let is_ready = is_on && probe(&api, |it| it.is_essential).await.values().all(|it| it == "OK");
    answer(&api, is_ready, None)
}

/// `GET /-/check-up`: every dependency is asked.
pub(crate) async fn check_up(api: web::Data<Api>) -> HttpResponse {
    let states = probe(&api, |_| true).await;
    let is_fine = api.phase.has_started() && states.values().all(|state| state == "OK");
    answer(&api, is_fine, Some(states))
}

/// `GET /-/metrics`: for Prometheus.
pub(crate) async fn metrics(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let text = api.metrics.encode().map_err(domain::Fault::corrupt)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        .body(text))
}

async fn probe(api: &Api, is_asked: fn(&Dependency) -> bool) -> Map<String, Value> {
    let asked = api.dependencies.iter().filter(|it| is_asked(it));
    let probed = asked.map(|Dependency { probe, .. }| async move {
        let state = match actix_web::rt::time::timeout(PROBE_TIME, probe.check()).await {
            Ok(Ok(())) => "OK",
            Ok(Err(_)) | Err(_) => "KO",
        };
        (probe.name().to_owned(), Value::from(state))
    });
    join_all(probed).await.into_iter().collect()
}

fn answer(api: &Api, is_fine: bool, states: Option<Map<String, Value>>) -> HttpResponse {
    let mut body = json!({
        "status": if is_fine { "OK" } else { "KO" },
        "name": "client-credentials",
        "version": api.discovery.version,
    });
    if let (Some(states), Value::Object(members)) = (states, &mut body) {
        members.insert("dependencies".to_owned(), states.into());
    }
    let mut builder: HttpResponseBuilder =
        if is_fine { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    builder.insert_header((CACHE_CONTROL, "no-store")).json(body)
}
