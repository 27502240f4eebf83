//! PostgreSQL tells of changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::change_feed::Rig;
use contract::sample::{NOW, client, client_id, credential, later, secret_id};
use domain::port::{
    self, ChangeFeed as _, ChangeListener, ClientRepository, CredentialRepository,
    KeyRepository as _, LoginLedger as _, ReferenceTokenRepository, ReplayGuard as _,
    TokenRepository as _,
};
use domain::{
    Change, FaultKind, Login, ReferenceToken, Revision, SecretHash, SecretUse, TokenDigest,
};
use testbed::forwarder::{Forwarder, Mood};
use tokio::time::timeout;

use crate::scratch::{PgDatabase, Scratch, stores};

mod contract_of {
    use super::*;

    contract::change_feed! {
        #[tokio::test]
        fixture() {
            let (feed, database) = stores::<PgDatabase>().await;
            let writer = database.node().await;
            let cause = move |change| {
                let writer = writer.clone();
                Box::pin(async move { write(&writer, change).await }) as _
            };
            (Rig { feed: Arc::new(feed), cause: Box::new(cause), names: |_| true }, database)
        }
    }
}

/// Writes what the change tells of.
async fn write(stores: &adapter_sql::PgStores, change: Change) {
    match change {
        Change::Client(id) => {
            ClientRepository::insert(stores, &domain::Client { id: id.clone(), ..client("x") })
                .await
                .unwrap();
            ClientRepository::remove(stores, &id).await.unwrap();
        }
        Change::Secrets(id) => {
            CredentialRepository::insert(stores, &id, &credential("s")).await.unwrap();
            CredentialRepository::remove(stores, &id, &secret_id("s")).await.unwrap();
        }
        Change::Token(id) => stores.revoke(&id, later(60)).await.unwrap(),
        Change::Tokens(id) => stores.revoke_client(&id, NOW, later(60)).await.unwrap(),
        Change::Keys => stores.store(0, &[]).await.unwrap(),
        Change::Catalogue => {
            port::CatalogueRepository::store(stores, 0, &domain::Catalogue::default())
                .await
                .unwrap();
        }
        Change::Unknown => unreachable!("nobody causes it"),
    }
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Change>>);

impl ChangeListener for Heard {
    fn heard(&self, change: &Change) {
        self.0.lock().unwrap().push(change.clone());
    }
}

impl Heard {
    async fn until(&self, change: &Change) {
        let heard = async {
            while !self.0.lock().unwrap().contains(change) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), heard).await.unwrap();
    }
}

/// What operators write at the prompt of the database is told as well, and what every token writes
/// is not.
#[tokio::test]
async fn who_was_here_is_no_news_and_what_an_operator_writes_is() {
    let (node, database) = stores::<PgDatabase>().await;
    ClientRepository::insert(&node, &client("a")).await.unwrap();
    let id = client_id("a");
    CredentialRepository::insert(&node, &id, &credential("s")).await.unwrap();
    let heard = Heard::default();

    let work = async {
        heard.until(&Change::Unknown).await;
        let at = later(9);
        node.record(&[Login { client: id.clone(), at }]).await.unwrap();
        let secret = secret_id("s");
        node.record_uses(&[SecretUse { client: id.clone(), secret, at }]).await.unwrap();
        let jti = contract::sample::token_id("j");
        assert!(node.burn(&id, &jti, later(60), NOW).await.unwrap());
        database.execute("update clients set state = 'TRASH' where id = 'a'").await;
        heard.until(&Change::Client(id.clone())).await;
    };
    tokio::select! {
        fault = node.follow(&heard) => panic!("{}", fault.explained()),
        () = work => (),
    }

    let told = heard.0.into_inner().unwrap();
    assert_eq!(told, [Change::Unknown, Change::Client(id)]);
}

