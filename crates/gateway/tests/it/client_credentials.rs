//! The policy `oauth_client_credentials`, through the proxy.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::redis::{MASTER_NAME, Passwords, SentinelGroup};
use tokio::time::Instant;

use crate::support::gateway::headers;
use crate::support::issuer::{Act, Issuer, Scripted, claims, json_of, say, token};
use crate::support::raw::{Raw, status};
use crate::support::upstream::request;
use crate::support::{Echo, Gateway, Upstream, within};

/// Routes `/guarded` with a policy of these options, and `/open` without one.
fn guarded(upstream: &Upstream, options: &Value) -> String {
    let policies = json!({ "it": { "oauth_client_credentials": options } });
    format!(
        "{}policies: {policies}\nroutes:\n\
         - {{ name: guarded, path: /guarded, policies: [it], upstream: it }}\n\
         - {{ name: open, path: /open, upstream: it }}\n",
        upstream.settings("")
    )
}

async fn status_of(gateway: &Gateway, credentials: Option<(&str, &str)>) -> (u16, Value) {
    let mut request = gateway.http.get(gateway.url("/guarded"));
    if let Some((id, secret)) = credentials {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = json!(headers(&response));
    (status, json!({ "headers": headers, "body": response.text().await.unwrap() }))
}

#[tokio::test]
async fn in_application_mode_the_callers_credentials_become_a_token() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let url = format!("{}/oauth/token", issuer.url);
    let gateway =
        Gateway::start(&guarded(&upstream, &json!({ "url": url, "usernameClaim": "sub" })));

    let mut tokens = Vec::new();
    for expected in ["miss", "hit"] {
        let request = gateway.http.get(gateway.url("/guarded/x"));
        let request = request.basic_auth(&client.id, Some(&client.secret));
        let response = request.send().await.unwrap();
        let id = headers(&response)["x-request-id"].clone();
        let echo = Echo::of(response).await;
        let token = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        assert_eq!(claims(token)["iss"], issuer.url);
        assert_eq!(claims(token)["sub"], client.id);
        tokens.push(token.to_owned());
        let line = gateway.logged(&id);
        assert_eq!(line["tokenCache"], expected, "{line}");
        assert_eq!(line["ClientUsername"], client.id.as_str());
        assert_eq!(line["policyOutcome"], "allowed");
    }
    assert_eq!(tokens[0], tokens[1]);
    let wrong = Some((client.id.as_str(), "wrong"));
    let (status, answer) = status_of(&gateway, wrong).await;
    assert_eq!(status, 401, "{answer}");
    assert!(!gateway.printed().contains(&client.secret), "{}", gateway.printed());
    assert!(!gateway.printed().contains(&tokens[0]), "{}", gateway.printed());
}

#[tokio::test]
async fn without_readable_credentials_nobody_is_asked() {
    let (server, upstream) =
        (Scripted::start([token("t", &json!({}))]).await, Upstream::echo().await);
    let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": server.url() })));

    let (status, answer) = status_of(&gateway, None).await;
    assert_eq!(status, 401);
    assert!(answer["headers"]["www-authenticate"].as_str().unwrap().starts_with("Basic realm="));
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["requestId"], answer["headers"]["x-request-id"]);
    for bad in ["Basic", "Basic !!!", "Basic OnNlY3JldA==", "Bearer x"] {
        let request = gateway.http.get(gateway.url("/guarded")).header("Authorization", bad);
        assert_eq!(request.send().await.unwrap().status(), 401, "{bad}");
    }
    assert!(server.questions().is_empty());
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn in_gateway_mode_the_callers_own_authorization_is_overwritten() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let url = format!("{}/oauth/token", issuer.url);
    let options = json!({ "url": url, "clientID": client.id, "clientSecret": client.secret });
    let gateway = Gateway::start(&guarded(&upstream, &options));

    let request = gateway.http.get(gateway.url("/guarded")).bearer_auth("of-the-caller");
    let echo = Echo::of(request.send().await.unwrap()).await;

    let token = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    assert_eq!(claims(token)["sub"], client.id);
    // Whoever reaches the route has the gateway's rights: that is said when it starts.
    assert_eq!(gateway.await_message("unwise", 1)["route"], "guarded");
}

