//! Every suite of `contract`, on a single server and on a replica set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use adapter_mongodb::MongoStores;
use contract::change_feed::Rig;
use contract::sample::{NOW, client, credential, later};
use domain::port::{self, ClientRepository as _, KeyRepository as _, TokenRepository as _};
use domain::{Change, Client};

macro_rules! suites {
    ($name:ident, $deployment:ident: $($suite:ident),+ $(,)?) => {
        mod $name {
            $(mod $suite {
                contract::$suite! {
                    #[tokio::test]
                    fixture() {
                        crate::scratch::stores(crate::servers::Deployment::$deployment).await
                    }
                }
            })+
        }
    };
}

macro_rules! suites_on {
    ($($name:ident: $deployment:ident),+) => {
        $(suites! {
            $name, $deployment:
            bootstrap_repository,
            catalogue_repository,
            change_set_repository,
            client_directory,
            client_repository,
            credential_repository,
            key_repository,
            login_ledger,
            reference_token_repository,
            replay_guard,
            token_repository,
        })+
    };
}

suites_on!(standalone: Standalone, replica_set: ReplicaSet);

suites! { transactions, ReplicaSet: client_transaction }

mod salted {
    use crate::scratch::Scratch;
    use crate::servers::Deployment;

    mod credential_repository {
        contract::credential_repository! {
            #[tokio::test]
            fixture() {
                let scratch = super::Scratch::on(super::Deployment::Standalone);
                (scratch.salted().await, scratch)
            }
        }
    }

    mod change_feed {
        contract::change_feed! {
            #[tokio::test]
            fixture() {
                let scratch = super::Scratch::on(super::Deployment::ReplicaSet);
                let names = |change: &_| !matches!(change, domain::Change::Secrets(_));
                let node = scratch.salted().await;
                (crate::contract::rig(node, scratch.salted().await, names), scratch)
            }
        }
    }
}

mod plain {
    mod change_feed {
        contract::change_feed! {
            #[tokio::test]
            fixture() {
                let (node, scratch) =
                    crate::scratch::stores(crate::servers::Deployment::ReplicaSet).await;
                (crate::contract::rig(node, scratch.node().await, |_| true), scratch)
            }
        }
    }
}

/// A feed of one node, of what another one writes.
fn rig(node: MongoStores, other: MongoStores, names: fn(&Change) -> bool) -> Rig {
    let turn = Arc::new(AtomicU32::new(0));
    let cause = move |change: Change| -> futures_util::future::BoxFuture<'static, ()> {
        let (other, turn) = (other.clone(), turn.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move { make(&other, change, turn).await })
    };
    Rig { feed: Arc::new(node), cause: Box::new(cause), names }
}

/// Makes a change; the same one as often as one likes.
async fn make(node: &MongoStores, change: Change, turn: u32) {
    match change {
        Change::Client(id) => match node.find(&id).await.unwrap() {
            None => node.insert(&client(id.as_str())).await.unwrap(),
            Some(kept) => {
                let renewed = Client { revision: kept.revision.next(), ..kept.clone() };
                node.update(&renewed, kept.revision).await.unwrap();
            }
        },
        Change::Secrets(id) => {
            let secret = credential(&format!("s{turn}"));
            assert!(port::CredentialRepository::insert(node, &id, &secret).await.unwrap());
            assert!(port::CredentialRepository::remove(node, &id, &secret.id).await.unwrap());
        }
        Change::Token(id) => node.revoke(&id, later(u64::from(turn))).await.unwrap(),
        Change::Tokens(id) => {
            node.revoke_client(&id, NOW, later(u64::from(turn))).await.unwrap();
        }
        Change::Keys => {
            let kept = node.load().await.unwrap();
            node.store(kept.revision, &kept.keys).await.unwrap();
        }
        Change::Catalogue => {
            let kept = port::CatalogueRepository::load(node).await.unwrap();
            let stored = port::CatalogueRepository::store(node, kept.revision, &kept.catalogue);
            stored.await.unwrap();
        }
        Change::Unknown => (),
    }
}
