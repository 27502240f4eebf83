//! Work that goes on while something happens to the servers, and what came of it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write as _;

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, later, parsed, token_id};
use domain::port::{
    ChangeFeed as _, ClientRepository as _, InsertClientError, ReplayGuard as _, UpdateClientError,
};
use domain::{Change, Permission};
use futures_util::future::{Either, join_all, select};
use testbed::process::Outcome;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::feed::Heard;

/// Within which requests work again, elections included; much more than it takes on a machine that
/// is not busy.
const BOUND: Duration = Duration::from_secs(20);

/// What was answered while the replica set was disturbed.
#[derive(Default)]
struct Record {
    inserted: RefCell<Vec<String>>,
    /// How much the feed had told when each insert was begun.
    told_before: RefCell<Vec<usize>>,
    burned: RefCell<Vec<String>>,
    updates: RefCell<Vec<String>>,
    heard: Heard,
    faults: Cell<usize>,
    last_success: Cell<Option<Instant>>,
    longest_gap: Cell<Duration>,
    has_ended: Cell<bool>,
}

impl Record {
    fn succeeded(&self, list: &RefCell<Vec<String>>, what: String) {
        let now = Instant::now();
        if let Some(last) = self.last_success.replace(Some(now)) {
            self.longest_gap.set(self.longest_gap.get().max(now - last));
        }
        list.borrow_mut().push(what);
    }

    fn failed(&self) {
        self.faults.set(self.faults.get() + 1);
    }
}

