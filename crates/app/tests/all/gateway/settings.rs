//! What a configuration may say, and every mistake in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use app::gateway::settings::{
    CachingSettings, ClientCredentialsSettings, OpenidConnectSettings, PolicySettings,
    RedisTopology, ResolveSecrets, read_policy,
};
use async_trait::async_trait;
use domain::gateway::{ClientAuthentication, SecretReference};
use domain::port::SecretReader;
use domain::{ClientSecret, Fault};
use proptest::prelude::*;
use serde_json::{Value, json};

fn mistakes(policy: &Value) -> Vec<String> {
    let mistakes = read_policy("p", policy).unwrap_err();
    mistakes.iter().map(ToString::to_string).collect()
}

fn client_credentials(keys: &Value) -> ClientCredentialsSettings {
    match read_policy("p", &json!({ "oauth_client_credentials": keys })).unwrap().0 {
        PolicySettings::ClientCredentials(settings) => *settings,
        _ => panic!(),
    }
}

fn openid_connect(keys: &Value) -> OpenidConnectSettings {
    match read_policy("p", &json!({ "openid_connect": keys })).unwrap().0 {
        PolicySettings::OpenidConnect(settings) => *settings,
        _ => panic!(),
    }
}

#[test]
fn what_is_not_said_is_as_the_tables_have_it() {
    let settings = client_credentials(&json!({"url": "https://as/token"}));
    assert_eq!(settings.connection.timeout, Duration::from_secs(5));
    assert_eq!(settings.connection.total_timeout, Duration::from_secs(30));
    assert_eq!(settings.connection.max_retries, 3);
    assert!(settings.connection.verifies_certificates);
    assert!(matches!(settings.caching, CachingSettings::Memory));
    assert_eq!(settings.rules.authentication, ClientAuthentication::Params);
    assert!(settings.rules.own_credentials.is_none());

    let settings = openid_connect(&json!({"issuer": "https://as"}));
    assert_eq!(settings.connection.timeout, Duration::from_secs(10));
    assert_eq!(settings.rediscovery, Duration::from_secs(30));
    assert_eq!(settings.rules.scopes, ["openid".into()]);
    let keeping = settings.rules.keeping.unwrap();
    assert_eq!(keeping.unless_known, Some(Duration::from_hours(1)));
    let rules = &settings.rules;
    assert!(rules.takes_credentials && !rules.takes_jwts && !rules.takes_opaque_tokens);
    assert!(rules.places.header && rules.places.query && rules.places.body);
    assert!(rules.hides_credentials && rules.verifies_signatures && rules.token.verify_claims);
    assert_eq!(rules.upstream_token.as_ref().unwrap().header.as_str(), "authorization");
}

#[test]
fn everything_can_be_said_and_in_any_case() {
    let settings = client_credentials(&json!({
        "URL": "https://as/token", "Audience": "urn:api", "SCOPES": ["a"], "clientid": "gw",
        "CLIENTSECRET": "s", "authstyle": "AUTO", "claims": "Equals(`a`,`b`)",
        "forwardheaders": {"X-A": r"a\.b"}, "missingclaim": "empty", "usernameclaim": "sub",
        "clientconfig": {"timeoutseconds": 1, "totaltimeoutseconds": 2, "maxretries": 0,
            "tls": {"insecureskipverify": true}},
        "store": {"keyprefix": "k:", "secret": "0123456789abcdef", "redis": {
            "endpoints": ["a:1", "b:2"], "username": "u", "password": "p", "database": 3,
            "sentinel": {"masterset": "m", "username": "su", "password": "sp"},
            "tls": {"insecureskipverify": false}}},
    }));

    assert_eq!(settings.rules.authentication, ClientAuthentication::Auto);
    assert_eq!(settings.rules.claims.unwrap().to_string(), "Equals(`a`, `b`)");
    assert_eq!(settings.rules.forward.to_string(), r"x-a: a\.b");
    assert_eq!(settings.connection.max_retries, 0);
    assert!(!settings.rules.salt.is_empty());
    let CachingSettings::Store(store) = settings.caching else { panic!() };
    assert_eq!((&*store.key_prefix, store.redis.database), ("k:", 3));
    let RedisTopology::Sentinel { master_set, .. } = store.redis.topology else { panic!() };
    assert_eq!(&*master_set, "m");
}

