//! Updates of fields and state, whole and broken in the middle.

use std::time::Duration;

use contract::sample::{client, client_id, later, parsed};
use crud_service::Mood;
use domain::port::{ClientRepository as _, UpdateClientError};
use domain::{Client, ClientState, Revision};
use futures_util::future::join_all;

use crate::scratch::{asked, collection, everything};

const STATES: [ClientState; 4] =
    [ClientState::Public, ClientState::Draft, ClientState::Trash, ClientState::Deleted];

fn changed(client: &Client, state: ClientState) -> Client {
    Client {
        state,
        permissions: vec![parsed("more")],
        revision: client.revision.next(),
        updated_at: later(1),
        ..client.clone()
    }
}

#[tokio::test]
async fn every_state_leads_to_every_other_with_the_fields() {
    for from in STATES {
        let (clients, _service) = collection(everything());
        for to in STATES {
            let before = Client { state: from, ..client(to.name()) };
            clients.insert(&before).await.unwrap();
            let after = changed(&before, to);

            clients.update(&after, before.revision).await.unwrap();

            assert_eq!(clients.find(&after.id).await.unwrap(), Some(after), "{from:?} {to:?}");
        }
    }
}

#[tokio::test]
async fn a_change_of_the_state_alone_is_one_change_and_its_steps() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    service.forget_requests();

    let disabled = Client { state: ClientState::Trash, revision: Revision(2), ..client("a") };
    clients.update(&disabled, Revision::FIRST).await.unwrap();
    let enabled = Client { revision: Revision(3), ..client("a") };
    clients.update(&enabled, Revision(2)).await.unwrap();

    let paths: Vec<String> = asked(&service)
        .iter()
        .map(|it| if it.ends_with("/state") { "step".to_owned() } else { it.clone() })
        .collect();
    assert_eq!(paths, ["GET /", "PATCH /", "step", "GET /", "PATCH /", "step", "step"]);
}

/// A disabled client is never enabled by half an update, nor an enabled one given more than it had
/// while it should be disabled.
#[tokio::test]
async fn half_an_update_enables_nobody_and_widens_nothing() {
    let (clients, service) = collection(everything());
    for from in STATES {
        for to in STATES {
            for answered in 0..8 {
                let id = format!("{}-{}-{answered}", from.name(), to.name());
                let before = Client { state: from, ..client(&id) };
                clients.insert(&before).await.unwrap();
                let after = changed(&before, to);

                let outcome = broken_after(&clients, &service, answered, &after).await;

                let found = clients.find(&before.id).await.unwrap().unwrap();
                match outcome {
                    Ok(()) => assert_eq!(found, after),
                    Err(UpdateClientError::Fault(fault)) => {
                        assert!(fault.is_passing());
                        let is_wider = found.permissions != before.permissions;
                        if found.is_enabled() {
                            assert!(before.is_enabled(), "{id}");
                            assert!(after.is_enabled() || !is_wider, "{id}");
                        }
                    }
                    Err(error) => panic!("{id}: {error:?}"),
                }
            }
        }
    }
}

/// Carries an update out until `count` requests were answered; then the service fails.
async fn broken_after(
    clients: &adapter_crud::CrudClients,
    service: &crud_service::CrudService,
    count: usize,
    after: &Client,
) -> Result<(), UpdateClientError> {
    service.set_mood_after(count, Mood::Failing(429));
    let outcome = clients.update(after, Revision::FIRST).await;
    service.set_mood(Mood::Well);
    outcome
}

/// Somebody changes the client while it is disabled on its way to other fields: it stays disabled,
/// and the change of the other stays, too.
#[tokio::test]
async fn who_disables_and_changes_does_not_overwrite_what_comes_in_between() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    service.meet_next("POST", "/state", Mood::Slow(Duration::from_secs(1)));
    let mine = changed(&client("a"), ClientState::Trash);

    let (slow, quick) = tokio::join!(clients.update(&mine, Revision::FIRST), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let claimed = clients.find(&client_id("a")).await.unwrap().unwrap();
        let revision = claimed.revision.next();
        let other = Client { name: parsed("other"), revision, ..claimed.clone() };
        clients.update(&other, claimed.revision).await
    });

    quick.unwrap();
    assert!(matches!(slow.unwrap_err(), UpdateClientError::Conflict));
    let found = clients.find(&client_id("a")).await.unwrap().unwrap();
    assert_eq!((found.name, found.state), (parsed("other"), ClientState::Trash));
    assert_eq!(found.permissions, []);
}

/// Whatever rivals do to the state of a client, the last of those who succeeded had their way.
#[tokio::test]
async fn rivals_over_a_state_end_in_one_that_somebody_wanted() {
    let (clients, service) = collection(everything());
    for round in 0..10 {
        let before = client(&format!("c{round}"));
        clients.insert(&before).await.unwrap();
        let rivals = STATES.map(|state| Client { state, revision: Revision(2), ..before.clone() });

        let outcomes = join_all(rivals.iter().map(|it| clients.update(it, Revision::FIRST))).await;

        let winners: Vec<&Client> =
            rivals.iter().zip(&outcomes).filter(|(_, it)| it.is_ok()).map(|(it, _)| it).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        assert_eq!(clients.find(&before.id).await.unwrap().as_ref(), Some(winners[0]));
    }
    drop(service);
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_is_taken_once() {
    for mood in [Mood::CutBefore, Mood::CutAfter, Mood::Failing(503), Mood::FailingAfter(503)] {
        for state in [ClientState::Draft, ClientState::Deleted] {
            let (clients, service) = collection(everything());
            clients.insert(&client("a")).await.unwrap();
            service.meet_next("POST", "/state", mood.clone());
            let after = changed(&client("a"), state);

            clients.update(&after, Revision::FIRST).await.unwrap();

            assert_eq!(clients.find(&after.id).await.unwrap(), Some(after), "{mood:?}");
        }
    }
}

#[tokio::test]
async fn a_conflict_changes_neither_fields_nor_state() {
    let (clients, service) = collection(everything());
    clients.insert(&client("a")).await.unwrap();
    let winner = Client { name: parsed("winner"), revision: Revision(2), ..client("a") };
    // Both have read before the second of them writes.
    service.meet_next("PATCH", "/clients/", Mood::Slow(Duration::from_millis(200)));
    service.meet_next("PATCH", "/clients/", Mood::Slow(Duration::from_millis(200)));
    let loser = changed(&client("a"), ClientState::Trash);

    let (won, lost) = tokio::join!(
        clients.update(&winner, Revision::FIRST),
        clients.update(&loser, Revision::FIRST),
    );

    // Whoever comes first wins; the other changes nothing.
    match (won, lost) {
        (Ok(()), Err(UpdateClientError::Conflict)) => {
            assert_eq!(clients.find(&client_id("a")).await.unwrap(), Some(winner));
        }
        (Err(UpdateClientError::Conflict), Ok(())) => {
            assert_eq!(clients.find(&client_id("a")).await.unwrap(), Some(loser));
        }
        (won, lost) => panic!("{won:?} {lost:?}"),
    }
}
