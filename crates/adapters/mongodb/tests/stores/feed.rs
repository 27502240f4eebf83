//! What the feed tells beyond its contract, and how it ends.

use std::sync::Mutex;

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, later, token_id};
use domain::port::{
    self, ChangeFeed as _, ChangeListener, ClientRepository as _, KeyRepository as _,
    LoginLedger as _, ReplayGuard as _, TokenRepository as _,
};
use domain::{Change, ClientId, Fault, FaultKind, Login, SecretHash, SecretUse};
use futures_util::future::{Either, select};
use mongodb::bson::{DateTime, doc};
use testbed::mongodb::MongoServer;
use testbed::replica_set::initiate;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::scratch::{Scratch, stores};
use crate::servers::Deployment;

/// Within which a feed notices that its server is gone.
const BOUND: Duration = Duration::from_secs(10);

/// What was told so far.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<Change>>);

impl ChangeListener for Heard {
    fn heard(&self, change: &Change) {
        self.0.lock().unwrap().push(change.clone());
    }
}

impl Heard {
    pub(crate) fn all(&self) -> Vec<Change> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) async fn until(&self, change: &Change) {
        let told = async {
            while !self.all().contains(change) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(BOUND, told).await.is_ok(), "{change:?} was not told: {:?}", self.all());
    }
}

/// Everything that is told while `work` is done, the first `Unknown` left out.
async fn told_during(node: &MongoStores, work: impl Future<Output = ()>) -> Vec<Change> {
    let heard = Heard::default();
    let work = std::pin::pin!(async {
        heard.until(&Change::Unknown).await;
        work.await;
        // Whatever came before this was told before this.
        node.revoke(&token_id("the last"), later(1)).await.unwrap();
        heard.until(&Change::Token("the last".parse().unwrap())).await;
    });
    if let Either::Left((fault, _)) = select(node.follow(&heard), work).await {
        panic!("{}", fault.explained());
    }
    let mut all = heard.all();
    all.pop();
    all.split_off(1)
}

#[tokio::test]
async fn a_single_server_says_in_words_that_it_cannot() {
    let scratch = Scratch::on(Deployment::Standalone);

    let fault = scratch.node().await.follow(&Heard::default()).await;

    assert_eq!(fault.kind(), FaultKind::Corrupt);
    assert!(fault.explained().contains("no member of a replica set"), "{}", fault.explained());
}

#[tokio::test]
async fn tells_nothing_that_nobody_remembers() {
    let (node, scratch) = stores(Deployment::ReplicaSet).await;
    let id = client_id("billing");
    node.insert(&client("billing")).await.unwrap();
    port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();
    node.revoke(&token_id("t1"), later(1)).await.unwrap();
    node.revoke_client(&id, NOW, later(1)).await.unwrap();

    let told = told_during(&node, async {
        node.record(&[Login { client: id.clone(), at: NOW }]).await.unwrap();
        let used = SecretUse { client: id.clone(), secret: credential("s1").id, at: NOW };
        port::CredentialRepository::record_uses(&node, &[used]).await.unwrap();
        node.burn(&id, &token_id("j1"), later(60), NOW).await.unwrap();
        // As the server does with what has ended.
        for collection in ["tokenwright_revoked_tokens", "tokenwright_revoked_clients"] {
            scratch.collection(collection).await.delete_many(doc! {}).await.unwrap();
        }
    })
    .await;

    assert_eq!(told, []);
}

/// Whoever is refused is looked up again, and a hash made anew stands for the same secret. With a
/// salt this is all the more worth: there each change makes every node doubt all it knows.
#[tokio::test]
async fn a_secret_that_is_made_or_hashed_anew_is_no_news_and_one_that_ends_is() {
    for is_salted in [false, true] {
        let (plain, scratch) = stores(Deployment::ReplicaSet).await;
        let node = if is_salted { scratch.salted().await } else { plain };
        let secrets: &dyn port::CredentialRepository = &node;
        let [a, b] = ["a", "b"].map(client_id);
        let made = credential("s1");

        let told = told_during(&node, async {
            assert!(secrets.insert(&a, &made).await.unwrap());
            assert!(secrets.insert(&b, &made).await.unwrap());
            let hash = SecretHash::new("$x$");
            assert!(secrets.rehash(&a, &made.id, &made.hash, &hash).await.unwrap());
            let all = scratch.collection("credentials").await;
            let both = doc! { "$set": { "hash": "$y$", "last_used": DateTime::now() } };
            all.update_many(doc! {}, both).await.unwrap();
            // From here on it is news.
            assert!(secrets.expire(&a, &made.id, later(60)).await.unwrap());
            assert!(secrets.remove(&b, &made.id).await.unwrap());
            secrets.remove_all(&a).await.unwrap();
        });
        let named = |id: &ClientId| {
            if is_salted { Change::Unknown } else { Change::Secrets(id.clone()) }
        };
        assert_eq!(told.await, [&a, &b, &a].map(named));
    }
}

