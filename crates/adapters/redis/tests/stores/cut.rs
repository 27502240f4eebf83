//! A connection that is cut in the middle: what may have been carried out is not sent again, unless
//! that does no harm.

use std::time::Duration;

use adapter_redis::RedisStores;
use contract::sample::{client_id, token_id};
use domain::FaultKind;
use domain::port::TokenRepository as _;
use testbed::forwarder::{Forwarder, Mood, When};
use testbed::redis::RedisServer;
use tokio::time::timeout;

use crate::servers::{BOUND, burn, node, now, recovered, standalone};

struct Rig {
    node: RedisStores,
    way: Forwarder,
    server: RedisServer,
}

fn rig() -> Rig {
    let server = RedisServer::start().unwrap();
    let way = Forwarder::start(server.host(), Mood::Open);
    Rig { node: node(&standalone(&format!("127.0.0.1:{}", way.port))), way, server }
}

#[tokio::test]
async fn a_burn_that_may_have_been_carried_out_is_a_fault_and_no_replay() {
    let Rig { node, way, server: _server } = rig();
    recovered(&node, BOUND).await;

    way.set(Mood::CutAt("used:", When::After));
    let fault = burn(&node, "cut").await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    // It was, and nobody was let in.
    assert!(!burn(&node, "cut").await.unwrap());
}

#[tokio::test]
async fn a_burn_that_was_not_carried_out_can_be_tried_again() {
    let Rig { node, way, server: _server } = rig();
    recovered(&node, BOUND).await;

    way.set(Mood::CutAt("used:", When::Before));
    let fault = burn(&node, "cut").await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert!(burn(&node, "cut").await.unwrap());
}

#[tokio::test]
async fn a_burn_whose_answer_never_comes_is_a_fault_in_time() {
    let Rig { node, way, server: _server } = rig();
    recovered(&node, BOUND).await;

    way.set(Mood::StallAt("used:"));
    let fault = timeout(BOUND, burn(&node, "stalled")).await.unwrap().unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    way.set(Mood::Open);
    // Which of the two it is depends on whether what was stalled arrived.
    burn(&node, "stalled").await.unwrap();
    assert!(!burn(&node, "stalled").await.unwrap());
}

#[tokio::test]
async fn what_does_no_harm_twice_is_tried_again() {
    let Rig { node, way, server: _server } = rig();
    let (token, client) = (token_id("t1"), client_id("billing"));
    let until = now().after(Duration::from_mins(1));
    recovered(&node, BOUND).await;
    assert!(!node.is_revoked(&token).await.unwrap());

    for when in [When::Before, When::After] {
        way.set(Mood::CutAt("revoked:token", when));
        node.revoke(&token, until).await.unwrap();
        way.set(Mood::CutAt("revoked:token", when));
        assert!(node.is_revoked(&token).await.unwrap());
        way.set(Mood::CutAt("revoked:client", when));
        node.revoke_client(&client, now(), until).await.unwrap();
        way.set(Mood::CutAt("revoked:client", when));
        assert!(node.client_revoked_until(&client).await.unwrap().is_some());
    }
}