#[tokio::test]
async fn t46_forwarded_claims_replace_what_callers_send_on_every_route_and_cache_hits() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let options = json!({
        "url": format!("{}/oauth/token", issuer.url),
        "clientID": client.id, "clientSecret": client.secret,
        "forwardHeaders": {
            "X-User": "sub", "X-Group": "not.there", "X-Forwarded-User": "sub",
        },
    });
    let gateway = Gateway::start(&guarded(&upstream, &options));
    let spoofed = async |path: &str| {
        let request = gateway.http.get(gateway.url(path)).header("X-User", "root");
        let request = request.header("x-GROUP", "admin").header("X_User", "root");
        let request = request.header("X-Forwarded-User", "root");
        Echo::of(request.send().await.unwrap()).await
    };

    for _ in 0..2 {
        let echo = spoofed("/guarded").await;
        assert_eq!(echo.all("x-user"), [client.id.as_str()]);
        assert_eq!(echo.all("x-forwarded-user"), [client.id.as_str()]);
        assert!(echo.all("x-group").is_empty() && echo.all("x_user").is_empty(), "{echo:?}");
    }
    // A route without a policy proves nobody, so nobody can be named there.
    let echo = spoofed("/open").await;
    assert!(echo.all("x-user").is_empty() && echo.all("x_user").is_empty(), "{echo:?}");
    assert!(echo.all("x-group").is_empty(), "{echo:?}");
    assert!(echo.all("x-forwarded-user").is_empty(), "{echo:?}");
}

#[tokio::test]
async fn claims_decide_who_may_go_on() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    for (claims, expected) in [
        (format!("Equals(`sub`, `{}`)", client.id), 200),
        ("Equals(`sub`, `somebody`)".to_owned(), 403),
        ("!Equals(`missing`, `x`)".to_owned(), 200),
    ] {
        let url = format!("{}/oauth/token", issuer.url);
        let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": url, "claims": claims })));
        let (status, answer) = status_of(&gateway, Some((&client.id, &client.secret))).await;
        assert_eq!(status, expected, "{claims}: {answer}");
    }
    // A token that is no JWT has no claims.
    let server = Scripted::start([token("opaque", &json!({}))]).await;
    let options = json!({ "url": server.url(), "claims": "!Equals(`a`, `b`)" });
    let gateway = Gateway::start(&guarded(&upstream, &options));
    assert_eq!(status_of(&gateway, Some(("a", "b"))).await.0, 403);
}

