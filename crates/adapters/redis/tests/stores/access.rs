//! Who may do what.

use adapter_redis::RedisOptions;
use contract::sample::client_id;
use domain::FaultKind;
use domain::port::TokenRepository as _;
use testbed::redis::RedisServer;

use crate::servers::{burn, node, standalone};
use crate::standalone::{every_call, every_call_is_unavailable};

const SECRET: &str = "hunter2-secret";

#[tokio::test]
async fn a_wrong_password_is_told_and_not_repeated() {
    let server = RedisServer::start_with(|_| {
        format!("user default off\nuser tokenwright on >{SECRET} ~* &* +@all\n")
    })
    .unwrap();
    let with = |username: &str, password: &str| RedisOptions {
        username: Some(username.to_owned()),
        password: Some(password.into()),
        ..standalone(&server.host())
    };
    assert!(burn(&node(&with("tokenwright", SECRET)), "j1").await.unwrap());

    for (username, password) in [("tokenwright", "hunter2-wrong"), ("nobody", SECRET)] {
        let node = node(&with(username, password));
        every_call_is_unavailable(&node).await;
        for fault in every_call(&node).await {
            let said = format!("{} {fault:?}", fault.explained());
            assert!(said.to_lowercase().contains("authentication failed"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    every_call_is_unavailable(&node(&standalone(&server.host()))).await;
}

#[tokio::test]
async fn what_the_user_may_not_do_is_unavailable_and_said() {
    let server = RedisServer::start_with(|_| {
        format!("user tokenwright on >{SECRET} ~* &* -@all +hello +get\n")
    })
    .unwrap();
    let node = node(&RedisOptions {
        username: Some("tokenwright".to_owned()),
        password: Some(SECRET.into()),
        ..standalone(&server.host())
    });

    let refused = burn(&node, "j1").await.unwrap_err();

    assert_eq!(refused.kind(), FaultKind::Unavailable);
    assert!(refused.explained().contains("no permissions"), "{}", refused.explained());
    assert_eq!(node.client_revoked_until(&client_id("billing")).await.unwrap(), None);
}
