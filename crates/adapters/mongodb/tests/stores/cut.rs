//! A connection that is cut in the middle of a write, before the server reads it or before it
//! answers.

use adapter_mongodb::{MongoOptions, MongoStores};
use contract::sample::{NOW, client, client_id, credential, later, parsed, secret_id, token_id};
use domain::port::{
    self, ClientRepository as _, InsertClientError, KeyRepository as _, ReplayGuard as _,
    StoreKeysError, TokenRepository as _, UpdateClientError,
};
use domain::{Client, Fault, Revision, SecretHash, TokenDigest};
use testbed::forwarder::{Forwarder, Mood, When};

use crate::scratch::Scratch;
use crate::servers::Deployment;

/// A text that is sent with the write that is cut, and with no other.
const MARK: &str = "cut-here";

/// A node that reaches its server through a forwarder.
struct Rig {
    node: MongoStores,
    forwarder: Forwarder,
    _scratch: Scratch,
}

impl Rig {
    async fn on(deployment: Deployment) -> Self {
        let scratch = Scratch::on(deployment);
        let upstream = deployment.url().split(['/', '?']).nth(2).unwrap().to_owned();
        let forwarder = Forwarder::start(upstream, Mood::Open);
        let url = format!("mongodb://127.0.0.1:{}/?directConnection=true", forwarder.port);
        let options = MongoOptions { url: url.into(), ..scratch.options() };
        let node = MongoStores::new(&options).await.unwrap();
        node.prepare().await.unwrap();
        Self { node, forwarder, _scratch: scratch }
    }

    fn cut(&self, when: When) {
        self.forwarder.set(Mood::CutAt(MARK, when));
    }
}

/// The servers know a write again that they made already: it is sent twice, made once, and its
/// caller never hears that somebody was there before.
#[tokio::test]
async fn on_a_replica_set_nobody_notices() {
    let rig = Rig::on(Deployment::ReplicaSet).await;
    let (node, id) = (&rig.node, client_id(MARK));
    for (n, when) in [When::Before, When::After].into_iter().enumerate() {
        rig.cut(when);
        assert!(node.burn(&id, &token_id(&format!("j{n}")), later(60), NOW).await.unwrap());
        assert!(!node.burn(&id, &token_id(&format!("j{n}")), later(60), NOW).await.unwrap());

        rig.cut(when);
        node.insert(&client(MARK)).await.unwrap();
        rig.cut(when);
        node.update(&renamed(), Revision::FIRST).await.unwrap();
        assert_eq!(node.find(&id).await.unwrap(), Some(renamed()));
        rig.cut(when);
        assert!(node.remove(&id).await.unwrap());

        let secrets: &dyn port::CredentialRepository = node;
        rig.cut(when);
        assert!(secrets.insert(&id, &credential("s")).await.unwrap());
        rig.cut(when);
        let (old, new) = (credential("s").hash, SecretHash::new("$new$"));
        assert!(secrets.rehash(&id, &secret_id("s"), &old, &new).await.unwrap());
        rig.cut(when);
        assert!(secrets.remove(&id, &secret_id("s")).await.unwrap());

        rig.cut(when);
        node.revoke(&token_id(MARK), later(60)).await.unwrap();
    }
}

/// A single server knows nothing again: nobody can tell what became of the write, so nobody says.
#[tokio::test]
async fn on_a_single_server_it_is_a_fault_and_never_a_guess() {
    for when in [When::Before, When::After] {
        let rig = Rig::on(Deployment::Standalone).await;
        let (node, id) = (&rig.node, client_id(MARK));
        let is_made = matches!(when, When::After);

        rig.cut(when);
        is_passing(node.burn(&id, &token_id("j"), later(60), NOW).await);
        assert_eq!(node.burn(&id, &token_id("j"), later(60), NOW).await.unwrap(), !is_made);

        rig.cut(when);
        let refused = node.insert(&client(MARK)).await.unwrap_err();
        assert!(matches!(refused, InsertClientError::Fault(_)), "{refused:?}");
        assert_eq!(node.find(&id).await.unwrap().is_some(), is_made);
        let _ = node.insert(&client(MARK)).await;

        rig.cut(when);
        let refused = node.update(&renamed(), Revision::FIRST).await.unwrap_err();
        assert!(matches!(refused, UpdateClientError::Fault(_)), "{refused:?}");
        assert_eq!(node.find(&id).await.unwrap() == Some(renamed()), is_made);

        let secrets: &dyn port::CredentialRepository = node;
        rig.cut(when);
        is_passing(secrets.insert(&id, &credential("s")).await);
        assert_eq!(secrets.insert(&id, &credential("s")).await.unwrap(), !is_made);

        rig.cut(when);
        is_passing(node.revoke(&token_id(MARK), later(60)).await);
        assert_eq!(node.is_revoked(&token_id(MARK)).await.unwrap(), is_made);
    }
}

/// What is one for all nodes is claimed once, whatever happens to the answers.
#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_not_lost() {
    let rig = Rig::on(Deployment::ReplicaSet).await;
    let cut = || rig.forwarder.set(Mood::CutAt("tokenwright_", When::After));
    let bootstrap: &dyn port::BootstrapRepository = &rig.node;

    cut();
    assert!(bootstrap.claim(&TokenDigest([1; 32])).await.unwrap());
    assert!(!bootstrap.claim(&TokenDigest([2; 32])).await.unwrap());
    for revision in 0..3 {
        cut();
        rig.node.store(revision, &[]).await.unwrap();
        let again = rig.node.store(revision, &[]).await.unwrap_err();
        assert!(matches!(again, StoreKeysError::Conflict), "{again:?}");
    }
}

fn renamed() -> Client {
    Client { name: parsed("renamed"), revision: Revision::FIRST.next(), ..client(MARK) }
}

fn is_passing<T>(outcome: Result<T, Fault>) {
    assert!(outcome.err().unwrap_or_else(|| panic!("nobody can know that")).is_passing());
}