#[tokio::test]
async fn whatever_the_server_does_callers_are_told_what_the_table_says() {
    let upstream = Upstream::echo().await;
    let error = |status, code: &str| json_of(status, &json!({ "error": code }));
    let huge = format!("{{\"access_token\":\"{}\"}}", "x".repeat(2 << 20));
    let json = "Content-Type: application/json\r\n";
    let cut =
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{\"acc";
    let table = [
        // what the server does, application mode, gateway mode
        (error(401, "invalid_client"), 401, 502),
        (error(400, "invalid_client"), 401, 502),
        (error(400, "invalid_grant"), 401, 502),
        (error(400, "unauthorized_client"), 401, 502),
        (say(403, "", ""), 401, 502),
        (say(404, "", ""), 401, 502),
        (error(400, "invalid_scope"), 502, 502),
        (error(400, "invalid_target"), 502, 502),
        (error(400, "invalid_request"), 502, 502),
        (say(429, "Retry-After: 7\r\n", ""), 503, 503),
        (say(500, "", ""), 502, 502),
        (say(501, "", ""), 502, 502),
        (say(503, "Retry-After: 7\r\n", ""), 502, 502),
        (say(302, "Location: http://127.0.0.1:1/\r\n", ""), 502, 502),
        (say(201, json, "{\"access_token\":\"t\"}"), 502, 502),
        (say(200, json, "{\"access_token\":\"\"}"), 502, 502),
        (say(200, json, "{\"access_token\":"), 502, 502),
        (say(200, json, "{\"access_token\":\"t\",\"token_type\":\"mac\"}"), 502, 502),
        (say(200, json, &huge), 502, 502),
        (Act::Break(cut.to_owned()), 502, 502),
        (Act::Break(String::new()), 502, 502),
        (Act::Nothing, 504, 504),
    ];
    for (act, application, own) in table {
        let name = format!("{act:?}").chars().take(120).collect::<String>();
        let server = Scripted::start([act]).await;
        let config = json!({ "maxRetries": 0, "timeoutSeconds": 1 });
        let options = json!({ "url": server.url(), "clientConfig": config });
        let gateway = Gateway::start(&guarded(&upstream, &options));
        let (status, answer) = status_of(&gateway, Some(("id", "hunter2"))).await;
        assert_eq!(status, application, "application mode, {name}: {answer}");
        assert_eq!(answer["headers"].get("retry-after").is_some(), status == 503, "{name}");
        if status == 503 {
            assert_eq!(answer["headers"]["retry-after"], "7", "{name}");
        }
        assert!(!answer.to_string().contains("hunter2") && !gateway.printed().contains("hunter2"));

        let mut options = options;
        (options["clientID"], options["clientSecret"]) = (json!("id"), json!("hunter2"));
        let gateway = Gateway::start(&guarded(&upstream, &options));
        let (status, answer) = status_of(&gateway, None).await;
        assert_eq!(status, own, "gateway mode, {name}: {answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn tokens_are_kept_for_as_long_as_their_answer_says() {
    let upstream = Upstream::echo().await;
    for (expires_in, calls) in
        [(json!(3_600), 1), (json!("60"), 1), (json!(0), 3), (json!(-5), 3), (Value::Null, 3)]
    {
        let server = Scripted::start([token("t", &json!({ "expires_in": expires_in }))]).await;
        let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": server.url() })));
        for _ in 0..3 {
            assert_eq!(status_of(&gateway, Some(("id", "secret"))).await.0, 200);
        }
        assert_eq!(server.questions().len(), calls, "{expires_in}");
    }
}

#[tokio::test]
async fn a_change_of_the_configuration_forgets_no_token() {
    let upstream = Upstream::echo().await;
    let server = Scripted::start([token("t", &json!({}))]).await;
    let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": server.url() })));
    assert_eq!(status_of(&gateway, Some(("id", "secret"))).await.0, 200);

    gateway.rewrite(|text| text.replace("name: guarded", "name: renamed"));
    gateway.await_message("the configuration was changed", 1);

    assert_eq!(status_of(&gateway, Some(("id", "secret"))).await.0, 200);
    assert_eq!(server.questions().len(), 1);
}

#[tokio::test]
async fn failures_that_may_pass_are_tried_again() {
    let upstream = Upstream::echo().await;
    let server = Scripted::start([say(500, "", ""), token("t", &json!({}))]).await;
    let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": server.url() })));

    let started = Instant::now();
    assert_eq!(status_of(&gateway, Some(("id", "secret"))).await.0, 200);

    assert_eq!(server.questions().len(), 2);
    assert!(Duration::from_millis(500) < started.elapsed(), "{:?}", started.elapsed());
}

#[tokio::test]
async fn t48_of_a_herd_one_asks() {
    let upstream = Upstream::echo().await;
    let server = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        while request(&mut raw).await.is_some() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let body = r#"{"access_token":"t","expires_in":60}"#;
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
            raw.say(format!("{head}{length}\r\n\r\n{body}")).await;
        }
    })
    .await;
    let url = format!("http://{}/token", server.address);
    let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": url })));

    let herd = (0..200).map(|_| {
        let request = gateway.http.get(gateway.url("/guarded")).basic_auth("id", Some("secret"));
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses = futures_util::future::join_all(herd).await;

    assert!(statuses.iter().all(|it| *it == 200), "{statuses:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn whoever_goes_away_ends_what_is_tried_for_it() {
    let upstream = Upstream::echo().await;
    let server = Scripted::start([say(500, "", "")]).await;
    let options = json!({ "url": server.url(), "clientConfig": { "maxRetries": 20 } });
    let gateway = Gateway::start(&guarded(&upstream, &options));
    let ask = "GET /guarded HTTP/1.1\r\nHost: a\r\nAuthorization: Basic aWQ6c2VjcmV0\r\n\r\n";

    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say(ask).await;
    within(Duration::from_secs(10), "a question", async || {
        (!server.questions().is_empty()).then_some(())
    })
    .await;
    drop(raw);
    // The next try would come a second later.
    tokio::time::sleep(Duration::from_secs(3)).await;

    assert_eq!(server.questions().len(), 1);
    // Whoever sends the next request ahead has not gone, and gets both answers.
    let server = Scripted::start([say(500, "", ""), token("t", &json!({}))]).await;
    let gateway = Gateway::start(&guarded(&upstream, &json!({ "url": server.url() })));
    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say(ask).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    raw.say(ask).await;
    for _ in 0..2 {
        assert_eq!(status(&raw.message().await.0), 200);
    }
}

#[tokio::test]
async fn a_token_that_upstream_refuses_is_fetched_anew() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        while let Some((head, _)) = request(&mut raw).await {
            let status = if head.contains("Bearer old") { 401 } else { 200 };
            raw.say(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")).await;
        }
    })
    .await;
    let server = Scripted::start([token("old", &json!({})), token("new", &json!({}))]).await;
    let options = json!({ "url": server.url(), "clientID": "id", "clientSecret": "secret" });
    let gateway = Gateway::start(&guarded(&upstream, &options));

    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(status_of(&gateway, None).await.0);
    }

    assert_eq!(statuses, [401, 200, 200]);
    assert_eq!(server.questions().len(), 2);
}

