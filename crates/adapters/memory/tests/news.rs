//! What one node changes, another hears of.

#![expect(clippy::unwrap_used, reason = "tests speak by panicking")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Faulty, ManualClock};
use adapter_memory::{
    Announced, CacheOptions, CachedClients, CachedCredentials, CachedTokens, Invalidation,
    MemoryChanges, MemoryClients, MemoryCredentials, MemoryTokens, News,
};
use async_trait::async_trait;
use contract::sample::{NOW, client, client_id, credential, later, secret_id, token_id};
use domain::port::{
    ChangeAnnouncer, ChangeFeed as _, ClientRepository, CredentialRepository, TokenRepository,
};
use domain::{Change, ClientState, Fault, Revision};
use futures_util::FutureExt as _;
use tokio::sync::Notify;

/// Two nodes on the same stores, whose caches are fresh for an hour.
struct Node {
    clients: Arc<CachedClients>,
    credentials: Arc<CachedCredentials>,
    tokens: Arc<CachedTokens>,
    news: Arc<News>,
    hears: Invalidation,
}

impl Node {
    fn pair() -> [Self; 2] {
        let clock: Arc<ManualClock> = Arc::default();
        let clients: Arc<dyn ClientRepository> = Arc::new(MemoryClients::default());
        let credentials: Arc<dyn CredentialRepository> = Arc::new(MemoryCredentials::default());
        let tokens: Arc<dyn TokenRepository> = Arc::new(MemoryTokens::new(clock.clone()));
        let hour = Duration::from_hours(1);
        let options =
            CacheOptions { capacity: 10, fresh_for: hour, stale_for: hour, retry_after: hour };
        [(); 2].map(|()| {
            let news = Arc::new(News::default());
            let told = |it: &Arc<dyn ClientRepository>| {
                Arc::new(Announced::new(Arc::clone(it), Arc::clone(&news)))
            };
            let clients = Arc::new(CachedClients::new(told(&clients), options, clock.clone()));
            let told = Arc::new(Announced::new(Arc::clone(&credentials), Arc::clone(&news)));
            let credentials = Arc::new(CachedCredentials::new(told, options, clock.clone()));
            let told = Arc::new(Announced::new(Arc::clone(&tokens), Arc::clone(&news)));
            let tokens = Arc::new(CachedTokens::new(told, 10, hour, clock.clone()));
            let hears = Invalidation {
                clients: Arc::clone(&clients),
                credentials: Arc::clone(&credentials),
                tokens: Arc::clone(&tokens),
                keys: Arc::new(Notify::new()),
                catalogue: Arc::new(Notify::new()),
            };
            Self { clients, credentials, tokens, news, hears }
        })
    }
}

#[tokio::test]
async fn t34_what_one_node_changes_bites_on_the_other_at_once() {
    let [here, there] = Node::pair();
    let feed = MemoryChanges::default();
    let id = client_id("a");
    here.clients.insert(&client("a")).await.unwrap();
    here.credentials.insert(&id, &credential("s1")).await.unwrap();
    here.credentials.insert(&id, &credential("s2")).await.unwrap();
    // The other node remembers all of it.
    assert!(there.clients.find(&id).await.unwrap().unwrap().is_enabled());
    assert_eq!(there.credentials.list(&id).await.unwrap().len(), 2);
    assert!(!there.tokens.is_revoked(&token_id("t")).await.unwrap());
    assert_eq!(there.tokens.client_revoked_until(&id).await.unwrap(), None);
    let mut following = Box::pin(feed.follow(&there.hears));
    assert!(futures_util::poll!(following.as_mut()).is_pending());

    let disabled =
        domain::Client { state: ClientState::Trash, revision: Revision(2), ..client("a") };
    here.clients.update(&disabled, Revision::FIRST).await.unwrap();
    here.credentials.remove(&id, &secret_id("s1")).await.unwrap();
    here.tokens.revoke(&token_id("t"), later(60)).await.unwrap();
    here.tokens.revoke_client(&id, NOW, later(60)).await.unwrap();
    here.news.come().await;
    here.news.deliver(&feed).await.unwrap();
    assert!(futures_util::poll!(following.as_mut()).is_pending());

    assert!(!there.clients.find(&id).await.unwrap().unwrap().is_enabled());
    assert_eq!(there.credentials.list(&id).await.unwrap().len(), 1);
    assert!(there.tokens.is_revoked(&token_id("t")).await.unwrap());
    assert_eq!(there.tokens.client_revoked_until(&id).await.unwrap(), Some(NOW));
}

