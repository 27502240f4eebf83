//! The keys take turns.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use adapter_memory::MemoryKeys;
use app::{
    EnsureKeys, EnsureKeysError, RefreshKeys, RevokeKey, RevokeKeyError, RotateKeys,
    RotateKeysError,
};
use async_trait::async_trait;
use domain::port::{KeyMaker, KeyRepository, KeyRingInstaller, StoreKeysError};
use domain::{Fault, KeyPolicy, KeySet, KeyState, PrivateKeyPem, SigningAlgorithm, SigningKey};

use crate::support::House;

const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

const POLICY: KeyPolicy = KeyPolicy {
    cache_for: Duration::from_mins(4),
    publish_before_use: Duration::from_mins(5),
    keep_retired: Duration::from_hours(1),
    rotate_every: Some(Duration::from_hours(24)),
    clock_skew: Duration::ZERO,
};

struct WordMaker;

#[async_trait]
impl KeyMaker for WordMaker {
    async fn make(&self, _: SigningAlgorithm) -> Result<PrivateKeyPem, Fault> {
        tokio::task::yield_now().await;
        Ok(PrivateKeyPem::new("a key".to_owned()))
    }
}

fn ensure_keys(house: &House, keys: Arc<dyn KeyRepository>) -> EnsureKeys {
    EnsureKeys {
        keys,
        maker: Arc::new(WordMaker),
        entropy: house.entropy.clone(),
        clock: house.clock.clone(),
        policy: POLICY,
    }
}

fn rotate_keys(house: &House, keys: Arc<dyn KeyRepository>) -> RotateKeys {
    RotateKeys { ensure_keys: ensure_keys(house, keys), algorithms: vec![RS256] }
}

fn revoke_key(house: &House, keys: Arc<dyn KeyRepository>) -> RevokeKey {
    RevokeKey { ensure_keys: ensure_keys(house, keys), algorithms: vec![RS256] }
}

#[tokio::test]
async fn nodes_that_start_at_once_agree_on_one_key() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let nodes: Vec<_> = (0..10).map(|_| ensure_keys(&house, keys.clone())).collect();

    let sets =
        futures_util::future::join_all(nodes.iter().map(|node| node.execute(&[RS256]))).await;

    let active: Vec<_> =
        sets.iter().map(|set| set.as_ref().unwrap().active(RS256).unwrap().id.clone()).collect();
    assert!(active.iter().all(|id| *id == active[0]));
    assert_eq!(keys.load().await.unwrap().keys.len(), 2, "one that signs, one that follows");
}

#[tokio::test]
async fn keys_take_turns_and_old_ones_go_with_their_last_token() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let rotate = rotate_keys(&house, keys.clone());
    let first = rotate.ensure_keys.execute(&[RS256]).await.unwrap();

    let early = rotate.execute(false).await.unwrap_err();
    assert!(matches!(early, RotateKeysError::Refused(_)));
    house.clock.advance(Duration::from_mins(5));
    let second = rotate.execute(false).await.unwrap();

    assert_eq!(second.active(RS256).unwrap().id, first.next(RS256).unwrap().id);
    assert_eq!(second.keys.len(), 3);
    house.clock.advance(Duration::from_hours(1));
    let third = rotate.execute(false).await.unwrap();
    assert_eq!(third.keys.len(), 3, "the first is gone, the second is retired");
    let retired = third.keys.iter().filter(|key| key.state == KeyState::Retired);
    assert_eq!(retired.count(), 1);
}

#[tokio::test]
async fn of_two_algorithms_both_take_their_turn_or_none() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let mut rotate = rotate_keys(&house, keys.clone());
    rotate.ensure_keys.execute(&[RS256]).await.unwrap();
    house.clock.advance(Duration::from_mins(5));
    rotate.algorithms = vec![RS256, ES256];
    rotate.ensure_keys.execute(&rotate.algorithms).await.unwrap();
    let before = keys.load().await.unwrap();

    let early = rotate.execute(false).await.unwrap_err();

    assert!(matches!(early, RotateKeysError::Refused(_)), "the key of ES256 is new");
    assert_eq!(keys.load().await.unwrap().revision, before.revision);
}

