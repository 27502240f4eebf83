//! A service that is out, slow, elsewhere, or talks nonsense.

use std::time::{Duration, Instant};

use adapter_crud::{CrudClients, CrudOptions, InvalidCrudOptions};
use contract::sample::{client, client_id, later};
use crud_service::Mood;
use domain::port::{
    ClientDirectory as _, ClientQuery, ClientRepository as _, HealthProbe as _, InsertClientError,
    LoginLedger as _, UpdateClientError,
};
use domain::{Fault, FaultKind, Login, Revision};
use futures_util::future::join_all;

use crate::scratch::{collection, everything, hasty, node, options_for};

/// What every method says, one after the other.
async fn faults(clients: &CrudClients) -> Vec<Fault> {
    let mut faults = vec![
        clients.find(&client_id("a")).await.unwrap_err(),
        clients.remove(&client_id("a")).await.unwrap_err(),
        clients.check().await.unwrap_err(),
    ];
    let query = ClientQuery { after: None, limit: 1, search: None };
    faults.push(clients.page(&query).await.unwrap_err());
    let logins = [Login { client: client_id("a"), at: later(1) }];
    faults.push(clients.record(&logins).await.unwrap_err());
    let refused = clients.insert(&client("b")).await.unwrap_err();
    let InsertClientError::Fault(fault) = refused else { panic!("{refused:?}") };
    faults.push(fault);
    let refused = clients.update(&client("a"), Revision::FIRST).await.unwrap_err();
    let UpdateClientError::Fault(fault) = refused else { panic!("{refused:?}") };
    faults.push(fault);
    faults
}

async fn all_are(kind: FaultKind, moods: &[Mood]) {
    let (patient, service) = collection(everything());
    patient.insert(&client("a")).await.unwrap();
    let hasty = hasty(&service);
    for mood in moods {
        service.set_mood(mood.clone());
        let clients = if *mood == Mood::Hanging { &hasty } else { &patient };
        for (method, fault) in faults(clients).await.iter().enumerate() {
            assert_eq!(fault.kind(), kind, "{mood:?} {method}: {}", fault.explained());
        }
    }
    // It recovers by itself.
    service.set_mood(Mood::Well);
    assert!(patient.find(&client_id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_service_that_does_not_work_is_unavailable() {
    let failing = [500, 502, 503, 504, 429, 408].map(Mood::Failing);
    all_are(FaultKind::Unavailable, &failing).await;
    all_are(FaultKind::Unavailable, &[Mood::CutBefore, Mood::CutInBody, Mood::Hanging]).await;
}

/// Above all, a collection that is not there does not say that no client is.
#[tokio::test]
async fn a_collection_that_is_not_there_or_not_for_us_is_unavailable() {
    let refusing = [401, 403, 404, 405, 301].map(Mood::Failing);
    all_are(FaultKind::Unavailable, &refusing).await;
}

/// Headers and documents are for the place that the operator named, and nobody else.
#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let (other_clients, other) = collection(everything());
    other_clients.insert(&client("a")).await.unwrap();
    other.forget_requests();

    let elsewhere = format!("{}/?clientId=a", other.url());
    all_are(FaultKind::Unavailable, &[Mood::Elsewhere(elsewhere)]).await;

    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_corrupt() {
    let nonsense = [Mood::Html, Mood::Saying("null"), Mood::Saying(""), Mood::Saying("{\"a\":1}")];
    all_are(FaultKind::Corrupt, &nonsense).await;
    all_are(FaultKind::Corrupt, &[Mood::Failing(413), Mood::Failing(418)]).await;
}

#[tokio::test]
async fn an_answer_that_ends_in_the_middle_is_corrupt() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    service.set_mood(Mood::Truncated);

    let fault = clients.find(&client_id("a")).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let (clients, service) = collection(everything());
    service.set_mood(Mood::Huge);

    let fault = clients.find(&client_id("a")).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt, "{}", fault.explained());
    assert!(fault.explained().contains("more than"), "{}", fault.explained());
}

#[tokio::test]
async fn an_answer_about_somebody_else_or_about_two_is_corrupt() {
    let (clients, service) = collection(everything());
    let other = r#"[{"_id":"1","clientId":"b","name":"b","__STATE__":"PUBLIC",
        "createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}]"#;
    for answer in [other, "[{},{}]", "[1]", "[null]", "[[]]"] {
        service.set_mood(Mood::Saying(answer));
        let fault = clients.find(&client_id("a")).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Corrupt, "{answer}");
    }
}

