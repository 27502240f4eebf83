//! Logs, metrics and traces: what the server tells about itself, and what it never tells.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::jwt::{GRANT, RSA, b64};
use crate::support::server::{MANAGEMENT_TOKEN, eventually};
use crate::support::{Answer, Client, Options, Server, redacted, within};

fn traced() -> Options {
    Options::default().with("LOG_LEVEL", "trace").with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

/// The lines of the request with this id, as soon as there are so many.
fn lines_of(server: &Server, id: &str, count: usize) -> Vec<Value> {
    eventually(
        "the lines of a request",
        || {
            let lines: Vec<Value> =
                server.log().into_iter().filter(|line| line["reqId"] == id).collect();
            (lines.len() == count).then_some(lines)
        },
        || server.printed(),
    )
}

#[tokio::test]
async fn a_request_leaves_lines_of_the_vendors_shape() {
    let server = Server::start_with(traced());

    let request = server
        .http
        .get(server.at("/tokeninfo?access_token=hush"))
        .header("x-request-id", "the-callers-own-name")
        .header("x-forwarded-host", "tokens.example")
        .header("user-agent", "of the tests/1.0");
    assert_eq!(Answer::to(request).await.status, 401);

    let lines = lines_of(&server, "the-callers-own-name", 2);
    let moment = lines[1]["time"].as_u64().unwrap();
    assert!(1_700_000_000_000 < moment, "{moment} is no number of milliseconds");
    assert!(lines[1]["responseTime"].as_f64().unwrap() < 10_000.0);
    let changing = ["/0/time", "/1/time", "/1/responseTime", "/1/http/response/body/bytes"];
    insta::assert_json_snapshot!(redacted(lines.clone().into(), &changing), @r#"
    [
      {
        "host": {
          "forwardedHost": "tokens.example",
          "hostname": "127.0.0.1",
          "ip": "127.0.0.1"
        },
        "http": {
          "request": {
            "method": "GET",
            "userAgent": {
              "original": "of the tests/1.0"
            }
          }
        },
        "level": 10,
        "msg": "incoming request",
        "reqId": "the-callers-own-name",
        "time": "[redacted]",
        "url": {
          "path": "/tokeninfo"
        }
      },
      {
        "host": {
          "forwardedHost": "tokens.example",
          "hostname": "127.0.0.1",
          "ip": "127.0.0.1"
        },
        "http": {
          "request": {
            "method": "GET",
            "userAgent": {
              "original": "of the tests/1.0"
            }
          },
          "response": {
            "body": {
              "bytes": "[redacted]"
            },
            "statusCode": 401
          }
        },
        "level": 30,
        "msg": "request completed",
        "reqId": "the-callers-own-name",
        "responseTime": "[redacted]",
        "time": "[redacted]",
        "url": {
          "path": "/tokeninfo"
        }
      }
    ]
    "#);
    let bytes = lines[1]["http"]["response"]["body"]["bytes"].as_u64().unwrap();
    assert!((50..500).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_request_without_a_usable_id_gets_one() {
    let server = Server::start_with(traced());
    for id in ["", "with space", "caff\u{e8}", &"x".repeat(129)] {
        let request = server.http.get(server.at("/of-an-odd-id")).header("x-request-id", id);
        assert_eq!(Answer::to(request).await.status, 404);
    }
    let lines = eventually(
        "the lines",
        || {
            let lines = server.log();
            let done = |line: &Value| {
                line["msg"] == "request completed" && line["url"]["path"] == "/of-an-odd-id"
            };
            let lines: Vec<Value> = lines.into_iter().filter(done).collect();
            (lines.len() == 4).then_some(lines)
        },
        || server.printed(),
    );
    let ids: BTreeSet<String> =
        lines.iter().map(|line| line["reqId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 4);
    for id in ids {
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    }
}

#[tokio::test]
async fn status_routes_leave_no_lines() {
    let server = Server::start_with(traced());
    for path in ["/-/healthz", "/-/ready", "/-/check-up", "/-/metrics", "/-/nothing"] {
        server.get(path).await;
    }
    server.get("/the-last-one").await;

    let is_last = |line: &Value| line["url"]["path"] == "/the-last-one";
    eventually(
        "the last line",
        || server.log().iter().any(|it| is_last(it) && it["level"] == 30).then_some(()),
        || server.printed(),
    );
    assert!(!server.printed().contains("\"/-/"), "{}", server.printed());
}

/// Each level lets through what is at least as grave.
#[tokio::test]
async fn log_levels_are_the_vendors() {
    for (level, expected) in [
        ("trace", [10, 30].as_slice()),
        ("debug", &[30]),
        ("info", &[30]),
        ("warn", &[]),
        ("error", &[]),
        ("fatal", &[]),
    ] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = Options::default()
            .with("TOKENWRIGHT__LISTEN", &format!("127.0.0.1:{port}"))
            .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
            .with("DELAY_SHUTDOWN_SECONDS", "0")
            .with("LOG_LEVEL", level)
            .with("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN);
        let mut server = Server::spawn_at(port, options);
        within(Duration::from_secs(20), "readiness", async || {
            (server.get("/-/ready").await.status == 200).then_some(())
        })
        .await;
        server.get("/nothing").await;
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success());
        server.await_end_of_output();

        let of_requests: Vec<u64> = server
            .log()
            .iter()
            .filter(|line| line["url"]["path"] == "/nothing")
            .map(|line| line["level"].as_u64().unwrap())
            .collect();
        assert_eq!(of_requests, expected, "{level}: {}", server.printed());
        let lowest = server.log().iter().filter_map(|it| it["level"].as_u64()).min();
        let threshold = match level {
            "trace" => 10,
            "debug" => 20,
            "info" => 30,
            "warn" => 40,
            _ => 50,
        };
        assert!(lowest.is_none_or(|it| threshold <= it), "{level}: {}", server.printed());
    }
}

/// The value of the sample that has all of `labels`.
fn sample(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let is_it = |line: &&str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|it| it.starts_with([' ', '{']))
            && labels.iter().all(|label| line.contains(label))
    };
    let line = metrics.lines().find(is_it);
    let line = line.unwrap_or_else(|| panic!("no {name} with {labels:?} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let client = server.register().await;
    for _ in 0..3 {
        server.token_of(&client).await;
    }
    let wrong = Client { secret: "wrong".to_owned(), ..client.clone() };
    server.token(&wrong.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    let signer = server.key_client(&RSA).await;
    signer.assert_welcome(&server).await;
    let token = server.token_of(&client).await;
    server.tokeninfo(&token).await;
    server.get("/nothing/like/this").await;

    let metrics = server.get("/-/metrics").await.text;

    let requests = "tokenwright_http_requests_total";
    let of_tokens = r#"endpoint="/oauth/token""#;
    assert!((sample(&metrics, requests, &[of_tokens, r#"outcome="ok""#]) - 5.0).abs() < 0.1);
    let refused = [of_tokens, r#"outcome="invalid_client""#];
    assert!((sample(&metrics, requests, &refused) - 1.0).abs() < 0.1);
    assert!(0.0 < sample(&metrics, requests, &[r#"endpoint="unknown""#, "not_found"]));
    let latency = "tokenwright_http_request_duration_seconds";
    assert!((sample(&metrics, &format!("{latency}_count"), &[of_tokens]) - 6.0).abs() < 0.1);
    assert!(0.0 < sample(&metrics, &format!("{latency}_sum"), &[of_tokens]));
    let issued = "tokenwright_tokens_issued_total";
    let by_secret = [r#"method="client_secret_basic""#, r#"alg="ES256""#];
    assert!((sample(&metrics, issued, &by_secret) - 4.0).abs() < 0.1);
    let by_key = [r#"method="private_key_jwt""#, r#"alg="ES256""#];
    assert!((sample(&metrics, issued, &by_key) - 1.0).abs() < 0.1);
    for cache in ["client", "credential", "verified_secret"] {
        assert!(0.0 < sample(&metrics, &format!("tokenwright_{cache}_cache_hits_total"), &[]));
    }
    for count in [
        "client_cache_misses_total",
        "client_cache_stale_total",
        "reference_cache_hits_total",
        "revocation_cache_hits_total",
        "hashing_queued",
        "hashing_running",
        "hashing_rejected_total",
        "last_use_waiting",
        "last_use_dropped_total",
        "log_lines_dropped_total",
    ] {
        assert!(0.0 <= sample(&metrics, &format!("tokenwright_{count}"), &[]));
    }
    assert!(0.0 < sample(&metrics, "tokenwright_hashing_finished_total", &[]));
    let store = "tokenwright_store_duration_seconds_count";
    let insert = [r#"store="sqlite""#, r#"operation="insert_client""#, r#"outcome="ok""#];
    assert!((sample(&metrics, store, &insert) - 2.0).abs() < 0.1);
    let content_type = server.get("/-/metrics").await.header("content-type").to_owned();
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
}

/// No label is one that callers can make up, however many paths they ask for.
#[tokio::test]
async fn metrics_do_not_grow_with_what_callers_say() {
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    let ask = async |n: u32| {
        server.get(&format!("/made-up-{n}")).await;
        Answer::to(server.manage("GET", &format!("/clients/made-up-{n}"))).await;
        server.get(&format!("/documentation/made-up-{n}")).await;
        let method = reqwest::Method::from_bytes(format!("MADEUP{n}").as_bytes()).unwrap();
        Answer::to(server.http.request(method, server.at("/oauth/token"))).await;
        server.token(&crate::support::basic(&format!("made-up-{n}"), "x"), &[GRANT]).await;
    };
    ask(0).await;
    let before = server.get("/-/metrics").await.text;
    for n in 1..30 {
        ask(n).await;
    }
    let after = server.get("/-/metrics").await.text;

    assert!(!after.contains("made-up") && !after.contains("MADEUP"), "{after}");
    assert!(after.lines().count() <= before.lines().count() + 20, "{after}");
}

/// A scenario with every kind of request, of failure and of secret, on the most talkative level.
#[tokio::test]
async fn t37_nothing_secret_is_told_to_anybody() {
    let collector = Collector::start();
    let pepper = "pepper-4711-pepper-4711-pepper-4711";
    let options = traced()
        .with("TOKENWRIGHT__SECRETS__PEPPER", pepper)
        .with("TOKENWRIGHT__KEYS__PASSWORD", "password-4711")
        .with("TOKENWRIGHT__TELEMETRY__OTLP_ENDPOINT", &collector.url)
        .with("DELAY_SHUTDOWN_SECONDS", "0");
    let mut server = Server::start_with(options);
    let mut hush = vec![
        MANAGEMENT_TOKEN.to_owned(),
        pepper.to_owned(),
        "password-4711".to_owned(),
        "PRIVATE KEY".to_owned(),
        "$2b$".to_owned(),
        "$argon2".to_owned(),
    ];
    let client = server.register().await;
    let managed =
        server.create_client(json!({"scope": "clients:read", "permissions": ["p"]})).await;
    hush.extend([client.secret.clone(), managed.secret.clone(), client.basic(), managed.basic()]);
    let token = server.token_of(&client).await;
    let form = [GRANT, ("scope", "clients:read")];
    let operator = server.token(&managed.basic(), &form).await.text_at("/access_token");
    hush.extend(token.split('.').chain(operator.split('.')).map(str::to_owned));
    let made = Answer::to(server.manage("POST", &format!("/clients/{}/secrets", client.id))).await;
    hush.push(made.text_at("/client_secret"));

    // Good and bad, in every place where a caller may put something.
    server.tokeninfo(&token).await;
    server.get(&format!("/tokeninfo?access_token={token}&q=query-4711")).await;
    let bad = format!("{token}x");
    server.tokeninfo(&bad).await;
    for (secret, id) in [("wrong-4711", client.id.as_str()), ("wrong-4712", "unknown-client")] {
        let wrong = crate::support::basic(id, secret);
        server.token(&wrong, &[GRANT]).await;
        hush.extend([secret.to_owned(), wrong]);
        let post = [GRANT, ("client_id", id), ("client_secret", secret)];
        server.token("", &post).await;
    }
    hush.extend(["query-4711", "form-4711", "json-4711", "cookie-4711"].map(str::to_owned));
    server.token("Basic !!form-4711", &[GRANT]).await;
    server.token(&client.basic(), &[("grant_type", "password"), ("password", "form-4711")]).await;
    server.token(&client.basic(), &[GRANT, ("scope", "form-4711")]).await;
    server.token(&client.basic(), &[GRANT, ("audience", "form-4711")]).await;
    let raw = server.http.post(server.at("/oauth/token?client_secret=query-4711"));
    Answer::to(raw.body("client_secret=form-4711&%zz").header("cookie", "s=cookie-4711")).await;
    Answer::to(server.http.post(server.at("/register")).body("{\"client_secret\":\"json-4711\""))
        .await;
    server
        .post_json("/register", &json!({"client_name": 7, "public_key": {"d": "json-4711"}}))
        .await;
    let private = json!({
        "client_name": "a", "token_endpoint_auth_method": "private_key_jwt",
        "public_key": {"kty": "RSA", "kid": "k", "n": b64([1; 256]), "e": "AQAB", "d": "json-4711"},
    });
    server.post_json("/register", &private).await;
    Answer::to(server.http.get(server.at("/clients")).bearer_auth("wrong-4711-token")).await;
    Answer::to(server.http.get(server.at("/clients")).bearer_auth(&operator)).await;
    Answer::to(server.http.post(server.at("/clients")).bearer_auth(&operator)).await;
    Answer::to(server.manage("GET", "/clients?search=query-4711")).await;
    let signer = server.key_client(&RSA).await;
    let good = signer.assertion();
    let expired = signer.changed(&json!({"exp": 1}));
    for assertion in [&good, &good, &expired, &format!("{good}x")] {
        signer.send(&server, assertion).await;
        hush.extend(assertion.split('.').map(str::to_owned));
    }
    let revoke = server.http.post(server.at("/oauth2/revoke")).form(&[("token", &token)]);
    Answer::to(revoke.header("authorization", client.basic())).await;
    server.tokeninfo(&token).await;
    Answer::to(server.manage("POST", &format!("/clients/{}/disable", client.id))).await;
    Answer::to(server.manage("DELETE", &format!("/clients/{}", managed.id))).await;
    let metrics = server.get("/-/metrics").await.text;
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    server.await_end_of_output();

    let printed = server.printed();
    let traces = collector.text();
    assert!(printed.contains("incoming request") && traces.contains("issue_token"));
    // The header of a JWT is no secret, and too short a text may be anywhere.
    hush.retain(|it| 8 <= it.len() || it.starts_with('$'));
    for secret in hush {
        for (place, text) in [("output", &printed), ("metrics", &metrics), ("traces", &traces)] {
            assert!(!text.contains(&secret), "{secret} is in the {place}");
        }
    }
}

/// A request line, and a body.
type Posted = (String, Vec<u8>);

/// Takes whatever is posted, as an OTLP collector does.
struct Collector {
    url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let posted = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&posted);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || Self::serve(stream.unwrap(), &kept));
            }
        });
        Self { url, posted }
    }

    /// Request after request on one connection.
    fn serve(mut stream: std::net::TcpStream, kept: &Mutex<Vec<Posted>>) {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 65_536]);
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..length]);
            while let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let size = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    let is_it = name.eq_ignore_ascii_case("content-length");
                    is_it.then(|| value.trim().parse::<usize>().unwrap())
                });
                let whole = end + 4 + size.unwrap_or(0);
                if bytes.len() < whole {
                    break;
                }
                let body: Vec<u8> = bytes.drain(..whole).skip(end + 4).collect();
                kept.lock().unwrap().push((head.lines().next().unwrap().to_owned(), body));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        }
    }

    fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    /// All bodies, as far as they are text.
    fn text(&self) -> String {
        let bodies: Vec<Vec<u8>> = self.posted().into_iter().map(|(_, body)| body).collect();
        String::from_utf8_lossy(&bodies.concat()).into_owned()
    }
}

#[tokio::test]
async fn spans_go_to_the_collector_below_the_span_of_the_caller() {
    let collector = Collector::start();
    let options = Options::default()
        .with("TOKENWRIGHT__TELEMETRY__OTLP_ENDPOINT", &collector.url)
        .with("DELAY_SHUTDOWN_SECONDS", "0");
    let mut server = Server::start_with(options);
    let client = server.register().await;

    let request = server.http.post(server.at("/oauth/token")).form(&[GRANT]);
    let request = request
        .header("authorization", client.basic())
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_eq!(Answer::to(request).await.status, 200);
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success(), "{}", server.printed());

    let posted = collector.posted();
    assert!(!posted.is_empty());
    assert!(posted.iter().all(|(line, _)| line == "POST /v1/traces HTTP/1.1"), "{posted:?}");
    let text = collector.text();
    for name in ["tokenwright", "/oauth/token", "issue_token", "register_client", "http.route"] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    let bodies: Vec<u8> = posted.into_iter().flat_map(|(_, body)| body).collect();
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let parent = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    let count = |it: &[u8]| bodies.windows(it.len()).filter(|window| *window == it).count();
    assert!(3 <= count(&trace), "the request and what it does: {}", count(&trace));
    assert_eq!(count(&parent), 1, "the request alone is below the caller's span");
}

/// A collector that is out takes nothing with it.
#[tokio::test]
async fn a_collector_that_is_out_harms_nobody() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let options = Options::default()
        .with("TOKENWRIGHT__TELEMETRY__OTLP_ENDPOINT", &endpoint)
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("DELAY_SHUTDOWN_SECONDS", "0");
    let mut server = Server::start_with(options);

    server.token_of(&server.register().await).await;

    server.signal(Signal::SIGTERM);
    assert!(server.wait().success(), "{}", server.printed());
}
