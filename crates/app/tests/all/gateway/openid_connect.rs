//! `openid_connect`, row by row.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::PlainSigner;
use app::gateway::OpenidConnectPolicy;
use app::gateway::settings::{PolicySettings, read_policy};
use domain::gateway::{CacheUse, ClientAuthentication, Passage, Refusal, Verdict};
use serde_json::{Value, json};

use super::support::{
    Call, House, ISSUER, KEYS, METADATA, Say, basic, lines, passage, refusal, removes, token,
};

pub(super) struct Gateway {
    pub(super) house: House,
    pub(super) policy: OpenidConnectPolicy,
}

/// A policy with these keys besides the issuer. Its provider gives a good token.
pub(super) fn gateway(keys: &Value) -> Gateway {
    let house = House::new();
    let mut value = json!({ "issuer": ISSUER });
    for (name, key) in keys.as_object().unwrap() {
        value[name] = key.clone();
    }
    let (settings, _) = read_policy("it", &json!({ "openid_connect": value })).unwrap();
    let PolicySettings::OpenidConnect(settings) = settings else { panic!() };
    let policy = OpenidConnectPolicy {
        rules: settings.rules,
        provider: house.provider(),
        endpoint: Arc::clone(&house.server) as _,
        introspection: Arc::clone(&house.server) as _,
        tokens: house.tokens.clone(),
        introspections: house.introspections.clone(),
        clock: Arc::clone(&house.clock) as _,
    };
    let gateway = Gateway { house, policy };
    gateway.gives(&json!({}));
    gateway
}

const INTROSPECTING: [(&str, &str); 2] = [("client_id", "gw"), ("client_secret", "s")];

pub(super) fn introspecting(keys: &Value) -> Gateway {
    let mut keys = keys.clone();
    for (name, value) in INTROSPECTING {
        keys[name] = value.into();
    }
    gateway(&keys)
}

impl Gateway {
    /// The provider gives a token of `k1` with these claims from now on.
    fn gives(&self, claims: &Value) -> String {
        let jwt = self.house.jwt("k1", claims);
        self.house.server.says(&[token(&jwt, 300)]);
        jwt
    }

    async fn call(&self, call: &Call) -> Verdict {
        self.policy.execute(&call.request(&call.parts())).await
    }

    pub(super) async fn with_basic(&self) -> Verdict {
        self.call(&Call::new(&[("Authorization", &basic("id:secret"))])).await
    }

    pub(super) async fn with_token(&self, token: &str) -> Verdict {
        self.call(&Call::new(&[("Authorization", &format!("Bearer {token}"))])).await
    }
}

fn challenge(refusal: &Refusal) -> &str {
    refusal.challenge.as_deref().unwrap()
}

#[tokio::test]
async fn credentials_become_a_verified_token() {
    let gateway = gateway(&json!({}));
    let jwt = gateway.gives(&json!({}));

    let passage = passage(gateway.with_basic().await);

    assert_eq!(lines(&passage), [format!("authorization: Bearer {jwt}")]);
    assert_eq!(passage.cache, CacheUse::Miss);
    let fetch = gateway.house.server.last();
    assert_eq!(fetch.url.as_str(), "https://as.example/token");
    assert_eq!(fetch.authentication, ClientAuthentication::Header);
    assert_eq!((&*fetch.credentials.id, fetch.credentials.secret.expose()), ("id", "secret"));
    assert_eq!(fetch.scopes, ["openid".into()]);
    let again = self::passage(gateway.with_basic().await);
    assert_eq!((again.cache, gateway.house.server.calls()), (CacheUse::Hit, 1));
}

