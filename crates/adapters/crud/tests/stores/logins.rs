//! How logins are written down.

use contract::sample::{client, client_id, later};
use crud_service::Mood;
use domain::port::{ClientRepository as _, LoginLedger as _};
use domain::{Client, ClientState, Login};
use serde_json::Value;

use crate::scratch::{asked, collection, everything, hasty};

fn login(id: &str, seconds: u64) -> Login {
    Login { client: client_id(id), at: later(seconds) }
}

#[tokio::test]
async fn many_logins_go_in_few_requests_and_each_client_in_one_of_them() {
    let (clients, service) = collection(everything());
    let mut logins: Vec<Login> = (0..600).map(|n| login(&format!("c{n:03}"), n)).collect();
    logins.extend((0..600).map(|n| login(&format!("c{n:03}"), 1)));

    clients.record(&logins).await.unwrap();

    assert_eq!(asked(&service), ["PATCH /bulk"; 3]);
    let sizes: Vec<usize> = service
        .requests()
        .iter()
        .map(|it| serde_json::from_str::<Vec<Value>>(&it.body).unwrap().len())
        .collect();
    assert_eq!(sizes, [250, 250, 100]);
}

#[tokio::test]
async fn a_batch_of_the_longest_ids_is_no_more_than_the_service_reads() {
    let (clients, service) = collection(everything());
    let longest = |n: u32| login(&format!("{}{n:03}", "\\".repeat(252)), 1);
    let logins: Vec<Login> = (0..250).map(longest).collect();

    clients.record(&logins).await.unwrap();

    assert!(service.requests()[0].body.len() < 512 * 1_024);
}

#[tokio::test]
async fn a_client_that_was_disabled_meanwhile_was_there_all_the_same() {
    let (clients, _service) = collection(everything());
    clients.insert(&Client { state: ClientState::Trash, ..client("a") }).await.unwrap();

    clients.record(&[login("a", 5)]).await.unwrap();

    let found = clients.find(&client_id("a")).await.unwrap().unwrap();
    assert_eq!((found.last_login, found.state), (Some(later(5)), ClientState::Trash));
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_login() {
    for mood in [Mood::CutBefore, Mood::CutAfter, Mood::Failing(503)] {
        let (clients, service) = collection(everything());
        clients.insert(&client("a")).await.unwrap();
        service.meet_next("PATCH", "/bulk", mood);

        clients.record(&[login("a", 5)]).await.unwrap();

        assert_eq!(
            clients.find(&client_id("a")).await.unwrap().unwrap().last_login,
            Some(later(5))
        );
    }
}

#[tokio::test]
async fn a_ledger_that_is_out_says_so_and_asks_no_more() {
    let (_, service) = collection(everything());
    let clients = hasty(&service);
    service.set_mood(Mood::Hanging);
    let logins: Vec<Login> = (0..600).map(|n| login(&format!("c{n:03}"), n)).collect();

    assert!(clients.record(&logins).await.unwrap_err().is_passing());

    assert!(service.requests().len() <= 2);
}
