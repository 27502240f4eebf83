//! The tokens of `openid_connect`: which keys signed them, what introspection says, how long they are
//! kept.

use std::time::Duration;

use app::gateway::settings::{PolicySettings, read_policy};
use domain::gateway::{CacheUse, Verdict};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::openid_connect::{Gateway, gateway, introspecting};
use super::support::{Call, House, ISSUER, KEYS, Say, lines, passage, refusal, token};

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_once_and_then_once_in_a_while() {
    let gateway = gateway(&json!({"auth_methods": ["bearer"]}));
    let house = &gateway.house;
    passage(gateway.with_token(&house.jwt("k1", &json!({}))).await);
    assert_eq!(house.documents.fetches(KEYS), 1);

    house.publish_keys(&["k2"]);
    passage(gateway.with_token(&house.jwt("k2", &json!({}))).await);
    assert_eq!(house.documents.fetches(KEYS), 2);

    for _ in 0..100 {
        let refusal = refusal(gateway.with_token(&house.jwt("forged", &json!({}))).await);
        assert_eq!(refusal.status(), 401);
    }
    assert_eq!(house.documents.fetches(KEYS), 2);

    house.clock.advance(Duration::from_secs(30));
    house.publish_keys(&["k3"]);
    passage(gateway.with_token(&house.jwt("k3", &json!({}))).await);
    assert_eq!(house.documents.fetches(KEYS), 3);
}

