//! Reference tokens, beyond what the port promises.

use contract::sample::{client_id, later, metadata};
use domain::port::ReferenceTokenRepository as _;
use domain::{ReferenceToken, Timestamp, TokenDigest};
use mongodb::bson::{Bson, DateTime, doc};

use crate::damage::{assert_corrupt, set};
use crate::scratch::stores;
use crate::servers::Deployment;

const TOKENS: &str = "tokenwright_reference_tokens";

/// The digest that a text stands for.
pub(crate) fn digest(of: &str) -> TokenDigest {
    let mut bytes = [0x80; 32];
    for (byte, letter) in bytes.iter_mut().zip(of.bytes()) {
        *byte = letter;
    }
    TokenDigest(bytes)
}

/// A token with everything that claims can hold.
pub(crate) fn reference_token() -> ReferenceToken {
    ReferenceToken { client: client_id("a"), expires_at: later(60), claims: metadata().into() }
}

#[tokio::test]
async fn survives_a_restart_and_is_seen_by_every_node() {
    for deployment in [Deployment::Standalone, Deployment::ReplicaSet] {
        let (node, scratch) = stores(deployment).await;
        assert!(node.insert(&digest("t"), &reference_token()).await.unwrap());
        node.close().await;

        let [one, other] = [scratch.node().await, scratch.node().await];

        assert_eq!(one.find(&digest("t")).await.unwrap(), Some(reference_token()));
        assert!(!one.insert(&digest("t"), &reference_token()).await.unwrap());
        assert!(other.remove(&digest("t")).await.unwrap());
        assert_eq!(one.find(&digest("t")).await.unwrap(), None);
    }
}

/// Whoever asks compares the time; and the server forgets in its own time.
#[tokio::test]
async fn is_found_after_its_end() {
    let (node, _scratch) = stores(Deployment::Standalone).await;
    let now = u64::try_from(DateTime::now().timestamp_millis()).unwrap();
    let ended = Timestamp::from_unix_millis(now - 1_000);
    let token = ReferenceToken { expires_at: ended, ..reference_token() };

    assert!(node.insert(&digest("t"), &token).await.unwrap());

    assert_eq!(node.find(&digest("t")).await.unwrap(), Some(token));
}

/// The token is nowhere, and its digest only as the key.
#[tokio::test]
async fn is_kept_under_the_bytes_of_its_digest() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&digest("t"), &reference_token()).await.unwrap();

    let all = scratch.collection(TOKENS).await;
    let kept = all.find_one(doc! {}).await.unwrap().unwrap();

    assert_eq!(kept.get_binary_generic("_id").unwrap(), digest("t").0.as_slice());
    let fields: Vec<_> = kept.keys().map(String::as_str).collect();
    assert_eq!(fields, ["_id", "client", "expires_at", "claims"]);
}

#[tokio::test]
async fn is_corrupt_where_it_cannot_be_true() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    for (field, value) in [
        ("client", Bson::from("")),
        ("client", "hunter2\n".into()),
        ("client", Bson::Null),
        ("expires_at", DateTime::from_millis(-1).into()),
        ("expires_at", "hunter2".into()),
        ("claims", "[]".into()),
        ("claims", "{\"hunter2\":1,\"hunter2\":2}".into()),
        ("claims", doc! { "sub": "hunter2" }.into()),
    ] {
        node.insert(&digest("t"), &reference_token()).await.unwrap();
        set(&scratch, TOKENS, field, value).await;

        assert_corrupt(node.find(&digest("t")).await, field);
        assert!(node.remove(&digest("t")).await.unwrap());
    }
}

/// Of a later release, which runs beside this one for a while.
#[tokio::test]
async fn passes_over_a_field_that_nobody_knows() {
    let (node, scratch) = stores(Deployment::Standalone).await;
    node.insert(&digest("t"), &reference_token()).await.unwrap();
    set(&scratch, TOKENS, "of_tomorrow", doc! { "a": [1, "b"] }.into()).await;

    assert_eq!(node.find(&digest("t")).await.unwrap(), Some(reference_token()));
}
