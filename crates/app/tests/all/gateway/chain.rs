//! Several policies, one after another.

use std::sync::Arc;

use app::gateway::settings::{PolicySettings, read_policy};
use app::gateway::{
    BearerPolicy, ClientCredentialsPolicy, OpenidConnectPolicy, Policy, PolicyChain,
};
use domain::gateway::CacheUse;
use serde_json::{Value, json};

use super::support::{Call, House, ISSUER, lines, passage, refusal, removes};

fn bearer(house: &House, keys: &Value) -> Policy {
    let (settings, _) = read_policy("it", &json!({ "bearer": keys })).unwrap();
    let PolicySettings::Bearer(settings) = settings else { panic!() };
    Policy::Bearer(Box::new(BearerPolicy {
        name: "callers".into(),
        rules: settings.rules,
        provider: Some(house.provider()),
        introspection: None,
        introspections: house.introspections.clone(),
        clock: Arc::clone(&house.clock) as _,
    }))
}

fn gateway_mode(house: &House, keys: &Value) -> Policy {
    let mut value =
        json!({"url": "https://as.example/token", "clientID": "gw", "clientSecret": "s"});
    for (name, key) in keys.as_object().unwrap() {
        value[name] = key.clone();
    }
    let (settings, _) = read_policy("it", &json!({ "oauth_client_credentials": value })).unwrap();
    let PolicySettings::ClientCredentials(settings) = settings else { panic!() };
    Policy::ClientCredentials(Box::new(ClientCredentialsPolicy {
        name: "upstream".into(),
        rules: settings.rules,
        endpoint: Arc::clone(&house.server) as _,
        tokens: house.tokens.clone(),
    }))
}

#[tokio::test]
async fn one_finds_out_who_calls_and_the_next_gets_the_token_for_upstream() {
    let house = House::new();
    let keys =
        json!({"issuer": ISSUER, "forwardHeaders": {"X-User": "sub"}, "usernameClaim": "sub"});
    let chain = PolicyChain::new(vec![bearer(&house, &keys), gateway_mode(&house, &json!({}))]);
    let credentials = format!("Bearer {}", house.jwt("k1", &json!({})));
    let call = Call::new(&[("Authorization", &credentials), ("X-User", "root")]);
    let parts = call.parts();

    let passage = passage(chain.execute(&call.request(&parts)).await);

    assert_eq!(lines(&passage), ["x-user: billing", "authorization: Bearer t"]);
    assert!(removes(&passage.remove, "authorization") && removes(&passage.remove, "x-user"));
    assert_eq!((passage.username.as_deref(), passage.cache), (Some("billing"), CacheUse::Miss));
    assert!(chain.authenticates());
    assert!(!chain.wants_form());
    assert!(chain.upstream_refused(&passage).await);
}

#[tokio::test]
async fn nobody_gets_a_token_whom_an_earlier_policy_refuses() {
    let house = House::new();
    let keys = json!({"issuer": ISSUER, "forwardHeaders": {"X-User": "sub"}});
    let more = json!({"forwardHeaders": {"X-Upstream": "sub"}});
    let chain = PolicyChain::new(vec![bearer(&house, &keys), gateway_mode(&house, &more)]);
    let call = Call::new(&[("X_Upstream", "root")]);

    let refusal = refusal(chain.execute(&call.request(&call.parts())).await);

    assert_eq!(refusal.status(), 401);
    assert_eq!(house.server.calls(), 0);
    // T46: the headers of the policies that were not asked go as well.
    for name in ["x-user", "x-upstream", "x_upstream", "authorization"] {
        assert!(removes(&refusal.remove, name), "{name}");
    }
}

#[tokio::test]
async fn a_header_is_whose_policy_names_it_last() {
    let house = House::new();
    let keys = json!({"issuer": ISSUER, "forwardHeaders": {"X-User": "sub"}});
    let more = json!({"forwardHeaders": {"X-User": "sub"}});
    let chain = PolicyChain::new(vec![bearer(&house, &keys), gateway_mode(&house, &more)]);
    let credentials = format!("Bearer {}", house.jwt("k1", &json!({})));
    let call = Call::new(&[("Authorization", &credentials)]);

    let passage = passage(chain.execute(&call.request(&call.parts())).await);

    // The token for upstream is opaque, and names nobody.
    assert_eq!(lines(&passage), ["authorization: Bearer t"]);
}

#[tokio::test]
async fn a_chain_that_finds_out_nobody_says_so() {
    let house = House::new();
    let chain = PolicyChain::new(vec![gateway_mode(&house, &json!({}))]);

    assert!(!chain.authenticates());
    assert!(!PolicyChain::default().authenticates());
}

#[tokio::test]
async fn what_one_policy_hides_the_next_one_does_not_bring_back() {
    let house = House::new();
    let jwt = house.jwt("k1", &json!({}));
    house.server.says(&[super::support::token(&jwt, 300)]);
    let hiding = |name: &str| {
        let keys = json!({"issuer": ISSUER, "hide_credentials": [name]});
        let (settings, _) = read_policy("it", &json!({ "openid_connect": keys })).unwrap();
        let PolicySettings::OpenidConnect(settings) = settings else { panic!() };
        Policy::OpenidConnect(Box::new(OpenidConnectPolicy {
            rules: settings.rules,
            provider: house.provider(),
            endpoint: Arc::clone(&house.server) as _,
            introspection: Arc::clone(&house.server) as _,
            tokens: house.tokens.clone(),
            introspections: house.introspections.clone(),
            clock: Arc::clone(&house.clock) as _,
        }))
    };
    let chain = PolicyChain::new(vec![hiding("one"), hiding("other")]);
    let mut call = Call::new(&[("Authorization", &super::support::basic("id:secret"))]);
    call.query = Some("one=1&other=2&left=3".to_owned());
    call.form = Some("other=2&one=1".to_owned());

    let passage = passage(chain.execute(&call.request(&call.parts())).await);

    assert_eq!(passage.query.as_deref(), Some("left=3"));
    assert_eq!(passage.form.as_deref(), Some(&b""[..]));
}
