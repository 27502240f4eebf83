//! `oauth_client_credentials`, row by row.

use std::sync::Arc;
use std::time::Duration;

use app::gateway::settings::{PolicySettings, read_policy};
use app::gateway::{ClientCredentialsPolicy, Policy, PolicyChain};
use domain::gateway::{CacheUse, ClientAuthentication, Passage, Refusal, Verdict};
use serde_json::{Value, json};

use super::support::{Call, House, Say, basic, lines, passage, refusal, removes, token};

struct Gateway {
    house: House,
    policy: ClientCredentialsPolicy,
}

/// A policy with these keys besides the URL.
fn gateway(keys: &Value) -> Gateway {
    let house = House::new();
    let mut value = json!({"url": "https://as.example/token"});
    for (name, key) in keys.as_object().unwrap() {
        value[name] = key.clone();
    }
    let (settings, _) = read_policy("it", &json!({ "oauth_client_credentials": value })).unwrap();
    let PolicySettings::ClientCredentials(settings) = settings else { panic!() };
    let policy = ClientCredentialsPolicy {
        name: "api".into(),
        rules: settings.rules,
        endpoint: Arc::clone(&house.server) as _,
        tokens: house.tokens.clone(),
    };
    Gateway { house, policy }
}

fn application_mode() -> Gateway {
    gateway(&json!({}))
}

fn gateway_mode() -> Gateway {
    gateway(&json!({"clientID": "gw", "clientSecret": "s"}))
}

impl Gateway {
    async fn call(&self, headers: &[(&str, &str)]) -> Verdict {
        let call = Call::new(headers);
        self.policy.execute(&call.request(&call.parts())).await
    }

    async fn passes(&self, headers: &[(&str, &str)]) -> Passage {
        passage(self.call(headers).await)
    }

    async fn refuses(&self, headers: &[(&str, &str)]) -> Refusal {
        refusal(self.call(headers).await)
    }

    /// As a caller with credentials, where they are asked for.
    async fn refuses_a_known_caller(&self) -> Refusal {
        self.refuses(&[("Authorization", &basic("id:secret"))]).await
    }
}

fn jwt(claims: &Value) -> Say {
    let header = json!({"alg": "HS256"});
    token(&adapter_memory::testing::PlainSigner::compact(&header, claims), 600)
}

#[tokio::test]
async fn application_mode_exchanges_what_the_caller_brings() {
    let gateway = gateway(&json!({"audience": "urn:api", "scopes": ["b", "a"]}));

    let passage = gateway.passes(&[("authorization", &basic("id:se:cret"))]).await;

    assert_eq!(lines(&passage), ["authorization: Bearer t"]);
    assert!(removes(&passage.remove, "authorization"));
    assert_eq!(passage.token, None);
    let fetch = gateway.house.server.last();
    assert_eq!((&*fetch.credentials.id, fetch.credentials.secret.expose()), ("id", "se:cret"));
    assert_eq!(fetch.authentication, ClientAuthentication::Params);
    assert_eq!(fetch.audience.as_deref(), Some("urn:api"));
    assert_eq!(fetch.scopes, ["b".into(), "a".into()]);
}

#[tokio::test]
async fn application_mode_without_readable_basic_credentials_asks_nobody() {
    let gateway = application_mode();
    let good = basic("id:secret");
    let (empty, bare, padded) = (basic(":secret"), basic("id"), format!("{good}="));
    let bad: [&[(&str, &str)]; 8] = [
        &[],
        &[("Authorization", "Bearer x")],
        &[("Authorization", "Basic")],
        &[("Authorization", "Basic !")],
        &[("Authorization", &empty)],
        &[("Authorization", &bare)],
        &[("Authorization", &padded)],
        &[("Authorization", &good), ("authorization", &good)],
    ];
    for headers in bad {
        let refusal = gateway.refuses(headers).await;

        assert_eq!(refusal.status(), 401, "{headers:?}");
        assert_eq!(refusal.challenge.as_deref(), Some("Basic realm=\"api\""));
        assert!(removes(&refusal.remove, "authorization"));
    }
    assert_eq!(gateway.house.server.calls(), 0);
}