/// Keys that only the configuration changes.
struct ReadOnly;

#[async_trait]
impl KeyRepository for ReadOnly {
    async fn load(&self) -> Result<KeySet, Fault> {
        Ok(KeySet::default())
    }

    async fn store(&self, _: u64, _: &[SigningKey]) -> Result<(), StoreKeysError> {
        Err(StoreKeysError::ReadOnly)
    }
}

#[tokio::test]
async fn configured_keys_are_never_made_up() {
    let house = House::new();

    let error = ensure_keys(&house, Arc::new(ReadOnly)).execute(&[RS256]).await.unwrap_err();

    assert!(matches!(error, EnsureKeysError::NotConfigured(RS256)));
}

/// Counts installations.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl KeyRingInstaller for Counter {
    fn install(&self, _: &KeySet) -> Result<(), Fault> {
        self.0.fetch_add(1, SeqCst);
        Ok(())
    }
}

fn refresh_keys(
    house: &House,
    keys: Arc<dyn KeyRepository>,
    ring: Arc<dyn KeyRingInstaller>,
) -> RefreshKeys {
    let policy = POLICY;
    RefreshKeys { keys, ring, policy, clock: house.clock.clone(), installed: Arc::default() }
}

/// Remembers the keys in use.
#[derive(Default)]
struct LastSet(std::sync::Mutex<Vec<String>>);

impl KeyRingInstaller for LastSet {
    fn install(&self, keys: &KeySet) -> Result<(), Fault> {
        *self.0.lock().unwrap() = keys.keys.iter().map(|key| key.id.to_string()).collect();
        Ok(())
    }
}

#[tokio::test]
async fn t42_a_retired_key_stops_verifying_by_itself_when_its_last_token_has_expired() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let rotate = rotate_keys(&house, keys.clone());
    let first = rotate.ensure_keys.execute(&[RS256]).await.unwrap();
    rotate.execute(true).await.unwrap();
    let ring = Arc::new(LastSet::default());
    let refresh = refresh_keys(&house, keys, ring.clone());
    let retired = first.active(RS256).unwrap().id.to_string();

    refresh.execute().await.unwrap();
    assert!(ring.0.lock().unwrap().contains(&retired));
    house.clock.advance(Duration::from_hours(1));
    assert!(refresh.execute().await.unwrap());

    let in_use = ring.0.lock().unwrap();
    assert!(!in_use.contains(&retired));
    assert_eq!(in_use.len(), 2);
}

#[tokio::test]
async fn t42_a_stolen_key_is_taken_away_at_once() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let revoke = revoke_key(&house, keys.clone());
    let first = revoke.ensure_keys.execute(&[RS256]).await.unwrap();
    let stolen = first.active(RS256).unwrap().id.clone();

    let rest = revoke.execute(&stolen).await.unwrap();

    assert_eq!(rest.active(RS256).unwrap().id, first.next(RS256).unwrap().id);
    assert!(rest.keys.iter().all(|key| key.id != stolen));
    assert!(rest.next(RS256).is_some(), "a new one follows");
    let unknown = revoke.execute(&stolen).await.unwrap_err();
    assert!(matches!(unknown, RevokeKeyError::Unknown(_)));
}

/// However many are taken away: something signs, and something follows.
#[tokio::test]
async fn t42_nothing_that_is_revoked_leaves_nothing_to_sign_with() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let revoke = revoke_key(&house, keys.clone());
    let first = revoke.ensure_keys.execute(&[RS256]).await.unwrap();

    let mut set = first.clone();
    for _ in 0..4 {
        for key in set.clone().keys {
            set = revoke.execute(&key.id).await.unwrap();
            assert!(set.active(RS256).is_some() && set.next(RS256).is_some());
        }
    }
    let all = revoke.all().await.unwrap();

    assert_eq!(all.keys.len(), 2);
    assert!(all.active(RS256).is_some() && all.next(RS256).is_some());
    let is_old = |key: &SigningKey| set.keys.iter().any(|old| old.id == key.id);
    assert!(!all.keys.iter().any(is_old));
}