/// A service that ignores the query must not lead us round in circles.
#[tokio::test]
async fn pages_that_lead_nowhere_are_corrupt() {
    let (clients, service) = collection(everything());
    let again = r#"[{"_id":"1","clientId":"b","name":"b","__STATE__":"PUBLIC",
        "createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}]"#;
    service.set_mood(Mood::Saying(again));

    let query = ClientQuery { after: Some(client_id("b")), limit: 10, search: None };

    assert_eq!(clients.page(&query).await.unwrap_err().kind(), FaultKind::Corrupt);
}

#[tokio::test]
async fn what_is_slow_but_not_too_slow_is_waited_for() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();

    service.set_mood(Mood::Slow(Duration::from_millis(300)));

    assert!(clients.find(&client_id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_waits_longer_than_the_timeout() {
    let (_, service) = collection(everything());
    let clients = hasty(&service);
    service.set_mood(Mood::Hanging);

    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let began = Instant::now();
    let outcomes = join_all((0..20).map(async |_| clients.find(&client_id("a")).await)).await;

    assert!(outcomes.iter().all(|it| it.as_ref().is_err_and(Fault::is_passing)));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_service_that_is_not_up_is_unavailable_until_it_is() {
    let port = testbed::process::free_port().unwrap();
    let clients =
        node(&CrudOptions::new(format!("http://127.0.0.1:{port}/clients").parse().unwrap()));

    for fault in faults(&clients).await {
        assert_eq!(fault.kind(), FaultKind::Unavailable);
    }
}

#[tokio::test]
async fn who_finds_too_many_before_him_is_told_at_once() {
    let (_, service) = collection(everything());
    let options = CrudOptions { max_connections: 2, max_waiting: 2, ..options_for(&service) };
    let clients = node(&CrudOptions { timeout: Duration::from_secs(10), ..options });
    service.set_mood(Mood::Slow(Duration::from_millis(100)));

    let outcomes = join_all((0..10).map(async |_| clients.find(&client_id("a")).await)).await;

    let refused = outcomes.iter().filter_map(|it| it.as_ref().err());
    let refused: Vec<FaultKind> = refused.map(Fault::kind).collect();
    assert_eq!(refused, [FaultKind::Overloaded; 6]);
}

#[tokio::test]
async fn a_password_in_the_url_is_shown_nowhere() {
    let (_, service) = collection(everything());
    let url = service.url().replace("http://", "http://user:s3cret@");
    let options = CrudOptions {
        timeout: Duration::from_millis(300),
        ..CrudOptions::new(url.parse().unwrap())
    };
    let clients = node(&options);
    let mut shown = format!("{options:?} {clients:?}");
    for mood in [Mood::CutBefore, Mood::Hanging, Mood::Html, Mood::Failing(404), Mood::Huge] {
        service.set_mood(mood);
        let fault = clients.find(&client_id("a")).await.unwrap_err();
        shown += &[format!("{fault:?} {fault}"), fault.explained()].concat();
    }
    drop(service);
    let fault = clients.find(&client_id("a")).await.unwrap_err();
    shown += &[format!("{fault:?}"), fault.explained()].concat();

    assert!(!shown.contains("s3cret"), "{shown}");
    // Nor what was asked.
    assert!(!shown.contains("clientId"), "{shown}");
}

#[tokio::test]
async fn what_is_no_base_url_is_refused() {
    for url in ["mailto:a@b", "ftp://crud/clients", "http://crud/clients?a=1", "http://crud/#a"] {
        let refused = CrudClients::new(&CrudOptions::new(url.parse().unwrap()));
        assert!(matches!(refused, Err(InvalidCrudOptions::BaseUrl)), "{url}");
    }
}

#[tokio::test]
async fn a_base_url_may_end_with_a_slash() {
    let (_, service) = collection(everything());
    let url = format!("{}/", service.url());
    let clients = node(&CrudOptions::new(url.parse().unwrap()));

    clients.insert(&client("a")).await.unwrap();

    assert!(clients.remove(&client_id("a")).await.unwrap());
}