#[tokio::test]
async fn an_empty_secret_is_sent_on() {
    let gateway = application_mode();

    gateway.passes(&[("Authorization", &basic("id:"))]).await;

    assert_eq!(gateway.house.server.last().credentials.secret.expose(), "");
}

#[tokio::test]
async fn credentials_are_decoded_where_that_is_configured() {
    let gateway = gateway(&json!({"credentialsEncoding": "form"}));

    gateway.passes(&[("Authorization", &basic("i%20d:s%3a+"))]).await;

    let fetch = gateway.house.server.last();
    assert_eq!((&*fetch.credentials.id, fetch.credentials.secret.expose()), ("i d", "s: "));
    assert_eq!(gateway.refuses(&[("Authorization", &basic("a%zz:b"))]).await.status(), 401);
}

#[tokio::test]
async fn gateway_mode_needs_nothing_of_the_caller_and_overwrites_what_it_brings() {
    let gateway = gateway_mode();
    let stranger = [("Authorization", "Bearer stolen"), ("Authorization", "Basic !")];
    for headers in [&[][..], &stranger[..]] {
        let passage = gateway.passes(headers).await;

        assert_eq!(lines(&passage), ["authorization: Bearer t"]);
        assert!(removes(&passage.remove, "authorization"));
    }
    let fetch = gateway.house.server.last();
    assert_eq!((&*fetch.credentials.id, fetch.credentials.secret.expose()), ("gw", "s"));
    assert_eq!(fetch.authentication, ClientAuthentication::Header);
    assert!(!gateway.policy.authenticates());
    assert!(application_mode().policy.authenticates());
}

#[tokio::test]
async fn each_failure_has_its_status_in_each_mode() {
    for (say, application, own) in [
        (Say::Refuse(401, "invalid_client"), 401, 502),
        (Say::Refuse(400, "invalid_client"), 401, 502),
        (Say::Refuse(403, ""), 401, 502),
        (Say::Refuse(404, ""), 401, 502),
        (Say::Refuse(400, "unauthorized_client"), 401, 502),
        (Say::Refuse(400, "invalid_scope"), 502, 502),
        (Say::Refuse(400, "invalid_target"), 502, 502),
        (Say::Refuse(400, "invalid_request"), 502, 502),
        (Say::Throttle(7), 503, 503),
        (Say::Fail(500), 502, 502),
        (Say::Break, 502, 502),
        (Say::Late, 504, 504),
        (Say::Useless, 502, 502),
        (Say::OutOfOrder, 500, 500),
    ] {
        for (gateway, expected) in [(application_mode(), application), (gateway_mode(), own)] {
            gateway.house.server.says(std::slice::from_ref(&say));

            let refusal = gateway.refuses_a_known_caller().await;

            assert_eq!(refusal.status(), expected, "{say:?}");
            assert_eq!(refusal.challenge.is_some(), expected == 401);
            assert_eq!(refusal.retry_after_seconds(), (expected == 503).then_some(7));
            assert_eq!(refusal.content_type(), "application/problem+json");
            assert!(!refusal.cause.is_empty());
            assert!(!refusal.body("r").contains(&*refusal.cause));
        }
    }
}

#[tokio::test]
async fn claims_that_are_not_as_wanted_are_forbidden() {
    let gateway = gateway(&json!({"claims": "Equals(`grp`,`admin`)"}));
    for (say, expected) in [
        (jwt(&json!({"grp": "admin"})), None),
        (jwt(&json!({"grp": "other"})), Some(403)),
        (jwt(&json!({})), Some(403)),
        (token("opaque", 600), Some(403)),
        (token("a.b.c", 600), Some(403)),
    ] {
        gateway.house.server.says(&[say]);
        // Another secret, another token.
        let credentials = basic(&format!("id:{}", gateway.house.server.calls()));
        let verdict = gateway.call(&[("Authorization", &credentials)]).await;
        match expected {
            None => drop(passage(verdict)),
            Some(status) => {
                let refusal = refusal(verdict);
                assert_eq!((refusal.status(), refusal.challenge), (status, None));
            }
        }
        // A hit is judged as a miss is.
        let again = gateway.call(&[("Authorization", &credentials)]).await;
        assert_eq!(matches!(again, Verdict::Passage(_)), expected.is_none());
    }
}

