//! `bearer`, row by row.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::PlainSigner;
use app::gateway::settings::{PolicySettings, read_policy};
use app::gateway::{BearerPolicy, IntrospectionServer};
use domain::gateway::Verdict;
use serde_json::{Value, json};

use super::support::{Call, House, ISSUER, METADATA, Say, lines, passage, refusal, removes};

struct Gateway {
    house: House,
    policy: BearerPolicy,
}

fn gateway(keys: &Value) -> Gateway {
    let house = House::new();
    let (settings, _) = read_policy("it", &json!({ "bearer": keys })).unwrap();
    let PolicySettings::Bearer(settings) = settings else { panic!() };
    let policy = BearerPolicy {
        name: "api".into(),
        rules: settings.rules,
        provider: settings.address.map(|_| house.provider()),
        introspection: settings.introspection.map(|it| IntrospectionServer {
            endpoint: Arc::clone(&house.server) as _,
            url: it.url,
            credentials: it.credentials,
            authentication: it.authentication,
            assertion_audience: None,
            is_cached: it.is_cached,
        }),
        introspections: house.introspections.clone(),
        clock: Arc::clone(&house.clock) as _,
    };
    Gateway { house, policy }
}

fn of_jwts(more: &Value) -> Gateway {
    let mut keys = json!({"issuer": ISSUER, "audience": ["api"]});
    for (name, key) in more.as_object().unwrap() {
        keys[name] = key.clone();
    }
    gateway(&keys)
}

impl Gateway {
    async fn call(&self, headers: &[(&str, &str)]) -> Verdict {
        let call = Call::new(headers);
        self.policy.execute(&call.request(&call.parts())).await
    }

    async fn with(&self, token: &str) -> Verdict {
        self.call(&[("Authorization", &format!("Bearer {token}"))]).await
    }

    async fn with_claims(&self, claims: &Value) -> Verdict {
        self.with(&self.house.jwt("k1", claims)).await
    }
}

#[tokio::test]
async fn a_good_token_passes_as_it_came() {
    let gateway = of_jwts(&json!({"usernameClaim": "sub"}));

    let passage = passage(gateway.with_claims(&json!({"aud": ["other", "api"]})).await);

    assert_eq!(passage.username.as_deref(), Some("billing"));
    assert!(passage.set.is_empty());
    assert!(!removes(&passage.remove, "authorization"));

    let hiding = of_jwts(&json!({"hideToken": true}));
    let passage = self::passage(hiding.with_claims(&json!({"aud": "api"})).await);
    assert!(removes(&passage.remove, "authorization"));
}

#[tokio::test]
async fn each_refusal_has_its_challenge() {
    let gateway =
        of_jwts(&json!({"scopes": ["read", "write"], "claims": "!Equals(`tier`,`free`)"}));
    let good = json!({"aud": "api", "scope": "write read"});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    passage(gateway.with_claims(&good).await);
    let invalid = Some("Bearer realm=\"api\", error=\"invalid_token\"");
    let lacking = Some("Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"read write\"");
    for (claims, status, challenge) in [
        (with("aud", json!("other")), 401, invalid),
        (with("aud", json!(null)), 401, invalid),
        (with("iss", json!("https://evil.example")), 401, invalid),
        (with("exp", json!(1)), 401, invalid),
        (with("scope", json!("read")), 403, lacking),
        (with("tier", json!("free")), 403, lacking),
    ] {
        let refusal = refusal(gateway.with_claims(&claims).await);

        assert_eq!(
            (refusal.status(), refusal.challenge.as_deref()),
            (status, challenge),
            "{claims}"
        );
    }
    let absent = refusal(gateway.call(&[]).await);
    assert_eq!(absent.challenge.as_deref(), Some("Bearer realm=\"api\""));
    let doubled = [("Authorization", "Bearer a"), ("Authorization", "Bearer a")];
    let doubled = refusal(gateway.call(&doubled).await);
    assert_eq!(doubled.challenge.as_deref(), invalid);
    for token in ["opaque", "", "a.b.c"] {
        assert_eq!(refusal(gateway.with(token).await).challenge.as_deref(), invalid, "{token}");
    }
}

#[tokio::test]
async fn a_token_of_another_kind_or_bound_to_a_key_is_no_bearer_token() {
    let gateway = of_jwts(&json!({}));
    let bound = json!({"aud": "api", "cnf": {"jkt": "x"}});
    assert_eq!(refusal(gateway.with_claims(&bound).await).status(), 401);

    let exp = gateway.house.now().as_unix_seconds() + 60;
    let claims = json!({"iss": ISSUER, "aud": "api", "exp": exp});
    for (typ, expected) in [("at+jwt", 200), ("JWT", 200), ("logout+jwt", 401), ("dpop+jwt", 401)] {
        let header = json!({"alg": "ES256", "kid": "k1", "typ": typ});
        match gateway.with(&PlainSigner::compact(&header, &claims)).await {
            Verdict::Passage(_) => assert_eq!(expected, 200, "{typ}"),
            Verdict::Refusal(refusal) => assert_eq!(refusal.status(), expected, "{typ}"),
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_down_lets_nobody_in() {
    let gateway = of_jwts(&json!({}));
    gateway.house.documents.publish(METADATA, Say::Break);

    let refusal = refusal(gateway.with_claims(&json!({"aud": "api"})).await);

    assert_eq!((refusal.status(), refusal.challenge), (503, None));
}

#[tokio::test]
async fn opaque_tokens_are_introspected() {
    let introspection =
        json!({"url": "https://as.example/introspect", "clientID": "gw", "clientSecret": "s"});
    let gateway =
        gateway(&json!({"audience": ["api"], "introspection": introspection, "scopes": ["read"]}));
    let server = &gateway.house.server;
    server.explains("good", Say::Body(r#"{"active":true,"aud":"api","scope":"read"}"#.to_owned()));
    server
        .explains("other", Say::Body(r#"{"active":true,"aud":"other","scope":"read"}"#.to_owned()));
    server.explains("poor", Say::Body(r#"{"active":true,"aud":"api"}"#.to_owned()));
    server.explains("refused", Say::Refuse(401, "invalid_client"));
    server.explains("late", Say::Late);

    passage(gateway.with("good").await);
    for (token, status) in
        [("other", 401), ("poor", 403), ("unknown", 401), ("refused", 502), ("late", 503)]
    {
        assert_eq!(refusal(gateway.with(token).await).status(), status, "{token}");
    }
    let asked = server.introspections();
    passage(gateway.with("good").await);
    assert_eq!(server.introspections(), asked);
    gateway.house.clock.advance(Duration::from_mins(1));
    passage(gateway.with("good").await);
    assert_eq!(server.introspections(), asked + 1);
}

#[tokio::test]
async fn t46_claims_travel_on_and_the_callers_own_headers_never_do() {
    let gateway = of_jwts(&json!({"forwardHeaders": {"X-User": "sub", "X-Tier": "tier"}}));
    let token = gateway.house.jwt("k1", &json!({"aud": "api"}));
    let bearer = format!("Bearer {token}");
    let forged = [("Authorization", bearer.as_str()), ("X-USER", "root"), ("x_tier", "gold")];

    let passage = passage(gateway.call(&forged).await);
    let refusal = refusal(gateway.call(&forged[1..]).await);

    assert_eq!(lines(&passage), ["x-user: billing"]);
    for name in ["x-user", "x-tier", "x_tier"] {
        assert!(removes(&passage.remove, name), "{name}");
        assert!(removes(&refusal.remove, name), "{name}");
    }
}