#[test]
fn every_mistake_of_a_traefik_policy_is_told_at_once() {
    let told = mistakes(&json!({ "oauth_client_credentials": {
        "url": "ftp://as", "clientID": "gw", "claims": "Equals(`a`, 1)", "authStyle": "digest",
        "cache": "disk", "credentialsEncoding": "utf7", "missingClaim": "x", "scopes": ["a b"],
        "forwardHeaders": {"Authorization": "a", "Host": "b", "Connection": "c", "X-A": "d", "x-a": "e",
            "Content-Length": "f", "b d": "g"},
        "clientConfig": {"timeoutSeconds": 0, "maxRetries": -1, "tls": {"cert": "x", "ca": "y"}},
        "store": {"secret": "short", "redis": {"cluster": {}, "sentinel": {}}},
        "client_secret": "s",
    }}));

    for expected in [
        "p.oauth_client_credentials.url: must be an http or https URL",
        "p.oauth_client_credentials.clientSecret: is required beside clientID",
        "p.oauth_client_credentials.claims: a string is expected here: write numbers and words as `text` too\n  Equals(`a`, 1)\n              ^",
        "p.oauth_client_credentials.authStyle: must be one of params, header, auto",
        "p.oauth_client_credentials.cache: must be one of memory, off",
        "p.oauth_client_credentials.credentialsEncoding: must be one of raw, form",
        "p.oauth_client_credentials.missingClaim: must be one of none, empty",
        "p.oauth_client_credentials.scopes[0]: scope does not match",
        "p.oauth_client_credentials.forwardHeaders.Authorization: is where the token goes",
        "p.oauth_client_credentials.forwardHeaders.Host: is a header of the connection",
        "p.oauth_client_credentials.forwardHeaders.Connection: is a header of the connection",
        "p.oauth_client_credentials.forwardHeaders.Content-Length: is a header of the connection",
        "p.oauth_client_credentials.forwardHeaders.b d: is no name of a header",
        "p.oauth_client_credentials.forwardHeaders.x-a: is there twice",
        "p.oauth_client_credentials.clientConfig.timeoutSeconds: must be a whole number of at least 1",
        "p.oauth_client_credentials.clientConfig.maxRetries: must be a whole number of at least 0",
        "p.oauth_client_credentials.clientConfig.tls.key: is required beside cert",
        "p.oauth_client_credentials.clientConfig.tls.cert: must be PEM",
        "p.oauth_client_credentials.clientConfig.tls.ca: must be PEM",
        "p.oauth_client_credentials.store.secret: must have 16, 24 or 32 bytes, and has 5",
        "p.oauth_client_credentials.store.redis.endpoints: is required",
        "p.oauth_client_credentials.store.redis.sentinel: stands beside cluster",
        "p.oauth_client_credentials.client_secret: is unknown: the key is written clientSecret",
    ] {
        assert!(told.iter().any(|it| it.starts_with(expected)), "{expected}\nin {told:#?}");
    }
    assert_eq!(told.len(), 23, "{told:#?}");
}