/// Whoever is refused is looked up again, and a hash made anew stands for the same secret: only what
/// ends is news.
#[tokio::test]
async fn a_secret_that_is_made_or_hashed_anew_is_no_news_and_one_that_ends_is() {
    let (node, database) = stores::<PgDatabase>().await;
    let [a, b, c] = ["a", "b", "c"].map(client_id);
    let (id, made) = (secret_id("s"), credential("s"));
    let heard = Heard::default();

    let work = async {
        heard.until(&Change::Unknown).await;
        let secrets: &dyn CredentialRepository = &node;
        for client in [&a, &b, &c] {
            assert!(secrets.insert(client, &made).await.unwrap());
        }
        assert!(secrets.rehash(&a, &id, &made.hash, &SecretHash::new("$x$")).await.unwrap());
        database.execute("update credentials set hash = '$y$', name = 'n', last_used = 1").await;
        assert!(secrets.expire(&c, &id, later(60)).await.unwrap());
        assert!(secrets.remove(&b, &id).await.unwrap());
        secrets.remove_all(&a).await.unwrap();
        heard.until(&Change::Secrets(a.clone())).await;
    };
    tokio::select! {
        fault = node.follow(&heard) => panic!("{}", fault.explained()),
        () = work => (),
    }

    let told = heard.0.into_inner().unwrap();
    let [a, b, c] = [a, b, c].map(Change::Secrets);
    assert_eq!(told, [Change::Unknown, c, b, a]);
}

/// A setting decides about tokens; a reference token is in no cache.
#[tokio::test]
async fn a_setting_is_news_and_a_reference_token_is_not() {
    let (node, database) = stores::<PgDatabase>().await;
    let [a, b] = ["a", "b"].map(client_id);
    for id in [&a, &b] {
        ClientRepository::insert(&node, &client(id.as_str())).await.unwrap();
    }
    let digest = TokenDigest([7; 32]);
    let claims = contract::sample::metadata();
    let token = ReferenceToken { client: b.clone(), expires_at: later(60), claims: claims.into() };
    let heard = Heard::default();

    let work = async {
        heard.until(&Change::Unknown).await;
        assert!(ReferenceTokenRepository::insert(&node, &digest, &token).await.unwrap());
        assert!(ReferenceTokenRepository::remove(&node, &digest).await.unwrap());
        let strict =
            r#"update clients set settings = '{"strict_auth_method":true}' where id = 'a'"#;
        database.execute(strict).await;
        heard.until(&Change::Client(a.clone())).await;
        let chosen = domain::Client {
            settings: contract::sample::settings(),
            revision: Revision(2),
            ..client("b")
        };
        ClientRepository::update(&node, &chosen, Revision::FIRST).await.unwrap();
        heard.until(&Change::Client(b.clone())).await;
    };
    tokio::select! {
        fault = node.follow(&heard) => panic!("{}", fault.explained()),
        () = work => (),
    }

    let told = heard.0.into_inner().unwrap();
    assert_eq!(told, [Change::Unknown, Change::Client(a), Change::Client(b)]);
}

/// A feed that hears nothing any more says so.
#[tokio::test]
async fn a_feed_whose_server_is_out_or_silent_breaks_in_time() {
    let (_, database) = stores::<PgDatabase>().await;
    let (_, host) =
        database.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (upstream, name) = host.split_once('/').unwrap();
    for mood in [Mood::Out, Mood::Stalled] {
        let way = Forwarder::start(upstream.to_owned(), Mood::Open);
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", way.port);
        let options = adapter_sql::PgOptions {
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(2),
            ..adapter_sql::PgOptions::new(url.into())
        };
        let node = adapter_sql::PgStores::new(&options).unwrap();
        let heard = Heard::default();

        let work = async {
            heard.until(&Change::Unknown).await;
            way.set(mood);
            std::future::pending::<()>().await;
        };
        let following = async {
            tokio::select! {
                fault = node.follow(&heard) => fault,
                () = work => unreachable!(),
            }
        };
        let fault = timeout(Duration::from_secs(12), following).await.unwrap();

        assert_eq!(fault.kind(), FaultKind::Unavailable);
        // And it cannot begin again.
        let again = timeout(Duration::from_secs(8), node.follow(&heard)).await.unwrap();
        assert_eq!(again.kind(), FaultKind::Unavailable);
    }
}
