//! Notes are coalesced, bounded, and survive a store that is out.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "test helpers")]

use std::sync::{Arc, Mutex};

use adapter_memory::testing::Faulty;
use adapter_memory::{MemoryClients, MemoryCredentials, WriteBehind};
use async_trait::async_trait;
use contract::sample::{client, client_id, credential, later, secret_id};
use domain::port::{ClientRepository, CredentialRepository, LastUse, LoginLedger};
use domain::{Fault, Login, SecretUse, Timestamp};

struct House {
    notes: WriteBehind,
    clients: Arc<Faulty<MemoryClients>>,
    credentials: Arc<Faulty<MemoryCredentials>>,
}

impl House {
    async fn new(capacity: usize) -> Self {
        let clients = Arc::new(Faulty::new(Arc::<MemoryClients>::default()));
        let credentials = Arc::new(Faulty::new(Arc::<MemoryCredentials>::default()));
        clients.insert(&client("c")).await.unwrap();
        credentials.insert(&client_id("c"), &credential("s")).await.unwrap();
        let notes =
            WriteBehind::new(Arc::clone(&clients) as _, Arc::clone(&credentials) as _, capacity);
        Self { notes, clients, credentials }
    }

    fn note(&self, client: &str, seconds: u64) {
        let (client, at) = (client_id(client), later(seconds));
        self.notes.note_login(Login { client: client.clone(), at });
        self.notes.note_secret(SecretUse { client, secret: secret_id("s"), at });
    }

    async fn written(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let client = self.clients.find(&client_id("c")).await.unwrap().unwrap();
        let secrets = self.credentials.list(&client_id("c")).await.unwrap();
        (client.last_login, secrets[0].last_used)
    }
}

#[tokio::test]
async fn writes_the_latest_of_many_notes_once() {
    let house = House::new(10).await;
    for seconds in [1, 3, 2] {
        house.note("c", seconds);
    }
    assert_eq!(house.written().await, (None, None));
    assert_eq!(house.notes.waiting(), 2);

    house.notes.flush().await.unwrap();

    assert_eq!(house.written().await, (Some(later(3)), Some(later(3))));
    assert_eq!(house.notes.waiting(), 0);
    house.clients.go_out();
    house.credentials.go_out();
    house.notes.flush().await.unwrap();
}

#[tokio::test]
async fn what_could_not_be_written_waits_without_hiding_what_came_later() {
    let house = House::new(10).await;
    house.note("c", 5);
    house.clients.go_out();

    house.notes.flush().await.unwrap_err();

    house.clients.come_back();
    assert_eq!(house.written().await, (None, Some(later(5))), "one store out, the other written");
    assert_eq!(house.notes.waiting(), 1);
    house.note("c", 4);
    house.notes.flush().await.unwrap();
    assert_eq!(house.written().await, (Some(later(5)), Some(later(5))));
}

#[tokio::test]
async fn notes_beyond_the_bound_are_dropped_and_counted() {
    let house = House::new(2).await;
    house.note("c", 1);
    for client in ["d", "e", "f"] {
        house.note(client, 1);
    }

    house.note("c", 2);

    assert_eq!(house.notes.waiting(), 4);
    assert_eq!(house.notes.dropped(), 4);
    house.notes.flush().await.unwrap();
    assert_eq!(house.written().await, (Some(later(2)), Some(later(2))));
    house.note("d", 2);
    assert_eq!(house.notes.waiting(), 2);
}

/// Remembers how many it was given each time, and goes out once after the first.
#[derive(Default)]
struct Ledger(Mutex<Vec<usize>>);

#[async_trait]
impl LoginLedger for Ledger {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        let mut given = self.0.lock().unwrap();
        given.push(logins.len());
        if given.len() == 2 { Err(Fault::unavailable("out")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn many_notes_are_written_in_slices_and_none_twice() {
    let ledger = Arc::new(Ledger::default());
    let credentials = Arc::<MemoryCredentials>::default();
    let notes = WriteBehind::new(Arc::clone(&ledger) as _, credentials, 10_000);
    for number in 0..2_500 {
        notes.note_login(Login { client: client_id(&number.to_string()), at: later(1) });
    }

    notes.flush().await.unwrap_err();
    assert_eq!(notes.waiting(), 1_500);
    notes.flush().await.unwrap();

    assert_eq!(*ledger.0.lock().unwrap(), [1_000, 1_000, 1_000, 500]);
    assert_eq!(notes.waiting(), 0);
}
