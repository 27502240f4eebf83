//! The keys take turns by themselves, on nodes whose clocks do not agree.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use adapter_memory::MemoryKeys;
use adapter_memory::testing::{ManualClock, SeededEntropy};
use app::{EnsureKeys, RefreshKeys, RotateKeys, TendKeys, TendedKeys};
use async_trait::async_trait;
use domain::port::{Clock as _, KeyMaker, KeyRepository as _, KeyRingInstaller};
use domain::{Fault, KeyPolicy, KeySet, KeyState, PrivateKeyPem, SigningAlgorithm, Timestamp};

const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;
const DAY: Duration = Duration::from_hours(24);
const FIVE_MINUTES: Duration = Duration::from_mins(5);
const ALMOST_A_DAY: Duration = Duration::from_secs(86_399);

const POLICY: KeyPolicy = KeyPolicy {
    cache_for: Duration::from_secs(293),
    publish_before_use: FIVE_MINUTES,
    keep_retired: Duration::from_hours(1),
    rotate_every: Some(DAY),
    clock_skew: FIVE_MINUTES,
};

struct Maker;

#[async_trait]
impl KeyMaker for Maker {
    async fn make(&self, _: SigningAlgorithm) -> Result<PrivateKeyPem, Fault> {
        // Others have the time to be quicker.
        tokio::task::yield_now().await;
        Ok(PrivateKeyPem::new("a key".to_owned()))
    }
}

/// The kid of each key that is in use, with its state.
#[derive(Default)]
struct InUse(Mutex<Vec<(String, KeyState)>>);

impl KeyRingInstaller for InUse {
    fn install(&self, keys: &KeySet) -> Result<(), Fault> {
        let keys = keys.keys.iter();
        *self.0.lock().unwrap() = keys.map(|key| (key.id.to_string(), key.state)).collect();
        Ok(())
    }
}

/// One node, with a clock of its own.
struct Node {
    clock: Arc<ManualClock>,
    in_use: Arc<InUse>,
    tend: TendKeys,
}

impl Node {
    async fn start(keys: &Arc<MemoryKeys>, seed: &Arc<SeededEntropy>, ahead: i64) -> Self {
        Self::with(keys, seed, ahead, &[RS256], POLICY).await
    }

    async fn with(
        keys: &Arc<MemoryKeys>,
        seed: &Arc<SeededEntropy>,
        ahead: i64,
        algorithms: &[SigningAlgorithm],
        policy: KeyPolicy,
    ) -> Self {
        let start = Timestamp::from_unix_seconds(1_893_456_000_u64.saturating_add_signed(ahead));
        let clock = Arc::new(ManualClock::at(start));
        let in_use = Arc::new(InUse::default());
        let ensure_keys = EnsureKeys {
            keys: keys.clone(),
            maker: Arc::new(Maker),
            entropy: seed.clone(),
            clock: clock.clone(),
            policy,
        };
        ensure_keys.execute(algorithms).await.unwrap();
        let tend = TendKeys {
            rotate_keys: RotateKeys { ensure_keys, algorithms: algorithms.to_vec() },
            refresh_keys: RefreshKeys {
                keys: keys.clone(),
                ring: in_use.clone(),
                policy,
                clock: clock.clone(),
                installed: Arc::default(),
            },
            seen: Arc::default(),
        };
        Self { clock, in_use, tend }
    }

    async fn tend(&self) -> TendedKeys {
        self.tend.execute().await.unwrap()
    }

    fn active(&self) -> String {
        let in_use = self.in_use.0.lock().unwrap();
        in_use.iter().find(|(_, state)| *state == KeyState::Active).unwrap().0.clone()
    }
}

#[tokio::test]
async fn keys_take_their_turn_when_it_is_time_and_again() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let node = Node::start(&keys, &seed, 0).await;
    node.tend().await;
    let mut signed = vec![node.active()];

    for _ in 0..3 {
        node.clock.advance(ALMOST_A_DAY);
        assert!(node.tend().await.turned.is_empty());
        node.clock.advance(Duration::from_secs(1));
        let next = keys.load().await.unwrap().next(RS256).unwrap().id.clone();
        assert_eq!(node.tend().await, TendedKeys { is_changed: true, turned: vec![next] });
        signed.push(node.active());
    }

    signed.dedup();
    assert_eq!(signed.len(), 4);
    assert_eq!(keys.load().await.unwrap().keys.len(), 3, "retired keys go");
}

#[tokio::test]
async fn without_a_schedule_they_wait_to_be_told() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let policy = KeyPolicy { rotate_every: None, ..POLICY };
    let node = Node::with(&keys, &seed, 0, &[RS256], policy).await;
    node.tend().await;

    node.clock.advance(DAY * 1_000);

    assert_eq!(node.tend().await, TendedKeys::default());
}