#[tokio::test]
async fn gateways_share_tokens_through_redis_and_go_on_without_it() {
    let upstream = Upstream::echo().await;
    let mut redis = testbed::redis::RedisServer::start().unwrap();
    let server = Scripted::start([token("t-1", &json!({})), token("t-2", &json!({}))]).await;
    let store = json!({ "secret": "0123456789abcdef", "redis": { "endpoints": [redis.host()] } });
    let text = guarded(&upstream, &json!({ "url": server.url(), "store": store }));
    let (one, other) = (Gateway::start(&text), Gateway::start(&text));
    let sent = async |gateway: &Gateway, id: &str| {
        let request = gateway.http.get(gateway.url("/guarded")).basic_auth(id, Some("secret"));
        Echo::of(request.send().await.unwrap()).await.text_of("authorization")
    };

    assert_eq!(sent(&one, "a").await, "Bearer t-1");
    assert_eq!(sent(&other, "a").await, "Bearer t-1");
    assert_eq!(server.questions().len(), 1);
    redis.kill();
    assert_eq!(sent(&one, "a").await, "Bearer t-1");
    assert_eq!(sent(&one, "b").await, "Bearer t-2");
}

#[tokio::test]
async fn t48_a_failover_of_redis_in_mid_run_costs_no_request() {
    let upstream = Upstream::echo().await;
    let mut group = SentinelGroup::start(Passwords::default()).unwrap();
    let server = Scripted::start([token("t", &json!({}))]).await;
    let sentinel = json!({ "masterSet": MASTER_NAME });
    let store = json!({
        "secret": "0123456789abcdef0123456789abcdef",
        "redis": { "endpoints": group.hosts(), "sentinel": sentinel },
    });
    let text = guarded(&upstream, &json!({ "url": server.url(), "store": store }));
    let (one, other) = (Gateway::start(&text), Gateway::start(&text));
    let ask = async |gateway: &Gateway, id: &str| status_of(gateway, Some((id, "secret"))).await.0;
    // Both know the master.
    assert_eq!((ask(&one, "first").await, ask(&other, "first").await), (200, 200));
    assert_eq!(server.questions().len(), 1);

    group.kill_master().unwrap();
    let mut round = 0;
    let shared = within(Duration::from_mins(1), "a token that is shared again", async || {
        round += 1;
        let id = format!("caller-{round}");
        let before = server.questions().len();
        // Out or not: whoever calls gets a token, at most one question a gateway later.
        assert_eq!((ask(&one, &id).await, ask(&other, &id).await), (200, 200));
        let asked = server.questions().len() - before;
        assert!((1..=2).contains(&asked), "{asked}");
        (asked == 1).then_some(())
    });
    shared.await;
}

#[tokio::test]
async fn t46_a_secret_that_is_mounted_is_read_and_one_that_is_not_is_a_mistake() {
    let (server, upstream) =
        (Scripted::start([token("t", &json!({}))]).await, Upstream::echo().await);
    let options = json!({
        "url": server.url(), "clientID": "id", "clientSecret": "urn:k8s:secret:mine:clientSecret",
        "audience": "urn:other:thing",
    });
    let rest = guarded(&upstream, &options);
    let listeners =
        "listeners: [{ name: public, address: \"127.0.0.1:0\" }]\nsecretsDirectory: secrets\n";

    let gateway = Gateway::spawn(&format!("{listeners}{rest}"), |directory| {
        std::fs::create_dir_all(directory.join("secrets/mine")).unwrap();
        std::fs::write(directory.join("secrets/mine/clientSecret"), "from-a-file\n").unwrap();
    });
    assert_eq!(status_of(&gateway, None).await.0, 200);
    let (head, body) = server.questions().remove(0);
    assert!(head.to_lowercase().contains("authorization: basic awq6znjvbs1hlwzpbgu="), "{head}");
    assert!(body.contains("audience=urn%3Aother%3Athing"), "{body}");

    let mut gateway = Gateway::spawn(&format!("{listeners}{rest}"), |_| {});
    assert_eq!(gateway.ended().code(), Some(1));
    let path = "policies.it.oauth_client_credentials.clientSecret";
    assert_eq!(gateway.await_message("a mistake", 1)["path"], path);
}