#[tokio::test]
async fn t46_claims_travel_on_and_the_callers_own_headers_never_do() {
    let gateway = gateway(&json!({
        "forwardHeaders": {"X-User": "user.name", "X-Group": "groups", "X-Missing": "nope"},
        "usernameClaim": "user.name",
        "clientID": "gw", "clientSecret": "s",
    }));
    gateway.house.server.says(&[jwt(&json!({"user": {"name": "John"}, "groups": ["a", "b"]}))]);
    let forged =
        [("x-user", "root"), ("X_User", "root"), ("X-MISSING", "root"), ("X-Other", "kept")];

    for expected in [CacheUse::Miss, CacheUse::Hit] {
        let passage = gateway.passes(&forged).await;

        let mut set = lines(&passage);
        set.retain(|it| !it.starts_with("authorization"));
        set.sort();
        assert_eq!(set, ["x-group: a", "x-group: b", "x-user: John"]);
        for name in ["x-user", "x-group", "x-missing", "x_user", "authorization"] {
            assert!(removes(&passage.remove, name), "{name}");
        }
        assert!(!removes(&passage.remove, "x-other"));
        assert_eq!(passage.username.as_deref(), Some("John"));
        assert_eq!(passage.cache, expected);
    }
    gateway.house.clock.advance(Duration::from_hours(1));
    gateway.house.server.says(&[Say::Fail(500)]);
    let refusal = gateway.refuses(&forged).await;
    for name in ["x-user", "x_user", "x-missing"] {
        assert!(removes(&refusal.remove, name), "{name}");
    }
}

#[tokio::test]
async fn a_missing_claim_is_an_empty_header_where_that_is_configured() {
    let gateway = gateway(&json!({"forwardHeaders": {"X-User": "nope"}, "missingClaim": "empty"}));

    let passage = gateway.passes(&[("Authorization", &basic("id:s"))]).await;

    assert_eq!(lines(&passage), ["x-user: ", "authorization: Bearer t"]);
}

#[tokio::test]
async fn a_claim_that_cannot_be_a_header_is_an_internal_error() {
    for claim in [json!("a\r\nX-Admin: 1"), json!({}), json!(null), json!("\u{e9}")] {
        let gateway = gateway(&json!({"forwardHeaders": {"X-User": "name"}}));
        gateway.house.server.says(&[jwt(&json!({"name": claim}))]);

        assert_eq!(gateway.refuses_a_known_caller().await.status(), 500);
    }
}

#[tokio::test]
async fn upstream_may_refuse_the_gateways_token_and_not_the_callers() {
    for (gateway, expected) in [(gateway_mode(), 2), (application_mode(), 1)] {
        let chain = PolicyChain::new(vec![Policy::ClientCredentials(Box::new(gateway.policy))]);
        let credentials = basic("id:secret");
        let call = Call::new(&[("Authorization", &credentials)]);
        let parts = call.parts();
        let first = passage(chain.execute(&call.request(&parts)).await);

        let is_purged = chain.upstream_refused(&first).await;
        passage(chain.execute(&call.request(&parts)).await);

        assert_eq!(is_purged, expected == 2);
        assert_eq!(gateway.house.server.calls(), expected);
    }
}

#[tokio::test]
async fn a_cache_that_is_off_means_a_call_for_each_request() {
    let gateway = gateway(&json!({"cache": "off", "clientID": "gw", "clientSecret": "s"}));

    for calls in 1..=3 {
        assert_eq!(gateway.passes(&[]).await.cache, CacheUse::Miss);
        assert_eq!(gateway.house.server.calls(), calls);
    }
}

#[tokio::test]
async fn t37_a_policy_does_not_betray_itself_in_a_debug_log() {
    let gateway = gateway(&json!({"url": "https://as.example/token?key=hunter2",
        "clientID": "gw", "clientSecret": "hunter2"}));
    gateway.house.server.says(&[token("hunter2", 60)]);
    let verdict = gateway.call(&[]).await;

    let shown = format!("{verdict:?} {:?} {:?}", gateway.policy, gateway.policy.rules);

    assert!(!shown.contains("hunter2"), "{shown}");
}