#[tokio::test]
async fn with_an_unknown_key_the_metadata_is_read_anew_as_well() {
    let gateway = gateway(&json!({"auth_methods": ["bearer"]}));
    let house = &gateway.house;
    passage(gateway.with_token(&house.jwt("k1", &json!({}))).await);
    house.documents.publish(KEYS, Say::Body(r#"{"keys":[]}"#.to_owned()));
    let moved = "https://as.example/moved";
    house.publish_metadata(&json!({ "jwks_uri": moved }));
    let other = House::new();
    other.publish_keys(&["k2"]);
    house.documents.publish(moved, other.documents.published(KEYS));

    passage(gateway.with_token(&house.jwt("k2", &json!({}))).await);
}

#[tokio::test]
async fn a_cached_token_whose_key_is_gone_is_fetched_anew() {
    let gateway = gateway(&json!({"auth_methods": ["client_credentials", "bearer"]}));
    let house = &gateway.house;
    passage(gateway.with_basic().await);
    house.publish_keys(&["k2"]);
    // Somebody's token makes the keys known.
    passage(gateway.with_token(&house.jwt("k2", &json!({}))).await);
    let new = house.jwt("k2", &json!({}));
    house.server.says(&[token(&new, 300)]);

    let passage = passage(gateway.with_basic().await);

    assert_eq!(lines(&passage), [format!("authorization: Bearer {new}")]);
    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn t48_a_herd_whose_key_is_gone_has_one_token_fetched() {
    let gateway = gateway(&json!({"auth_methods": ["client_credentials", "bearer"]}));
    let house = &gateway.house;
    passage(gateway.with_basic().await);
    house.publish_keys(&["k2"]);
    passage(gateway.with_token(&house.jwt("k2", &json!({}))).await);
    house.server.says(&[token(&house.jwt("k2", &json!({})), 300)]);
    house.server.close();

    let mut herd = Box::pin(join_all((0..1_000).map(|_| gateway.with_basic())));
    for _ in 0..5 {
        assert!((&mut herd).now_or_never().is_none());
    }
    house.server.open();

    assert!(herd.await.iter().all(|it| matches!(it, Verdict::Passage(_))));
    assert_eq!(house.server.calls(), 2);
}

#[tokio::test]
async fn a_cached_token_whose_key_is_still_there_stays() {
    let gateway = gateway(&json!({"auth_methods": ["client_credentials", "bearer"]}));
    let house = &gateway.house;
    passage(gateway.with_basic().await);
    house.publish_keys(&["k1", "k2"]);
    passage(gateway.with_token(&house.jwt("k2", &json!({}))).await);

    assert_eq!(passage(gateway.with_basic().await).cache, CacheUse::Hit);
    assert_eq!(house.server.calls(), 1);
}

#[tokio::test]
async fn an_opaque_token_of_the_provider_is_introspected() {
    let gateway = introspecting(&json!({"scopes_required": ["read"]}));
    let server = &gateway.house.server;
    server.says(&[token("opaque", 300)]);
    server.explains("opaque", Say::Body(r#"{"active":true,"scope":"read"}"#.to_owned()));

    passage(gateway.with_basic().await);
    passage(gateway.with_basic().await);

    assert_eq!((server.calls(), server.introspections()), (1, 1));
}

#[tokio::test]
async fn an_opaque_token_that_nobody_explains_is_a_bad_gateway() {
    let without_client = gateway(&json!({}));
    without_client.house.server.says(&[token("opaque", 300)]);
    assert_eq!(refusal(without_client.with_basic().await).status(), 502);

    let without_endpoint = introspecting(&json!({}));
    without_endpoint.house.publish_metadata(&json!({"introspection_endpoint": null}));
    without_endpoint.house.server.says(&[token("opaque", 300)]);
    // `null` is no URL: the metadata is not believed at all.
    assert_eq!(refusal(without_endpoint.with_basic().await).status(), 503);
}

#[tokio::test]
async fn tokens_of_callers_are_taken_where_that_is_configured() {
    let house_token = |gateway: &Gateway| gateway.house.jwt("k1", &json!({}));
    let statuses = async |methods: Value| {
        let gateway = introspecting(&json!({"auth_methods": methods}));
        let opaque = Say::Body(r#"{"active":true}"#.to_owned());
        gateway.house.server.explains("opaque", opaque.clone());
        let jwt = house_token(&gateway);
        gateway.house.server.explains(&jwt, opaque);
        let mut statuses = Vec::new();
        for token in [jwt.as_str(), "opaque", "unknown", ""] {
            statuses.push(match gateway.with_token(token).await {
                Verdict::Passage(passage) => {
                    assert_eq!(lines(&passage), [format!("authorization: Bearer {token}")]);
                    200
                }
                Verdict::Refusal(refusal) => refusal.status(),
            });
        }
        statuses
    };

    assert_eq!(statuses(json!(["bearer"])).await, [200, 401, 401, 401]);
    assert_eq!(statuses(json!(["introspection"])).await, [200, 200, 401, 401]);
    assert_eq!(statuses(json!(["client_credentials"])).await, [401, 401, 401, 401]);
}

#[tokio::test]
async fn jwts_are_introspected_as_well_where_that_is_configured() {
    let gateway =
        introspecting(&json!({"auth_methods": ["bearer"], "introspect_jwt_tokens": true}));
    let jwt = gateway.house.jwt("k1", &json!({}));

    assert_eq!(refusal(gateway.with_token(&jwt).await).status(), 401);
    gateway.house.clock.advance(Duration::from_secs(5));
    gateway.house.server.explains(&jwt, Say::Body(r#"{"active":true}"#.to_owned()));
    passage(gateway.with_token(&jwt).await);
}

#[tokio::test]
async fn t40_introspection_answers_are_kept_for_a_minute_and_judged_anew_each_time() {
    let reader =
        introspecting(&json!({"auth_methods": ["introspection"], "scopes_required": ["read"]}));
    let (server, clock) = (&reader.house.server, &reader.house.clock);
    server.explains("opaque", Say::Body(r#"{"active":true,"scope":"read"}"#.to_owned()));
    // A route that wants more shares the answer and not the verdict.
    let mut writer = reader.policy.clone();
    let wanted = json!({"openid_connect": {"issuer": ISSUER, "scopes_required": ["write"]}});
    let PolicySettings::OpenidConnect(settings) = read_policy("it", &wanted).unwrap().0 else {
        panic!()
    };
    writer.rules.token = settings.rules.token;
    let call = Call::new(&[("Authorization", "Bearer opaque")]);

    passage(reader.with_token("opaque").await);
    assert_eq!(refusal(writer.execute(&call.request(&call.parts())).await).status(), 403);
    assert_eq!(server.introspections(), 1);

    clock.advance(Duration::from_secs(59));
    server.explains("opaque", Say::Body(r#"{"active":false}"#.to_owned()));
    passage(reader.with_token("opaque").await);
    clock.advance(Duration::from_secs(1));
    server.explains("opaque", Say::Fail(503));
    assert_eq!(refusal(reader.with_token("opaque").await).status(), 503);
    assert_eq!(server.introspections(), 2);
}

#[tokio::test]
async fn an_inactive_token_is_asked_about_again_after_five_seconds() {
    let gateway = introspecting(&json!({"auth_methods": ["introspection"]}));
    for (advance, expected) in [(0, 1), (4, 1), (1, 2)] {
        gateway.house.clock.advance(Duration::from_secs(advance));
        assert_eq!(refusal(gateway.with_token("opaque").await).status(), 401);
        assert_eq!(gateway.house.server.introspections(), expected);
    }
}

#[tokio::test]
async fn an_introspected_token_is_kept_no_longer_than_it_lives() {
    let gateway = introspecting(&json!({"auth_methods": ["introspection"]}));
    let exp = gateway.house.now().as_unix_seconds() + 10;
    let answer = json!({"active": true, "exp": exp}).to_string();
    gateway.house.server.explains("opaque", Say::Body(answer));
    passage(gateway.with_token("opaque").await);

    gateway.house.clock.advance(Duration::from_secs(10));

    assert_eq!(refusal(gateway.with_token("opaque").await).status(), 401);
    assert_eq!(gateway.house.server.introspections(), 2);
}

#[tokio::test]
async fn cache_times_bound_what_is_kept() {
    let kept_for = async |keys: Value, body: &Value| {
        let gateway = gateway(&keys);
        let mut body = body.clone();
        body["access_token"] = gateway.house.jwt("k1", &json!({})).into();
        gateway.house.server.says(&[Say::Body(body.to_string())]);
        passage(gateway.with_basic().await);
        let mut seconds = 0;
        while gateway.house.server.calls() == 1 && seconds < 400 {
            gateway.house.clock.advance(Duration::from_secs(10));
            seconds += 10;
            gateway.with_basic().await;
            // What is renewed ahead of time was still kept.
            if gateway.house.server.calls() == 1 {
                gateway.house.settle().await;
            }
        }
        seconds
    };

    // The token itself says 300 seconds.
    let usual = kept_for(json!({}), &json!({})).await;
    assert!((200..=300).contains(&usual), "{usual}");
    let most = kept_for(json!({"cache_ttl_max": 100}), &json!({})).await;
    assert!((60..=100).contains(&most), "{most}");
    let off = kept_for(json!({"cache_tokens": false}), &json!({})).await;
    assert_eq!(off, 10);
    let spent = kept_for(json!({"cache_ttl_min": 100}), &json!({"expires_in": 0})).await;
    assert_eq!(spent, 10);
}