/// Inserts, burns and updates while `disturb` does something, and until all of them work again;
/// then looks whether everything is there that was acknowledged.
#[expect(clippy::print_stderr, reason = "how long it takes is worth knowing")]
pub(crate) async fn under_load(url: &str, what: &str, disturb: impl AsyncFnOnce() -> Outcome) {
    let one = MongoStores::new(&MongoOptions::new(url.into())).await.unwrap();
    let other = MongoStores::new(&MongoOptions::new(url.into())).await.unwrap();
    one.prepare().await.unwrap();
    one.insert(&client("shared")).await.unwrap();
    let record = Record::default();

    let disturbance = async {
        sleep(Duration::from_secs(1)).await;
        disturb().await.unwrap();
        let begun = Instant::now();
        // Until each kind of write works again, and for some more.
        let counts =
            || [&record.inserted, &record.burned, &record.updates].map(|it| it.borrow().len());
        let before = counts();
        while counts().iter().zip(before).any(|(now, before)| *now < before + 10) {
            assert!(begun.elapsed() < BOUND + Duration::from_secs(5), "it does not recover");
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_secs(1)).await;
        record.has_ended.set(true);
    };
    let load = async {
        tokio::join!(
            disturbance,
            join_all((0..3).map(|worker| insert(&one, &record, worker))),
            join_all((0..3).map(|worker| burn(&one, &other, &record, worker))),
            join_all(
                [&one, &other].into_iter().enumerate().map(|(n, node)| update(node, &record, n))
            ),
        );
        everything_is_told(&record).await;
    };
    // Who follows a feed begins again when it breaks.
    let feed = async {
        loop {
            other.follow(&record.heard).await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    if let Either::Left((never, _)) = select(std::pin::pin!(feed), std::pin::pin!(load)).await {
        match never {}
    }

    let mut said = format!("the primary {what}: ");
    for (name, list) in
        [("inserts", &record.inserted), ("burns", &record.burned), ("updates", &record.updates)]
    {
        write!(said, "{} {name}, ", list.borrow().len()).unwrap();
    }
    let (faults, gap) = (record.faults.get(), record.longest_gap.get());
    let unknown = record.heard.all().iter().filter(|it| **it == Change::Unknown).count();
    eprintln!("{said}{faults} faults, {unknown} times a feed, no success for {gap:?} at most");
    assert!(gap < BOUND, "{gap:?}");
    nothing_is_lost(&other, &record).await;
}

/// Each id once: whoever is told that it is taken was told so of its own.
async fn insert(node: &MongoStores, record: &Record, worker: usize) {
    for turn in 0.. {
        if record.has_ended.get() {
            return;
        }
        let id = format!("c{worker}-{turn}");
        let told_before = record.heard.all().len();
        match node.insert(&client(&id)).await {
            Ok(()) => {
                record.told_before.borrow_mut().push(told_before);
                record.succeeded(&record.inserted, id);
            }
            Err(InsertClientError::Fault(_)) => record.failed(),
            Err(refused) => panic!("{id}: {refused}"),
        }
    }
}

/// Two nodes see the same assertion.
async fn burn(one: &MongoStores, other: &MongoStores, record: &Record, worker: usize) {
    let client = client_id("a");
    for turn in 0.. {
        if record.has_ended.get() {
            return;
        }
        let name = format!("j{worker}-{turn}");
        let id = token_id(&name);
        let outcomes = tokio::join!(
            one.burn(&client, &id, later(60), NOW),
            other.burn(&client, &id, later(60), NOW),
        );
        match outcomes {
            (Ok(true), Ok(true)) => panic!("{name} was burned twice"),
            (Ok(false), Ok(false)) => panic!("{name} was new, and nobody burned it"),
            (Ok(true), _) | (_, Ok(true)) => record.succeeded(&record.burned, name),
            _ => record.failed(),
        }
    }
}

/// Each update adds a permission to one client.
async fn update(node: &MongoStores, record: &Record, worker: usize) {
    for turn in 0.. {
        if record.has_ended.get() {
            return;
        }
        let Ok(found) = node.find(&client_id("shared")).await else {
            record.failed();
            continue;
        };
        let mut renewed = found.unwrap();
        let expected = renewed.revision;
        let tag = format!("{worker}-{turn}");
        renewed.permissions.push(parsed(&tag));
        renewed.revision = expected.next();
        match node.update(&renewed, expected).await {
            Ok(()) => record.succeeded(&record.updates, tag),
            Err(UpdateClientError::Conflict) => (),
            Err(UpdateClientError::Fault(_)) => record.failed(),
            Err(refused) => panic!("{refused}"),
        }
        // The other one shall have a chance.
        sleep(Duration::from_millis(5)).await;
    }
}

/// By its name; or by an `Unknown` that was told while it was made, or after: then whoever looks
/// again sees it.
async fn everything_is_told(record: &Record) {
    let missing = || {
        let told = record.heard.all();
        let names: HashSet<&Change> = told.iter().collect();
        let last_unknown = told.iter().rposition(|change| *change == Change::Unknown);
        let inserted = record.inserted.borrow();
        let before = record.told_before.borrow();
        let is_missing = |(id, before): &(&String, &usize)| {
            !names.contains(&Change::Client(client_id(id)))
                && last_unknown.is_none_or(|unknown| unknown < **before)
        };
        inserted.iter().zip(before.iter()).filter(is_missing).count()
    };
    let begun = Instant::now();
    while missing() > 0 {
        assert!(begun.elapsed() < BOUND, "{} inserts were never told", missing());
        sleep(Duration::from_millis(50)).await;
    }
}

async fn nothing_is_lost(node: &MongoStores, record: &Record) {
    let is_kept = async |id: &String| {
        let found = timeout(BOUND, node.find(&client_id(id))).await.unwrap();
        assert_eq!(found.unwrap(), Some(client(id)));
    };
    let is_burned = async |name: &String| {
        let again = node.burn(&client_id("a"), &token_id(name), later(60), NOW).await;
        assert!(!again.unwrap(), "{name} was forgotten");
    };
    // No more at a time than there are connections.
    for some in record.inserted.take().chunks(30) {
        join_all(some.iter().map(is_kept)).await;
    }
    for some in record.burned.take().chunks(30) {
        join_all(some.iter().map(is_burned)).await;
    }
    let shared = node.find(&client_id("shared")).await.unwrap().unwrap();
    let kept: HashSet<&str> = shared.permissions.iter().map(Permission::as_str).collect();
    assert_eq!(kept.len(), shared.permissions.len(), "an update was made twice");
    for tag in record.updates.borrow().iter() {
        assert!(kept.contains(tag.as_str()), "the update {tag} was lost");
    }
}
