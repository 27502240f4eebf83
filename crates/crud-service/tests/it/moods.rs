//! What a test can make of it.

use std::time::{Duration, Instant};

use crud_service::Mood;
use serde_json::json;

use crate::support::{Asker, document};

#[tokio::test]
async fn a_request_is_recorded_with_all_that_it_says() {
    let asker = Asker::extended();
    asker.service.forget_requests();

    asker.post("/?_st=DRAFT", json!({"a": 1})).await;

    let requests = asker.service.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].target, "/clients/?_st=DRAFT");
    assert_eq!(requests[0].path(), "/clients/");
    assert_eq!(requests[0].header("miauserid"), Some("somebody"));
    assert_eq!(requests[0].body, "{\"a\":1}");
}

#[tokio::test]
async fn failing_is_not_carrying_out_unless_it_is_told_to() {
    let asker = Asker::extended();
    asker.service.set_mood(Mood::Failing(503));
    assert_eq!(asker.post("/", document("a", &json!({}))).await.0, 503);
    asker.service.set_mood(Mood::FailingAfter(504));
    assert_eq!(asker.post("/", document("b", &json!({}))).await.0, 504);

    asker.service.set_mood(Mood::Well);
    assert_eq!(asker.ids("").await, ["b"]);
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_a_write() {
    let asker = Asker::extended();
    for (id, mood) in [("a", Mood::CutBefore), ("b", Mood::CutAfter), ("c", Mood::CutInBody)] {
        asker.service.meet_next("POST", "/clients/", mood);
        let request = asker.http.post(format!("{}/", asker.service.url()));
        let outcome = match request.json(&document(id, &json!({}))).send().await {
            Ok(response) => response.bytes().await.map(drop),
            Err(error) => Err(error),
        };
        assert!(outcome.is_err(), "{id}");
    }

    assert_eq!(asker.ids("").await, ["b", "c"]);
}

#[tokio::test]
async fn what_is_slow_comes_and_what_hangs_does_not() {
    let asker = Asker::extended();
    asker.service.meet_next("GET", "/count", Mood::Slow(Duration::from_millis(150)));
    asker.service.meet_next("GET", "/count", Mood::Hanging);

    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let began = Instant::now();
    assert_eq!(asker.get("/count").await, (200, json!(0)));
    assert!(Duration::from_millis(150) <= began.elapsed());
    let hanging = tokio::time::timeout(Duration::from_millis(150), asker.get("/count")).await;
    assert!(hanging.is_err());
    assert_eq!(asker.get("/count").await, (200, json!(0)));
}

#[tokio::test]
async fn an_answer_may_be_nonsense() {
    let asker = Asker::extended();
    asker.insert("a", &json!({})).await;
    let text = async |mood| {
        asker.service.meet_next("GET", "/clients/", mood);
        let response = asker.http.get(format!("{}/", asker.service.url())).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };

    let (_, truncated) = text(Mood::Truncated).await;
    assert!(truncated.starts_with('[') && !truncated.contains(']'));
    assert!(text(Mood::Html).await.1.starts_with("<!doctype html>"));
    assert!(16 * 1_024 * 1_024 < text(Mood::Huge).await.1.len());
    assert_eq!(text(Mood::Saying("{}")).await.1, "{}");
    assert_eq!(text(Mood::Elsewhere("http://127.0.0.1:1/".to_owned())).await.0, 302);
}