#[tokio::test]
async fn without_news_what_is_fresh_stays() {
    let [here, there] = Node::pair();
    let id = client_id("a");
    here.clients.insert(&client("a")).await.unwrap();
    assert!(there.clients.find(&id).await.unwrap().is_some());

    here.clients.remove(&id).await.unwrap();

    assert!(there.clients.find(&id).await.unwrap().is_some(), "the test above proves nothing");
}

#[tokio::test]
async fn who_missed_something_looks_at_everything_again() {
    let [here, there] = Node::pair();
    let feed = MemoryChanges::default();
    let id = client_id("a");
    here.clients.insert(&client("a")).await.unwrap();
    assert!(there.clients.find(&id).await.unwrap().is_some());
    here.clients.remove(&id).await.unwrap();

    assert!(feed.follow(&there.hears).now_or_never().is_none());

    assert!(there.clients.find(&id).await.unwrap().is_none());
    assert!(there.hears.keys.notified().now_or_never().is_some());
    assert!(there.hears.catalogue.notified().now_or_never().is_some());
}

/// Announces nothing until it is told to.
#[derive(Debug, Default)]
struct Moody {
    is_up: std::sync::atomic::AtomicBool,
    told: std::sync::Mutex<Vec<Change>>,
}

#[async_trait]
impl ChangeAnnouncer for Moody {
    async fn announce(&self, change: &Change) -> Result<(), Fault> {
        if !self.is_up.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Fault::unavailable("out"));
        }
        self.told.lock().unwrap().push(change.clone());
        Ok(())
    }
}

#[tokio::test]
async fn what_could_not_be_told_is_told_later_and_once() {
    let news = News::default();
    let announcer = Moody::default();
    let changes = [Change::Client(client_id("a")), Change::Keys];
    for change in changes.iter().chain(&changes) {
        news.tell(change.clone());
    }

    news.deliver(&announcer).await.unwrap_err();
    announcer.is_up.store(true, std::sync::atomic::Ordering::SeqCst);
    news.come().now_or_never().unwrap();
    news.deliver(&announcer).await.unwrap();

    assert_eq!(*announcer.told.lock().unwrap(), changes);
    assert!(news.come().now_or_never().is_none());
}

/// A change that is made again while the first one is being told is told again.
#[tokio::test]
async fn a_second_change_of_the_same_is_told_though_the_first_is_on_its_way() {
    #[derive(Debug, Default)]
    struct Slow {
        told: std::sync::Mutex<Vec<Change>>,
        may_go_on: Notify,
    }
    #[async_trait]
    impl ChangeAnnouncer for Slow {
        async fn announce(&self, change: &Change) -> Result<(), Fault> {
            self.may_go_on.notified().await;
            self.told.lock().unwrap().push(change.clone());
            Ok(())
        }
    }
    let (news, announcer) = (News::default(), Slow::default());
    let change = Change::Client(client_id("a"));
    news.tell(change.clone());
    let mut delivery = Box::pin(news.deliver(&announcer));
    assert!(futures_util::poll!(delivery.as_mut()).is_pending());

    news.tell(change.clone());
    announcer.may_go_on.notify_one();
    assert!(futures_util::poll!(delivery.as_mut()).is_pending());
    announcer.may_go_on.notify_one();
    delivery.await.unwrap();

    assert_eq!(*announcer.told.lock().unwrap(), [change.clone(), change.clone()]);
    // Whoever gives up in the middle of telling loses nothing.
    news.tell(change);
    assert!(news.deliver(&announcer).now_or_never().is_none());
    assert!(!news.is_empty());
}

#[tokio::test]
async fn more_than_anybody_can_tell_is_told_as_anything() {
    let news = News::default();
    let announcer = Moody::default();
    announcer.is_up.store(true, std::sync::atomic::Ordering::SeqCst);
    for number in 0..=10_000 {
        news.tell(Change::Client(client_id(&number.to_string())));
    }

    news.deliver(&announcer).await.unwrap();

    assert_eq!(*announcer.told.lock().unwrap(), [Change::Unknown]);
}

/// A write whose answer was lost may have been carried out.
#[tokio::test]
async fn a_write_that_failed_is_told_all_the_same() {
    let news = Arc::new(News::default());
    let store = Arc::new(Faulty::new(Arc::new(MemoryClients::default())));
    store.go_out();
    let announced = Announced::<dyn ClientRepository>::new(store, Arc::clone(&news));

    announced.remove(&client_id("a")).await.unwrap_err();

    assert!(!news.is_empty());
}
