//! The keys take turns.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use adapter_memory::MemoryKeys;
use app::{EnsureKeys, EnsureKeysError, RefreshKeys, RevokeKey, RotateKeys, RotateKeysError};
use async_trait::async_trait;
use domain::port::{KeyMaker, KeyRepository, KeyRingInstaller, StoreKeysError};
use domain::{Fault, KeyPolicy, KeySet, KeyState, PrivateKeyPem, SigningAlgorithm, SigningKey};

use crate::support::House;

const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;

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
    }
}

#[tokio::test]
async fn nodes_that_start_at_once_agree_on_one_key() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let nodes: Vec<_> = (0..10).map(|_| ensure_keys(&house, keys.clone())).collect();

    let sets = futures_util::future::join_all(nodes.iter().map(|node| node.execute(RS256))).await;

    let active: Vec<_> =
        sets.iter().map(|set| set.as_ref().unwrap().active(RS256).unwrap().id.clone()).collect();
    assert!(active.iter().all(|id| *id == active[0]));
    assert_eq!(keys.load().await.unwrap().keys.len(), 2, "one that signs, one that follows");
}

#[tokio::test]
async fn keys_take_turns_and_old_ones_go_with_their_last_token() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let ensure = ensure_keys(&house, keys.clone());
    let first = ensure.execute(RS256).await.unwrap();
    let rotate = RotateKeys {
        ensure_keys: ensure,
        policy: KeyPolicy {
            publish_before_use: Duration::from_mins(5),
            keep_retired: Duration::from_hours(1),
        },
    };

    let early = rotate.execute(RS256, false).await.unwrap_err();
    assert!(matches!(early, RotateKeysError::Refused(_)));
    house.clock.advance(Duration::from_mins(5));
    let second = rotate.execute(RS256, false).await.unwrap();

    assert_eq!(second.active(RS256).unwrap().id, first.next(RS256).unwrap().id);
    assert_eq!(second.keys.len(), 3);
    house.clock.advance(Duration::from_hours(1));
    let third = rotate.execute(RS256, false).await.unwrap();
    assert_eq!(third.keys.len(), 3, "the first is gone, the second is retired");
    let retired = third.keys.iter().filter(|key| key.state == KeyState::Retired);
    assert_eq!(retired.count(), 1);
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

    let error = ensure_keys(&house, Arc::new(ReadOnly)).execute(RS256).await.unwrap_err();

    assert!(matches!(error, EnsureKeysError::NotConfigured(RS256)));
}

/// Counts installations.
#[derive(Default)]
struct Counter(AtomicU64);

impl KeyRingInstaller for Counter {
    fn install(&self, _: &KeySet) -> Result<(), Fault> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    }
}

fn refresh_keys(
    house: &House,
    keys: Arc<dyn KeyRepository>,
    ring: Arc<dyn KeyRingInstaller>,
) -> RefreshKeys {
    let policy =
        KeyPolicy { publish_before_use: Duration::ZERO, keep_retired: Duration::from_mins(5) };
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
    let ensure = ensure_keys(&house, keys.clone());
    let first = ensure.execute(RS256).await.unwrap();
    let policy =
        KeyPolicy { publish_before_use: Duration::ZERO, keep_retired: Duration::from_mins(5) };
    RotateKeys { ensure_keys: ensure, policy }.execute(RS256, false).await.unwrap();
    let ring = Arc::new(LastSet::default());
    let refresh = refresh_keys(&house, keys, ring.clone());
    let retired = first.active(RS256).unwrap().id.to_string();

    refresh.execute().await.unwrap();
    assert!(ring.0.lock().unwrap().contains(&retired));
    house.clock.advance(Duration::from_mins(5));
    assert!(refresh.execute().await.unwrap());

    let in_use = ring.0.lock().unwrap();
    assert!(!in_use.contains(&retired));
    assert_eq!(in_use.len(), 2);
}

#[tokio::test]
async fn t42_a_stolen_key_is_taken_away_at_once() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let first = ensure_keys(&house, keys.clone()).execute(RS256).await.unwrap();
    let stolen = first.active(RS256).unwrap().id.clone();

    let rest = RevokeKey { keys }.execute(&stolen).await.unwrap();

    assert_eq!(rest.active(RS256).unwrap().id, first.next(RS256).unwrap().id);
    assert!(rest.keys.iter().all(|key| key.id != stolen));
}

#[tokio::test]
async fn keys_are_installed_when_they_changed() {
    let house = House::new();
    let keys = Arc::new(MemoryKeys::default());
    let ring = Arc::new(Counter::default());
    let refresh = refresh_keys(&house, keys.clone(), ring.clone());
    ensure_keys(&house, keys.clone()).execute(RS256).await.unwrap();

    assert!(refresh.execute().await.unwrap());
    assert!(!refresh.execute().await.unwrap());
    ensure_keys(&house, keys).execute(SigningAlgorithm::Es256).await.unwrap();
    assert!(refresh.execute().await.unwrap());

    assert_eq!(ring.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}