#[tokio::test]
async fn of_many_nodes_one_lets_them_take_their_turn_and_all_follow() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(Node::start(&keys, &seed, 0).await);
    }
    for node in &nodes {
        node.tend().await;
        node.clock.advance(DAY);
    }
    let before = keys.load().await.unwrap();

    let tended = futures_util::future::join_all(nodes.iter().map(Node::tend)).await;

    assert_eq!(tended.iter().filter(|it| !it.turned.is_empty()).count(), 1);
    assert_eq!(keys.load().await.unwrap().revision, before.revision + 1);
    for node in &nodes {
        node.tend().await;
        assert_eq!(node.active(), before.next(RS256).unwrap().id.to_string());
    }
}

/// A node whose clock is ahead believes that a key, which was published this very moment, is as old
/// as that. It waits all the same.
#[tokio::test]
async fn t45_no_key_signs_before_it_was_published_for_long_enough_whatever_the_clocks_say() {
    for ahead in [-3_600, -300, 0, 300, 3_600, 1_000_000_000] {
        let (keys, seed) = (Arc::default(), Arc::default());
        let policy = KeyPolicy { rotate_every: Some(Duration::from_secs(1)), ..POLICY };
        let one = Node::with(&keys, &seed, 0, &[RS256], policy).await;
        let other = Node::with(&keys, &seed, ahead, &[RS256], policy).await;
        let mut published_for = Duration::ZERO;
        let mut turns = 0;
        let step = Duration::from_secs(10);

        for _ in 0..120 {
            for node in [&one, &other] {
                let tended = node.tend().await;
                if !tended.turned.is_empty() {
                    assert!(FIVE_MINUTES <= published_for, "{ahead}: {published_for:?}");
                    published_for = Duration::ZERO;
                    turns += 1;
                }
                node.clock.advance(step);
            }
            published_for += step;
        }

        assert!((3..=4).contains(&turns), "{ahead}: {turns} turns in twenty minutes");
    }
}

/// A clock that jumps back makes a turn late by no more than a node has seen itself.
#[tokio::test]
async fn t45_a_clock_that_jumps_back_and_forth_neither_hurries_a_key_nor_holds_it_up() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let node = Node::start(&keys, &seed, 0).await;
    node.tend().await;

    node.clock.set_back(DAY * 365);
    node.clock.advance(ALMOST_A_DAY);
    assert!(node.tend().await.turned.is_empty());
    node.clock.advance(Duration::from_secs(1));
    assert_eq!(node.tend().await.turned.len(), 1, "a day has passed, whatever the clock says");
    node.clock.set(node.clock.now().after(DAY * 730));
    assert!(node.tend().await.turned.is_empty(), "no time has passed");
    node.clock.advance(FIVE_MINUTES);
    assert_eq!(node.tend().await.turned.len(), 1, "old by the clock, and known to all by now");
}

#[tokio::test]
async fn another_algorithm_is_published_first_and_the_old_one_stands_in_for_it() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let old = Node::start(&keys, &seed, 0).await;
    old.tend().await;

    let node = Node::with(&keys, &seed, 0, &[ES256], POLICY).await;
    node.tend().await;
    let set = keys.load().await.unwrap();
    assert_eq!(set.signing(ES256).unwrap().id, set.active(RS256).unwrap().id);
    assert!(set.active(ES256).is_none());
    node.clock.advance(Duration::from_secs(299));
    assert!(node.tend().await.turned.is_empty());
    node.clock.advance(Duration::from_secs(1));
    let turned = node.tend().await.turned;

    let after = keys.load().await.unwrap();
    assert_eq!(turned, [set.next(ES256).unwrap().id.clone()]);
    assert_eq!(after.signing(ES256).unwrap().id, turned[0]);
    assert_eq!(after.active(RS256).unwrap().id, set.active(RS256).unwrap().id, "nodes of old");
}

#[tokio::test]
async fn a_key_that_follows_is_published_where_there_is_none() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let node = Node::start(&keys, &seed, 0).await;
    let set = keys.load().await.unwrap();
    let active = vec![set.active(RS256).unwrap().clone()];
    keys.store(set.revision, &active).await.unwrap();

    assert_eq!(node.tend().await, TendedKeys { is_changed: true, turned: Vec::new() });

    assert!(keys.load().await.unwrap().next(RS256).is_some());
}

/// The keys that nobody can read again may be others by now.
#[tokio::test]
async fn the_keys_may_be_cached_for_as_long_as_they_are_known_to_be_all() {
    let (keys, seed) = (Arc::default(), Arc::default());
    let node = Node::start(&keys, &seed, 0).await;
    let refresh = &node.tend.refresh_keys;
    let seconds = || refresh.cacheable_for().as_secs();

    assert_eq!(seconds(), 0, "none were read yet");
    refresh.execute().await.unwrap();
    assert_eq!(seconds(), 293);
    node.clock.advance(Duration::from_secs(6));
    assert_eq!(seconds(), 293);
    node.clock.advance(Duration::from_secs(100));
    assert_eq!(seconds(), 193);
    node.clock.advance(Duration::from_secs(1_000));
    assert_eq!(seconds(), 0);
    refresh.execute().await.unwrap();
    assert_eq!(seconds(), 293);
}