#[tokio::test]
async fn credentials_are_looked_for_in_the_header_the_query_and_the_form() {
    let found = async |keys: &Value, headers: &[(&str, &str)], query: &str, form: &str| {
        let gateway = gateway(keys);
        let mut call = Call::new(headers);
        (call.query, call.form) = (Some(query.to_owned()), Some(form.to_owned()));
        match gateway.call(&call).await {
            Verdict::Passage(_) => {
                let credentials = gateway.house.server.last().credentials;
                format!("{}:{}", credentials.id, credentials.secret.expose())
            }
            Verdict::Refusal(refusal) => refusal.status().to_string(),
        }
    };
    let all = json!({});
    let header = basic("h:h");
    let header = [("Authorization", header.as_str())];
    let (query, form) = ("client_id=q&client_secret=q", "client_id=f&client_secret=f");

    assert_eq!(found(&all, &header, query, form).await, "h:h");
    assert_eq!(found(&all, &[], query, form).await, "q:q");
    assert_eq!(found(&all, &[], "", form).await, "f:f");
    // Half a pair falls through, and so does one that comes twice.
    assert_eq!(found(&all, &[], "client_id=q", form).await, "f:f");
    assert_eq!(found(&all, &[], "client_id=q&client_id=r&client_secret=q", form).await, "f:f");
    assert_eq!(found(&all, &[], "client_id=q", "client_secret=f").await, "401");
    assert_eq!(found(&all, &[("Authorization", "Bearer x")], query, "").await, "q:q");
    assert_eq!(found(&all, &[("Authorization", "Basic !")], query, "").await, "401");
    let only_form = json!({"client_credentials_param_type": ["body"]});
    assert_eq!(found(&only_form, &header, query, form).await, "f:f");
    assert_eq!(found(&only_form, &header, query, "").await, "401");
    let long = format!("{form}&x={}", "x".repeat(64 * 1024));
    assert_eq!(found(&only_form, &[], "", &long).await, "401");
}

#[tokio::test]
async fn credentials_never_reach_upstream_wherever_they_were() {
    let gateway = gateway(&json!({"upstream_access_token_header": "x-token"}));
    let jwt = gateway.gives(&json!({}));
    let mut call = Call::new(&[("Authorization", &basic("id:secret"))]);
    call.query = Some("a=1&client_id=q&client_secret=q&b=%20".to_owned());
    call.form = Some("client_secret=f&c=2".to_owned());

    let passage = passage(gateway.call(&call).await);

    assert!(removes(&passage.remove, "authorization"));
    assert_eq!(passage.query.as_deref(), Some("a=1&b=%20"));
    assert_eq!(passage.form.as_deref(), Some(&b"c=2"[..]));
    assert_eq!(lines(&passage), [format!("x-token: {jwt}")]);
}

#[tokio::test]
async fn credentials_reach_upstream_where_that_is_configured() {
    let keys = json!({"hide_credentials": false, "upstream_access_token_header": "nil"});
    let gateway = gateway(&keys);
    let mut call = Call::new(&[("Authorization", &basic("id:secret"))]);
    call.query = Some("client_id=q".to_owned());

    let passage = passage(gateway.call(&call).await);

    assert!(!removes(&passage.remove, "authorization"));
    assert_eq!((passage.query, passage.form), (None, None));
    assert!(passage.set.is_empty());
}

#[tokio::test]
async fn arguments_are_fixed_or_taken_from_the_caller() {
    let gateway = gateway(&json!({
        "token_post_args_names": ["audience"], "token_post_args_values": ["api"],
        "token_post_args_client": ["tenant", "user"],
        "token_headers_names": ["X-From"], "token_headers_values": ["gateway"],
        "hide_credentials": ["user"], "scopes": [],
    }));
    let mut call = Call::new(&[("Authorization", &basic("id:secret"))]);
    call.query = Some("tenant=7&user=u".to_owned());
    assert!(gateway.policy.wants_form());

    let passage = passage(gateway.call(&call).await);

    let fetch = gateway.house.server.last();
    let pair = |name: &str, value: &str| (name.into(), value.into());
    assert_eq!(fetch.arguments, [pair("audience", "api"), pair("tenant", "7"), pair("user", "u")]);
    assert_eq!(fetch.headers, [pair("X-From", "gateway")]);
    assert!(fetch.scopes.is_empty());
    assert_eq!(passage.query.as_deref(), Some("tenant=7"));
    // Another argument is another question.
    call.query = Some("tenant=8&user=u".to_owned());
    assert_eq!(self::passage(gateway.call(&call).await).cache, CacheUse::Miss);
}

#[tokio::test]
async fn each_failure_has_its_status() {
    for (say, expected) in [
        (Say::Refuse(401, "invalid_client"), 401),
        (Say::Refuse(400, "invalid_client"), 401),
        (Say::Refuse(400, "invalid_grant"), 401),
        (Say::Refuse(400, "unauthorized_client"), 502),
        (Say::Refuse(400, "invalid_scope"), 502),
        (Say::Throttle(7), 503),
        (Say::Fail(500), 503),
        (Say::Break, 503),
        (Say::Late, 503),
        (Say::Useless, 502),
    ] {
        let gateway = gateway(&json!({}));
        gateway.house.server.says(std::slice::from_ref(&say));

        let refusal = refusal(gateway.with_basic().await);

        assert_eq!(refusal.status(), expected, "{say:?}");
        assert_eq!(refusal.retry_after_seconds().is_some(), expected == 503, "{say:?}");
        assert!(removes(&refusal.remove, "x-consumer-username"));
    }
}

