//! Writes whose answers are lost, or that never arrive.

use std::time::Duration;

use contract::sample::{client, client_id, parsed};
use crud_service::Mood;
use domain::port::{ClientRepository as _, InsertClientError, UpdateClientError};
use domain::{Client, FaultKind, Revision};

use crate::scratch::{asked, collection, documents, everything};

/// An insert is never sent twice: the second would meet the first, and call it a duplicate.
#[tokio::test]
async fn an_insert_whose_answer_is_lost_is_a_fault_and_no_duplicate() {
    for (mood, kept) in [
        (Mood::CutBefore, 0),
        (Mood::CutAfter, 1),
        (Mood::CutInBody, 1),
        (Mood::Failing(503), 0),
        (Mood::FailingAfter(504), 1),
        (Mood::Truncated, 1),
        (Mood::Html, 0),
    ] {
        let (clients, service) = collection(everything());
        service.meet_next("POST", "/clients/", mood.clone());

        let error = clients.insert(&client("a")).await.unwrap_err();
        assert!(matches!(error, InsertClientError::Fault(_)), "{mood:?}: {error:?}");

        assert_eq!(asked(&service), ["POST /"], "{mood:?}");
        assert_eq!(documents(&service).await.len(), kept, "{mood:?}");
    }
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_done_once_and_succeeds() {
    for mood in [
        Mood::CutBefore,
        Mood::CutAfter,
        Mood::CutInBody,
        Mood::Failing(500),
        Mood::FailingAfter(503),
    ] {
        let (clients, service) = collection(everything());
        clients.insert(&client("a")).await.unwrap();
        service.meet_next("PATCH", "/clients/", mood.clone());
        let renamed = Client { name: parsed("new"), revision: Revision(2), ..client("a") };

        clients
            .update(&renamed, Revision::FIRST)
            .await
            .unwrap_or_else(|it| panic!("{mood:?} {it:?}"));

        assert_eq!(clients.find(&renamed.id).await.unwrap(), Some(renamed));
    }
}

/// The first of two tries was lost before it arrived, and somebody else came before the second.
#[tokio::test]
async fn an_update_that_somebody_overtook_between_two_tries_is_a_conflict() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    service.meet_next("PATCH", "/clients/", Mood::CutBefore);
    service.meet_next("PATCH", "/clients/", Mood::Slow(Duration::from_secs(1)));
    let mine = Client { name: parsed("mine"), revision: Revision(2), ..client("a") };
    let other = Client { name: parsed("other"), revision: Revision(2), ..client("a") };

    let (slow, quick) = tokio::join!(clients.update(&mine, Revision::FIRST), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        clients.update(&other, Revision::FIRST).await
    });

    quick.unwrap();
    assert!(matches!(slow.unwrap_err(), UpdateClientError::Conflict));
    assert_eq!(clients.find(&other.id).await.unwrap(), Some(other));
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_removes_once_and_says_so() {
    for mood in [Mood::CutBefore, Mood::CutAfter, Mood::Failing(503), Mood::FailingAfter(502)] {
        let (clients, service) = collection(everything());
        clients.insert(&client("a")).await.unwrap();
        service.meet_next("DELETE", "", mood.clone());

        assert!(clients.remove(&client_id("a")).await.unwrap(), "{mood:?}");

        assert!(!clients.remove(&client_id("a")).await.unwrap());
    }
}

#[tokio::test]
async fn a_question_is_asked_twice_and_not_more() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    for mood in [Mood::CutBefore, Mood::CutInBody, Mood::Failing(503)] {
        service.meet_next("GET", "/clients/", mood);
        assert!(clients.find(&client_id("a")).await.unwrap().is_some());
    }

    service.forget_requests();
    service.set_mood(Mood::Failing(503));
    let fault = clients.find(&client_id("a")).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert_eq!(service.requests().len(), 2);
}
