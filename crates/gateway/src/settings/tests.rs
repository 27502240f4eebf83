//! Configurations, good and bad.

use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"
listeners:
  - address: 127.0.0.1:8080
  - { name: decisions, address: "127.0.0.1:8081", serves: forward-auth }
  - { address: "127.0.0.1:8082", serves: admin }
trustedProxies: [127.0.0.1, 10.0.0.0/8]
upstreams:
  orders:
    addresses: ["127.0.0.1:9000", "orders.internal:9001"]
    http: "2"
    host: orders.internal
    connectTimeoutSeconds: 0.5
    keepAlive: false
    retries: 2
    healthCheck: { path: /health, intervalSeconds: 1 }
policies:
  token: { oauth_client_credentials: { url: "http://127.0.0.1/token" } }
routes:
  - { name: orders, hosts: [api.example.com], path: /orders, methods: [GET], policies: [token], upstream: orders }
  - { name: asked, path: /orders, policies: [token] }
"#;

fn parse(text: &str) -> Result<Settings, Vec<String>> {
    let document = document::parse(Path::new("gateway.yaml"), text);
    let settings = document
        .map_err(|why| vec![Mistake { path: String::new(), why }])
        .and_then(|it| Settings::of(&it));
    settings.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_good_file_is_read_whole() {
    let settings = parse(GOOD).unwrap();

    let serves: Vec<_> = settings.listeners.iter().map(|it| it.serves.clone()).collect();
    assert_eq!(serves, [Serves::Proxy, Serves::ForwardAuth, Serves::Admin]);
    assert_eq!(settings.listeners[0].name, "127.0.0.1:8080");
    let orders = &settings.upstreams["orders"];
    assert_eq!(orders.addresses.len(), 2);
    assert_eq!(orders.connect_timeout, Duration::from_millis(500));
    assert_eq!(orders.keep_alive, None);
    assert_eq!(settings.routes[0].upstream.as_deref(), Some("orders"));
    assert_eq!(settings.routes[0].policies, ["token"]);
    assert!(settings.policies["token"]["oauth_client_credentials"].is_object());
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let mistakes = parse(
        r#"
listeners:
  - { address: "localhost:8080", tls: { certificate: /no/such/file } }
  - { address: "127.0.0.1:1", serves: forward-auth }
  - { address: "127.0.0.1:1", name: "127.0.0.1:1" }
upstreams:
  orders: { addresses: ["9000"], http: "3", colour: red }
routes:
  - { name: a, upstream: nobody, policies: [guard] }
  - { name: a, path: "/x/..", methods: [get] }
"#,
    )
    .unwrap_err();

    let expected = [
        "listeners[0].address: must be an IP address and a port, like 127.0.0.1:8080",
        "listeners[0].tls.certificate: /no/such/file cannot be read",
        "listeners[0].tls.key: is missing",
        "listeners[1].address: is taken by another listener",
        "listeners[1].name: is taken by another listener",
        "routes[1].methods[0]: must be a method in upper case, like GET",
        "routes[1].path: the path has dot segments",
        "trustedProxies: is missing: say which proxies may ask the listener of forward-auth",
        "upstreams.orders.addresses[0]: must be a host and a port",
        "upstreams.orders.colour: is unknown: there are ",
        "upstreams.orders.http: must be one of \"1.1\", \"2\", \"auto\"",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(expected), "{mistake} is not {expected}");
    }
}

#[test]
fn routes_must_name_what_is_there_and_must_not_tie() {
    let mistakes = parse(
        r#"
listeners: [{ address: "127.0.0.1:0" }]
routes:
  - { name: a, hosts: [a.org, b.org], upstream: nobody, policies: [guard] }
  - { name: a, hosts: [B.org.] }
"#,
    )
    .unwrap_err();

    assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
    assert_eq!(mistakes[0], "routes[0].policies[0]: names no member of `policies`");
    assert_eq!(mistakes[1], "routes[0].upstream: names no member of `upstreams`");
    assert!(mistakes[2].starts_with("routes[1]: is ambiguous"), "{mistakes:#?}");
    assert_eq!(mistakes[3], "routes[1].name: is taken by another route");
}

#[test]
fn a_gateway_that_listens_nowhere_is_a_mistake() {
    for text in ["{}", "listeners: []"] {
        assert_eq!(parse(text).unwrap_err(), ["listeners: is missing: say where to listen"]);
    }
    assert_eq!(parse("7").unwrap_err(), ["must have keys of its own"]);
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(text in r"[ \n:{}\[\]&*,'\x22a-z0-9#|>!%@-]{0,200}") {
        let _ = parse(&text);
        let toml = document::parse(Path::new("a.toml"), &text);
        let _ = toml.map(|it| Settings::of(&it));
    }

    #[test]
    fn a_good_file_with_a_bite_taken_out_never_makes_the_reader_panic(
        from in 0..GOOD.len(), len in 0..40_usize, put in r"[ \n:{}\[\],'\x22a-z0-9*&-]{0,6}",
    ) {
        let to = GOOD.len().min(from + len);
        if let (Some(head), Some(tail)) = (GOOD.get(..from), GOOD.get(to..)) {
            let _ = parse(&format!("{head}{put}{tail}"));
        }
    }
}