#[test]
fn every_mistake_of_a_kong_policy_is_told_at_once() {
    let told = mistakes(&json!({ "openid_connect": {
        "issuer": "as", "auth_methods": ["password"], "client_credentials_param_type": ["cookie"],
        "client_auth": "client_secret_jwt", "client_id": "gw", "token_endpoint_auth_method": "tls_client_auth",
        "token_post_args_names": ["a"], "token_headers_names": ["Host"], "token_headers_values": ["a\nb"],
        "scopes_claim": [], "leeway": -1, "cache_ttl": 0, "cache_ttl_min": 9, "cache_ttl_max": 8,
        "upstream_headers": [{"header": "Host"}, 7], "upstream_access_token_header": "a b:bearer",
        "client_jwk": "x", "http_proxy": "socks5://x", "introspect_jwt_tokens": "yes", "timeout": 0,
        "client_alg": "MD5", "client_key": "x", "cluster_cache_redis": {}, "redirect_uri": "https://x",
    }}));

    for expected in [
        "issuer: must be an http or https URL",
        "auth_methods[0]: must be one of client_credentials, bearer, introspection",
        "client_credentials_param_type[0]: must be one of header, query, body",
        "client_secret: is required beside client_id",
        "token_endpoint_auth_method: this method needs client_certificate",
        "token_post_args_values: has 0 entries, and token_post_args_names has 1",
        "token_headers_names[0]: is a header of the connection",
        "token_headers_values[0]: holds characters",
        "scopes_claim: must name at least one member",
        "leeway: must be a whole number of at least 0",
        "cache_ttl: must be a whole number of at least 1",
        "cache_ttl_min: is longer than cache_ttl_max",
        "upstream_headers[0].header: is a header of the connection",
        "upstream_headers[0].path: is required",
        "upstream_headers[1]: must be an object",
        "upstream_access_token_header: is no name of a header",
        "client_jwk: must be an object",
        "client_alg: must be one of HS256",
        "http_proxy: must be a URL of an HTTP proxy",
        "introspect_jwt_tokens: must be true or false",
        "timeout: must be a whole number of at least 1",
        "client_certificate: is required beside client_key",
        "client_key: must be PEM",
        "cluster_cache_redis.secret: is required",
        "cluster_cache_redis.redis: is required",
        "redirect_uri: is unknown",
    ] {
        let expected = format!("p.openid_connect.{expected}");
        assert!(told.iter().any(|it| it.starts_with(&expected)), "{expected}\nin {told:#?}");
    }
}

#[test]
fn every_mistake_of_a_bearer_policy_is_told_at_once() {
    let told = mistakes(&json!({ "bearer": {"audience": ["a b"], "introspection": {"url": "x"}} }));
    for expected in [
        "p.bearer.audience[0]: must be one audience",
        "p.bearer.introspection.url: must be an http or https URL",
        "p.bearer.introspection.clientID: is required",
        "p.bearer.introspection.clientSecret: is required",
    ] {
        assert!(told.iter().any(|it| it.starts_with(expected)), "{expected}\nin {told:#?}");
    }
    let told = mistakes(&json!({"bearer": {"audience": ["a"]}}));
    assert!(told[0].starts_with("p.bearer.issuer: is required"), "{told:?}");
    let told = mistakes(&json!({"bearer": {"jwksUri": "https://as/keys"}}));
    assert!(told[0].starts_with("p.bearer.issuers: is required"), "{told:?}");
}

#[test]
fn a_policy_has_one_kind() {
    let kinds = "p: must have one of the keys oauth_client_credentials, openid_connect, bearer";
    assert_eq!(mistakes(&json!({})), [kinds]);
    assert_eq!(mistakes(&json!({"bearer": {}, "openid_connect": {}})), [kinds]);
    assert_eq!(mistakes(&json!([])).len(), 2);
}

#[test]
fn what_is_allowed_and_should_be_known_is_a_warning() {
    let warnings = |policy: Value| -> Vec<String> {
        let (_, warnings) = read_policy("p", &policy).unwrap();
        warnings.iter().map(ToString::to_string).collect()
    };

    let redis = json!({"endpoints": ["a:1"], "database": 2, "cluster": {}});
    let store = json!({"secret": "0123456789abcdef", "redis": redis});
    let told = warnings(json!({"oauth_client_credentials": {"url": "https://as", "store": store}}));
    assert_eq!(
        told,
        ["p.oauth_client_credentials.store.redis.database: is ignored: a cluster has one"]
    );
    let told = warnings(json!({"openid_connect": {"issuer": "https://as", "ssl_verify": false}}));
    assert!(told[0].starts_with("p.openid_connect.ssl_verify: certificates are not verified"));
    let told = warnings(json!({"bearer": {"issuer": "https://as"}}));
    assert!(told[0].starts_with("p.bearer.audience: is not set"), "{told:?}");
}

#[test]
fn a_cache_that_is_off_is_off_with_a_store_as_well() {
    let store = json!({"secret": "0123456789abcdef", "redis": {"endpoints": ["a:1"]}});
    let keys = json!({"url": "https://as", "cache": "off", "store": store});

    assert!(!client_credentials(&keys).caching.is_on());
}