#[tokio::test]
async fn tells_nothing_of_other_programs() {
    let (node, scratch) = stores(Deployment::ReplicaSet).await;

    let told = told_during(&node, async {
        let secrets = scratch.collection("credentials").await;
        secrets.insert_one(doc! { "_id": 1, "client": "billing" }).await.unwrap();
        secrets.update_one(doc! {}, doc! { "$set": { "client": "x" } }).await.unwrap();
        secrets.delete_one(doc! {}).await.unwrap();
        let others = scratch.collection("clients").await;
        others.insert_one(doc! { "_id": "billing" }).await.unwrap();
        others.drop().await.unwrap();
    })
    .await;

    assert_eq!(told, []);
}

#[tokio::test]
async fn tells_of_what_was_changed_by_hand() {
    let (node, scratch) = stores(Deployment::ReplicaSet).await;
    let id = client_id("billing");
    node.insert(&client("billing")).await.unwrap();
    port::CredentialRepository::insert(&node, &id, &credential("s1")).await.unwrap();

    let told = told_during(&node, async {
        let clients = scratch.collection("tokenwright_clients").await;
        let both = doc! { "$set": { "last_login": 7, "state": "TRASH" } };
        clients.update_one(doc! {}, both).await.unwrap();
        clients.update_one(doc! {}, doc! { "$unset": { "last_login": "" } }).await.unwrap();
        let kept = clients.find_one(doc! {}).await.unwrap().unwrap();
        clients.replace_one(doc! {}, kept).await.unwrap();
        scratch.collection("credentials").await.delete_many(doc! {}).await.unwrap();
        clients.insert_one(doc! { "_id": "with space" }).await.unwrap();
        clients.drop().await.unwrap();
    })
    .await;

    let client = || Change::Client(id.clone());
    let mut expected = vec![client(), client(), client(), Change::Secrets(id.clone())];
    if told.len() == 5 {
        // A replacement by the same is no change.
        expected.pop();
        expected.pop();
        expected.push(Change::Secrets(id.clone()));
    }
    expected.extend([Change::Unknown, Change::Unknown]);
    assert_eq!(told, expected);
}

#[tokio::test]
async fn ends_when_the_database_is_dropped() {
    let (node, scratch) = stores(Deployment::ReplicaSet).await;
    node.insert(&client("billing")).await.unwrap();
    let heard = Heard::default();

    let drop_it = async {
        heard.until(&Change::Unknown).await;
        scratch.database().await.drop().await.unwrap();
        Fault::unavailable("it goes on")
    };
    let (fault, _) =
        timeout(BOUND, async { tokio::join!(node.follow(&heard), drop_it) }).await.unwrap();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(fault.explained().contains("dropped"), "{}", fault.explained());
    assert!(heard.all().len() > 1);
    assert!(heard.all().iter().all(|change| *change == Change::Unknown), "{:?}", heard.all());
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "how long it takes is worth knowing")]
async fn notices_when_its_server_is_gone_or_frozen() {
    let mut server = MongoServer::start_member().unwrap();
    initiate(&[server.port]).await.unwrap();
    let node = MongoStores::new(&MongoOptions::new(server.url().into())).await.unwrap();

    for is_frozen in [true, false] {
        let heard = Heard::default();
        let begun = async {
            heard.until(&Change::Unknown).await;
            // In the middle of a silence.
            sleep(Duration::from_millis(500)).await;
            if is_frozen {
                server.freeze().unwrap();
            } else {
                server.kill();
            }
            Instant::now()
        };
        let follow = async { (node.follow(&heard).await, Instant::now()) };
        let ((fault, ended), begun) = tokio::join!(follow, begun);

        assert_eq!(fault.kind(), FaultKind::Unavailable);
        let taken = ended - begun;
        eprintln!("the feed noticed after {taken:?} (frozen: {is_frozen})");
        assert!(taken < BOUND, "{taken:?}");
        if is_frozen {
            server.thaw().unwrap();
            while !matches!(timeout(BOUND, node.load()).await, Ok(Ok(_))) {}
        }
    }
}