/// A store in which somebody else is always quicker, for a while.
struct Hurried {
    inner: MemoryKeys,
    conflicts: AtomicU64,
}

#[async_trait]
impl KeyRepository for Hurried {
    async fn load(&self) -> Result<KeySet, Fault> {
        self.inner.load().await
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let less = |it: u64| it.checked_sub(1);
        if self.conflicts.fetch_update(SeqCst, SeqCst, less).is_ok() {
            return Err(StoreKeysError::Conflict);
        }
        self.inner.store(expected, keys).await
    }
}

#[tokio::test]
async fn t42_a_turn_at_the_same_moment_does_not_save_a_stolen_key() {
    let house = House::new();
    let keys = Arc::new(Hurried { inner: MemoryKeys::default(), conflicts: 0.into() });
    let revoke = revoke_key(&house, keys.clone());
    let stolen = revoke.ensure_keys.execute(&[RS256]).await.unwrap().keys[0].id.clone();
    keys.conflicts.store(3, SeqCst);

    let rest = revoke.execute(&stolen).await.unwrap();

    assert!(rest.keys.iter().all(|key| key.id != stolen));
    keys.conflicts.store(100, SeqCst);
    let error = revoke.execute(&rest.keys[0].id).await.unwrap_err();
    assert!(matches!(error, RevokeKeyError::NotStored(StoreKeysError::Conflict)));
}

#[tokio::test]
async fn keys_are_installed_when_they_changed() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let ring = Arc::new(Counter::default());
    let refresh = refresh_keys(&house, keys.clone(), ring.clone());
    ensure_keys(&house, keys.clone()).execute(&[RS256]).await.unwrap();

    assert!(refresh.execute().await.unwrap());
    assert!(!refresh.execute().await.unwrap());
    ensure_keys(&house, keys).execute(&[ES256]).await.unwrap();
    assert!(refresh.execute().await.unwrap());

    assert_eq!(ring.0.load(SeqCst), 2);
}

/// A store whose first answer is long on its way.
#[derive(Default)]
struct Delayed {
    inner: MemoryKeys,
    loads: AtomicU64,
    arrives: tokio::sync::Notify,
}

#[async_trait]
impl KeyRepository for Delayed {
    async fn load(&self) -> Result<KeySet, Fault> {
        let keys = self.inner.load().await;
        if self.loads.fetch_add(1, SeqCst) == 0 {
            self.arrives.notified().await;
        }
        keys
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        self.inner.store(expected, keys).await
    }
}

/// What was read before a key was revoked does not bring the key back.
#[tokio::test]
async fn t42_an_old_answer_that_comes_late_does_not_bring_a_revoked_key_back() {
    let house = House::new();
    let keys = Arc::new(Delayed::default());
    keys.loads.store(1, SeqCst);
    let revoke = revoke_key(&house, keys.clone());
    let stolen = revoke.ensure_keys.execute(&[RS256]).await.unwrap().keys[0].id.clone();
    let ring = Arc::new(LastSet::default());
    let refresh = refresh_keys(&house, keys.clone(), ring.clone());
    keys.loads.store(0, SeqCst);

    let (early, (), late) = tokio::join!(
        refresh.execute(),
        async { drop(revoke.execute(&stolen).await.unwrap()) },
        async {
            tokio::task::yield_now().await;
            let read_again = refresh.execute();
            keys.arrives.notify_one();
            read_again.await
        }
    );

    assert!(early.is_ok() && late.unwrap());
    assert!(!ring.0.lock().unwrap().contains(&stolen.to_string()));
}