#[test]
fn t37_settings_do_not_betray_themselves_in_a_debug_log() {
    let secret = "hunter2 hunter2 hunter2 hunter22";
    let policies = [
        json!({"oauth_client_credentials": {"url": "https://as?key=hunter2", "clientID": "gw",
            "clientSecret": secret, "store": {"secret": secret,
            "redis": {"endpoints": ["a:1"], "password": secret}}}}),
        json!({"openid_connect": {"issuer": "https://as", "client_id": "gw", "client_secret": secret,
            "client_jwk": {"d": secret}, "token_headers_names": ["X-Key"],
            "token_headers_values": [secret], "http_proxy": "http://u:hunter2@proxy:1"}}),
    ];
    for policy in policies {
        let shown = format!("{:?}", read_policy("p", &policy).unwrap());

        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// Keys that mean something, and values of every kind.
fn configuration() -> impl Strategy<Value = Value> {
    const KEYS: &[&str] = &[
        "oauth_client_credentials",
        "openid_connect",
        "bearer",
        "url",
        "issuer",
        "claims",
        "scopes",
        "forwardHeaders",
        "clientConfig",
        "tls",
        "ca",
        "cert",
        "store",
        "redis",
        "secret",
        "endpoints",
        "sentinel",
        "cluster",
        "upstream_headers",
        "header",
        "path",
        "client_jwk",
        "hide_credentials",
        "token_post_args_names",
        "upstream_access_token_header",
        "introspection",
        "audience",
        "X-A",
        "scopes_claim",
        "auth_methods",
        "timeout",
        "clientID",
        "clientSecret",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "https?://[a-z]{1,5}(/[a-z{}]{0,5})?".prop_map(Value::from),
        "(!|\\(|Equals\\(`a`,`b`\\)|&&|`| |nil|:){0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(KEYS), inner, 0..6).prop_map(
                |members| {
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn no_configuration_makes_it_panic_or_fail_without_a_reason(inner in configuration()) {
        let policies = ["oauth_client_credentials", "openid_connect", "bearer"];
        let policies = policies.map(|kind| json!({ kind: inner }));
        for policy in policies.iter().chain([&inner]) {
            if let Err(mistakes) = read_policy("p", policy) {
                prop_assert!(!mistakes.is_empty());
                prop_assert!(mistakes.iter().all(|it| it.path.starts_with('p')));
            }
        }
    }
}

struct Secrets(HashMap<&'static str, &'static str>);

#[async_trait]
impl SecretReader for Secrets {
    async fn read(&self, reference: &SecretReference) -> Result<Option<ClientSecret>, Fault> {
        if reference.name() == "broken" {
            return Err(Fault::unavailable("the folder is gone"));
        }
        let found = self.0.get(reference.to_string().as_str());
        Ok(found.map(|it| ClientSecret::new((*it).to_owned())))
    }
}

#[tokio::test]
async fn secrets_stand_where_they_were_referred_to() {
    let reader = Secrets(HashMap::from([("urn:k8s:secret:app:id", "urn:k8s:secret:app:other")]));
    let resolve = ResolveSecrets { reader: Arc::new(reader) };
    let configuration = json!({"a": ["x", "urn:k8s:secret:app:id"], "audience": "urn:example:api"});

    let resolved = resolve.execute(configuration).await.unwrap();

    // What a secret holds is not read as a reference again.
    assert_eq!(
        resolved,
        json!({"a": ["x", "urn:k8s:secret:app:other"], "audience": "urn:example:api"})
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_a_mistake_with_its_path() {
    let resolve = ResolveSecrets { reader: Arc::new(Secrets(HashMap::new())) };
    let configuration = json!({"a": ["urn:k8s:secret:app:gone"], "b": {"c": "urn:k8s:configmap:a:b"},
        "d": "urn:k8s:secret:..:passwd", "e": "urn:k8s:secret:broken:x"});

    let mistakes = resolve.execute(configuration).await.unwrap_err();

    let mut told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(told[0], "a[0]: there is no secret urn:k8s:secret:app:gone");
    assert!(told[1].starts_with("b.c: must be written urn:k8s:secret:NAME:KEY"));
    assert!(told[2].starts_with("d: must be written urn:k8s:secret:NAME:KEY"));
    assert!(told[3].starts_with("e: a dependency is unavailable: the folder is gone"));
    assert_eq!(told.len(), 4);
}
