//! The promises of [`ChangeFeed`], and of whatever makes it speak.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::port::{ChangeFeed, ChangeListener};
use domain::{Change, Fault};
use futures_timer::Delay;
use futures_util::future::{BoxFuture, Either, join_all, select};

use crate::sample::{client_id, token_id};

/// A feed, and how to make it speak.
#[expect(missing_debug_implementations, reason = "it holds a closure")]
pub struct Rig {
    /// The feed of one node.
    pub feed: Arc<dyn ChangeFeed>,
    /// Makes a change on another node: announces it, or writes what the store itself tells of.
    pub cause: Box<dyn Fn(Change) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Whether a change is told by its name. Some stores cannot name what was changed, and tell
    /// [`Change::Unknown`] for that.
    pub names: fn(&Change) -> bool,
}

/// Tests an adapter of [`ChangeFeed`] with a fixture that makes a [`Rig`] on an empty store.
#[macro_export]
macro_rules! change_feed {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            change_feed, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            begins_with_the_unknown,
            tells_of_every_kind_of_change,
            tells_of_ids_of_odd_characters,
            tells_everybody_who_follows,
            who_goes_away_harms_nobody,
            loses_nothing_of_many,
        }
    };
}

/// How long a change may take to be heard of.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Who begins to follow is told that it missed something.
pub async fn begins_with_the_unknown(rig: &Rig) {
    let heard = Heard::default();

    following(rig, &heard, async {
        heard.until(|changes| !changes.is_empty()).await;
        assert_eq!(heard.all()[0], Change::Unknown);
    })
    .await;
}

/// Clients, secrets, tokens, keys and the catalogue.
pub async fn tells_of_every_kind_of_change(rig: &Rig) {
    let heard = Heard::default();
    let client = || client_id("billing");
    let all = [
        Change::Client(client()),
        Change::Secrets(client()),
        Change::Token(token_id("t1")),
        Change::Tokens(client()),
        Change::Keys,
        Change::Catalogue,
    ];

    following(rig, &heard, async {
        heard.until(|changes| !changes.is_empty()).await;
        for change in all {
            heard.forget();
            (rig.cause)(change.clone()).await;
            heard.until_told(rig, &change).await;
        }
    })
    .await;
}

/// Every id the domain allows comes through.
pub async fn tells_of_ids_of_odd_characters(rig: &Rig) {
    let heard = Heard::default();
    let longest = "i".repeat(255);
    let clients = ["a:b", "a'b\"\\%_;--", "{}", "$ne", &longest];
    let longest = "é".repeat(128);
    let tokens = ["caf\u{e9}", "\u{1f600}:1", "x ", &longest];

    following(rig, &heard, async {
        heard.until(|changes| !changes.is_empty()).await;
        let clients = clients.map(|id| Change::Client(client_id(id)));
        for change in clients.into_iter().chain(tokens.map(|id| Change::Token(token_id(id)))) {
            heard.forget();
            (rig.cause)(change.clone()).await;
            heard.until_told(rig, &change).await;
        }
    })
    .await;
}

/// Several nodes follow one feed.
pub async fn tells_everybody_who_follows(rig: &Rig) {
    let (one, other) = (Heard::default(), Heard::default());
    let change = Change::Client(client_id("billing"));

    following(rig, &one, async {
        following(rig, &other, async {
            one.until(|changes| !changes.is_empty()).await;
            other.until(|changes| !changes.is_empty()).await;
            one.forget();
            other.forget();
            (rig.cause)(change.clone()).await;
            one.until_told(rig, &change).await;
            other.until_told(rig, &change).await;
        })
        .await;
    })
    .await;
}

/// Who follows no longer is no burden to those who do, and can come back.
pub async fn who_goes_away_harms_nobody(rig: &Rig) {
    let (short, long) = (Heard::default(), Heard::default());
    let change = Change::Secrets(client_id("billing"));

    following(rig, &long, async {
        for _ in 0..3 {
            short.forget();
            following(rig, &short, short.until(|changes| !changes.is_empty())).await;
        }
        long.until(|changes| !changes.is_empty()).await;
        long.forget();
        (rig.cause)(change.clone()).await;
        long.until_told(rig, &change).await;
    })
    .await;
}

/// However fast changes come, each is told, or that something was missed after the last of them.
pub async fn loses_nothing_of_many(rig: &Rig) {
    let heard = Heard::default();
    let changes: Vec<_> = (0..200).map(|n| Change::Client(client_id(&format!("c{n}")))).collect();

    following(rig, &heard, async {
        heard.until(|told| !told.is_empty()).await;
        heard.forget();
        join_all(changes.iter().map(|change| (rig.cause)(change.clone()))).await;
        for change in &changes {
            heard.until_told(rig, change).await;
        }
    })
    .await;
}

/// Runs `work` while the feed is followed.
async fn following(rig: &Rig, heard: &Heard, work: impl Future<Output = ()>) {
    let follow = rig.feed.follow(heard);
    let work = std::pin::pin!(work);
    let broken: Option<Fault> = match select(follow, work).await {
        Either::Left((fault, _)) => Some(fault),
        Either::Right(((), _)) => None,
    };
    assert!(broken.is_none(), "{}", broken.unwrap().explained());
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Change>>);

impl ChangeListener for Heard {
    fn heard(&self, change: &Change) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(change.clone());
    }
}

impl Heard {
    fn all(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn until_told(&self, rig: &Rig, change: &Change) {
        let expected = if (rig.names)(change) { change.clone() } else { Change::Unknown };
        self.until(|changes| changes.contains(&expected)).await;
    }

    async fn until(&self, is_enough: impl Fn(&[Change]) -> bool) {
        let mut waited = Duration::ZERO;
        while !is_enough(&self.all()) {
            assert!(waited < PATIENCE, "not told in time; heard: {:?}", self.all());
            Delay::new(POLL).await;
            waited += POLL;
        }
    }
}