#[tokio::test]
async fn a_caller_is_told_what_kong_tells() {
    let gateway = gateway(&json!({"scopes_required": ["admin"]}));

    let absent = refusal(gateway.call(&Call::new(&[])).await);
    assert_eq!(absent.status(), 401);
    assert_eq!(challenge(&absent), "Bearer realm=\"as.example\"");
    assert_eq!(absent.body("r"), r#"{"message":"Unauthorized"}"#);
    assert_eq!(absent.content_type(), "application/json");

    let bad = refusal(gateway.call(&Call::new(&[("Authorization", "Basic !")])).await);
    assert_eq!(challenge(&bad), "Bearer realm=\"as.example\", error=\"invalid_token\"");

    let forbidden = refusal(gateway.with_basic().await);
    assert_eq!(forbidden.status(), 403);
    assert_eq!(challenge(&forbidden), "Bearer realm=\"as.example\", error=\"insufficient_scope\"");
    assert_eq!(forbidden.body("r"), r#"{"message":"Forbidden"}"#);

    let silent = self::gateway(&json!({"expose_error_code": false, "scopes_required": ["admin"],
        "unauthorized_error_message": "who?", "forbidden_error_message": "no"}));
    let bad = refusal(silent.call(&Call::new(&[("Authorization", "Basic !")])).await);
    assert_eq!(challenge(&bad), "Bearer realm=\"as.example\"");
    assert_eq!(bad.body("r"), r#"{"message":"who?"}"#);
    let forbidden = refusal(silent.with_basic().await);
    assert_eq!(
        (forbidden.challenge.as_deref(), forbidden.body("r").as_str()),
        (None, r#"{"message":"no"}"#)
    );
}

#[tokio::test]
async fn a_provider_that_is_down_lets_nobody_in_and_blames_nobody() {
    for (url, say) in [
        (METADATA, Say::Break),
        (METADATA, Say::Fail(500)),
        (KEYS, Say::Late),
        (KEYS, Say::Body("{}".to_owned())),
    ] {
        let gateway = gateway(&json!({}));
        gateway.house.documents.publish(url, say.clone());

        let refusal = refusal(gateway.with_basic().await);

        assert_eq!(refusal.status(), 503, "{url} {say:?}");
        assert!(refusal.retry_after_seconds().is_some());
        gateway.house.publish_metadata(&json!({}));
        gateway.house.publish_keys(&["k1"]);
        gateway.house.clock.advance(Duration::from_secs(2));
        passage(gateway.with_basic().await);
    }
}

#[tokio::test]
async fn a_token_of_the_provider_that_is_not_good_is_the_providers_fault() {
    let gateway = gateway(&json!({}));
    let house = &gateway.house;
    let unsigned = format!("{}x", house.jwt("k1", &json!({})));
    let header = json!({"alg": "HS256", "kid": "k1"});
    let exp = house.now().as_unix_seconds() + 300;
    let shared = PlainSigner::compact(&header, &json!({"iss": ISSUER, "exp": exp}));
    for bad in [
        unsigned,
        shared,
        house.jwt("unknown", &json!({})),
        house.jwt("k1", &json!({"iss": "https://evil.example"})),
        house.jwt("k1", &json!({"exp": 1})),
        house.jwt("k1", &json!({"nbf": exp})),
    ] {
        house.server.says(&[token(&bad, 300)]);
        let refusal = refusal(gateway.with_basic().await);
        assert_eq!(refusal.status(), 502, "{}", refusal.cause);
    }
}

#[tokio::test]
async fn verification_can_be_turned_off() {
    let gateway = gateway(&json!({"verify_signature": false, "verify_claims": false}));
    let house = &gateway.house;
    let token = house.jwt("unknown", &json!({"iss": "https://other.example", "exp": 1}));
    let say = json!({"access_token": token, "expires_in": 60}).to_string();
    house.server.says(&[Say::Body(say)]);

    passage(gateway.with_basic().await);

    assert_eq!(house.documents.fetches(KEYS), 0);
}

#[tokio::test]
async fn requirements_are_items_of_which_one_is_met_by_all_that_is_in_it() {
    let claims = json!({"scope": "read write", "aud": ["api"], "realm": {"roles": ["ops"]}});
    for (keys, expected) in [
        (json!({"scopes_required": ["read write"]}), true),
        (json!({"scopes_required": ["read admin"]}), false),
        (json!({"scopes_required": ["admin", "read"]}), true),
        (json!({"audience_required": ["api"]}), true),
        (json!({"audience_required": ["other"]}), false),
        (json!({"roles_required": ["ops"], "roles_claim": ["realm", "roles"]}), true),
        (json!({"roles_required": ["ops"]}), false),
        (json!({"groups_required": ["x"]}), false),
        (json!({"scopes_required": ["read"], "audience_required": ["other"]}), false),
        (json!({"claims_forbidden": ["realm"]}), false),
        (json!({"claims_forbidden": ["admin"]}), true),
        (json!({"issuers_allowed": ["https://other.example", ISSUER]}), true),
    ] {
        let gateway = gateway(&keys);
        gateway.gives(&claims);

        match gateway.with_basic().await {
            Verdict::Passage(_) => assert!(expected, "{keys}"),
            Verdict::Refusal(refusal) => {
                assert_eq!((refusal.status(), expected), (403, false), "{keys}");
            }
        }
    }
}

#[tokio::test]
async fn t46_claims_and_consumers_travel_on_and_the_callers_own_headers_never_do() {
    let gateway = gateway(&json!({
        "upstream_headers": [{"header": "X-Org", "path": ["org", "id"]}],
        "consumer_claims": ["sub"],
    }));
    gateway.gives(&json!({"org": {"id": 7}}));
    let credentials = basic("id:secret");
    let call = Call::new(&[
        ("Authorization", &credentials),
        ("X-Org", "root"),
        ("x_consumer_username", "root"),
        ("X-Consumer-ID", "root"),
    ]);

    for _ in 0..2 {
        let passage = passage(gateway.call(&call).await);

        let set = lines(&passage);
        assert!(set.contains(&"x-org: 7".to_owned()), "{set:?}");
        assert!(set.contains(&"x-consumer-username: billing".to_owned()), "{set:?}");
        assert_eq!(passage.username.as_deref(), Some("billing"));
        for name in ["x-org", "x-consumer-username", "x_consumer_username", "x-consumer-id"] {
            assert!(removes(&passage.remove, name), "{name}");
        }
    }
}

/// Two that begin alike are two; an empty name is none.
#[tokio::test]
async fn t46_a_consumer_is_the_whole_of_its_name() {
    for end in ["bob", "eve"] {
        let gateway = gateway(&json!({"consumer_claims": ["name"]}));
        let name = format!("{}{end}", "a".repeat(256));
        gateway.gives(&json!({"name": name}));
        let passage = passage(gateway.with_basic().await);
        assert!(lines(&passage).contains(&format!("x-consumer-username: {name}")));
    }
    let gateway = gateway(&json!({"consumer_claims": ["name"]}));
    gateway.gives(&json!({"name": ""}));
    assert_eq!(refusal(gateway.with_basic().await).status(), 403);
}

#[tokio::test]
async fn who_is_no_consumer_is_forbidden_unless_that_is_optional() {
    let keys = json!({"consumer_claims": ["nope"]});
    assert_eq!(refusal(gateway(&keys).with_basic().await).status(), 403);

    let keys = json!({"consumer_claims": ["nope"], "consumer_optional": true});
    let passage: Passage = passage(gateway(&keys).with_basic().await);
    assert!(!lines(&passage).iter().any(|it| it.starts_with("x-consumer")));
}

#[tokio::test]
async fn only_a_real_preflight_passes_unseen() {
    let gateway = gateway(&json!({"run_on_preflight": false}));
    let mut call = Call::new(&[
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "GET"),
        ("X-Consumer-Username", "root"),
    ]);
    call.method = "OPTIONS";
    let passage = passage(gateway.call(&call).await);
    assert!(passage.set.is_empty());
    assert!(removes(&passage.remove, "x-consumer-username"));

    call.headers.remove(0);
    assert_eq!(refusal(gateway.call(&call).await).status(), 401);
    let strict = self::gateway(&json!({}));
    call.headers.push(("Origin".to_owned(), "https://app.example".to_owned()));
    assert_eq!(refusal(strict.call(&call).await).status(), 401);
}

#[tokio::test]
async fn an_assertion_is_for_the_issuer() {
    let gateway = gateway(&json!({"token_endpoint_auth_method": "client_secret_jwt"}));

    passage(gateway.with_basic().await);

    let fetch = gateway.house.server.last();
    assert_eq!(fetch.authentication, ClientAuthentication::SecretJwt);
    assert_eq!(fetch.assertion_audience.as_deref(), Some(ISSUER));
}
