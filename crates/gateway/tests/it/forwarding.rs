//! What goes on to a server, and what comes back.

use crate::support::gateway::headers;
use crate::support::raw::{Raw, status};
use crate::support::upstream::ROUTE;
use crate::support::{Echo, Gateway, Upstream};

#[tokio::test]
async fn a_request_goes_on_as_it_came_and_the_answer_comes_back() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let request = gateway.http.put(gateway.url("/a%20b/c;d?e=f%2Fg&h")).body("hello");
    let request = request.header("X-Own", "kept").header("Via", "1.1 before");
    let echo = Echo::of(request.send().await.unwrap()).await;

    assert_eq!(echo.text("method"), "PUT");
    assert_eq!(echo.text("target"), "/a%20b/c;d?e=f%2Fg&h");
    assert_eq!(echo.text("body"), "hello");
    assert_eq!(echo.header("x-own"), Some("kept"));
    assert_eq!(echo.all("via"), ["1.1 before", "1.1 tokenwright-gateway"]);
    assert_eq!(echo.header("host"), Some(gateway.address("public").as_str()));
}

#[tokio::test]
async fn an_upstream_may_have_a_host_of_its_own() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("host: orders.internal") + ROUTE));

    let echo = Echo::of(gateway.get("/").await).await;

    assert_eq!(echo.header("host"), Some("orders.internal"));
    let public = gateway.address("public");
    assert_eq!(echo.header("x-forwarded-host"), Some(public.as_str()));
}

#[tokio::test]
async fn t46_what_a_caller_says_of_itself_is_replaced() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let request = gateway.http.get(gateway.url("/"));
    let request = request.header("X-Forwarded-For", "10.0.0.1").header("Forwarded", "for=10.0.0.1");
    let request = request.header("X-Real-IP", "10.0.0.1").header("X_Forwarded_For", "10.0.0.1");
    let request = request.header("X-Forwarded-Proto", "https").header("X-Request-Id", "mine");
    let response = request.send().await.unwrap();
    let id = headers(&response)["x-request-id"].clone();
    let echo = Echo::of(response).await;

    let public = gateway.address("public");
    assert_eq!(echo.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(echo.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(echo.all("x_forwarded_for"), [""; 0]);
    assert_eq!(echo.all("x-forwarded-proto"), ["http"]);
    assert_eq!(echo.all("forwarded"), [format!("for=127.0.0.1;host=\"{public}\";proto=http")]);
    assert_ne!(id, "mine");
    assert_eq!(echo.all("x-request-id"), [id.as_str()]);
    assert_eq!(gateway.logged(&id)["clientAddress"], "127.0.0.1");
}

#[tokio::test]
async fn what_a_listed_proxy_says_is_added_to() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::with("trustedProxies: [127.0.0.1]", &(upstream.settings("") + ROUTE));

    let request = gateway.http.get(gateway.url("/")).header("X-Forwarded-For", "192.0.2.7");
    let request = request.header("X-Forwarded-Proto", "https").header("X-Request-Id", "mine-1");
    let response = request.send().await.unwrap();
    assert_eq!(headers(&response)["x-request-id"], "mine-1");
    let echo = Echo::of(response).await;

    assert_eq!(echo.all("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"]);
    assert_eq!(echo.all("x-forwarded-proto"), ["https"]);
    assert_eq!(echo.all("x-request-id"), ["mine-1"]);
    assert_eq!(gateway.logged("mine-1")["clientAddress"], "192.0.2.7");
}

#[tokio::test]
async fn what_belongs_to_a_connection_stays_on_it() {
    let upstream = Upstream::serve(|stream| async move {
        let mut raw = Raw::on(stream);
        let head = raw.head().await;
        let hop = "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n";
        let length = head.len();
        let answer =
            format!("HTTP/1.1 200 OK\r\n{hop}X-End: 1\r\nContent-Length: {length}\r\n\r\n");
        raw.say(answer + &head).await;
    })
    .await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut raw = Raw::to(&gateway.address("public")).await;
    raw.say(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Secret-Hop\r\nX-Secret-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n\
         Proxy-Authorization: Basic eDp5\r\nX-End: 1\r\n\r\n",
    )
    .await;
    let (head, body) = raw.message().await;

    let sent = String::from_utf8(body).unwrap().to_lowercase();
    for gone in
        ["x-secret-hop", "keep-alive:", "proxy-connection", "\r\nte:", "proxy-authorization"]
    {
        assert!(!sent.contains(gone), "{gone} in {sent}");
    }
    assert!(sent.contains("x-end: 1"), "{sent}");
    let head = head.to_lowercase();
    assert_eq!(status(&head), 200);
    assert!(!head.contains("x-hop") && !head.contains("keep-alive: timeout=9"), "{head}");
    assert!(head.contains("x-end: 1"), "{head}");
}

#[tokio::test]
async fn t46_a_caller_cannot_have_our_headers_taken_for_those_of_the_connection() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut raw = Raw::to(&gateway.address("public")).await;
    let hop = "Connection: X-Real-IP, Forwarded, X-Request-Id";
    raw.say(format!("GET / HTTP/1.1\r\nHost: a\r\n{hop}\r\n\r\n")).await;
    let (_, body) = raw.message().await;
    for header in ["X-Forwarded-For", "Host", "\"X-Forwarded-For\""] {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {header}\r\n\r\n")).await;
        assert_eq!(status(&raw.head().await), 400, "{header}");
    }

    let echo = Echo::parse(std::str::from_utf8(&body).unwrap());
    assert_eq!(echo.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(echo.all("forwarded"), ["for=127.0.0.1;host=\"a\";proto=http"]);
    assert_eq!(echo.all("x-request-id").len(), 1);
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_refused_and_never_sent_on() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    for path in ["/a/../b", "/%2e%2e/b", "/a/..%2fb", "/a/..;x/b", "/a\\..\\b", "/%zz", "/a%00b"] {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        let answer = raw.all().await;
        assert_eq!(status(&answer), 400, "{path}: {answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_request_without_a_route_is_a_problem_with_its_id() {
    let upstream = Upstream::echo().await;
    let routes = "routes:\n\
        - { name: read, hosts: [api.example.com], path: /orders, methods: [GET], upstream: it }\n\
        - { name: asked, hosts: [asked.example.com] }\n";
    let gateway = Gateway::start(&(upstream.settings("") + routes));
    let ask = async |host: &str, method: reqwest::Method, path: &str| {
        let request = gateway.http.request(method, gateway.url(path)).header("Host", host);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), headers(&response));
        (status, headers, response.text().await.unwrap())
    };

    let (status, _, _) = ask("API.example.com:80", reqwest::Method::GET, "/orders/7").await;
    assert_eq!(status, 200);
    let (status, headers, body) = ask("api.example.com", reqwest::Method::GET, "/other").await;
    assert_eq!(status, 404);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["status"], 404);
    assert_eq!(body["requestId"], headers["x-request-id"].as_str());
    let (status, headers, _) = ask("api.example.com", reqwest::Method::POST, "/orders").await;
    assert_eq!((status, headers["allow"].as_str()), (405, "GET"));
    // A route without an upstream is there for other proxies that ask.
    let (status, ..) = ask("asked.example.com", reqwest::Method::GET, "/").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn every_request_is_one_line_of_the_access_log_and_counted() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let request = gateway.http.post(gateway.url("/orders?client_secret=hunter2"));
    let response = request.bearer_auth("hunter3").body("hunter4").send().await.unwrap();
    let id = headers(&response)["x-request-id"].clone();
    let length = response.text().await.unwrap().len();

    let line = gateway.logged(&id);
    assert_eq!(line["method"], "POST");
    assert_eq!(line["path"], "/orders");
    assert_eq!(line["route"], "all");
    assert_eq!(line["status"], 200);
    assert_eq!(line["policyOutcome"], "none");
    assert_eq!(line["upstream"], upstream.address.to_string());
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["requestBytes"], 7);
    assert_eq!(line["responseBytes"], length);
    assert!(line["upstreamMs"].as_f64().unwrap() <= line["durationMs"].as_f64().unwrap(), "{line}");
    let (_, metrics) = gateway.admin("/metrics").await;
    let counted =
        r#"tokenwright_gateway_requests_total{route="all",policy_outcome="none",status="200"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("tokenwright_gateway_requests_under_way 1"), "{metrics}");
    assert!(!gateway.printed().contains("hunter"), "{}", gateway.printed());
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_turn() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    let mut raw = Raw::to(&gateway.address("public")).await;
    let ask =
        |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    raw.say(ask("/one") + &ask("/two") + &ask("/three")).await;

    for expected in ["/one", "/two", "/three"] {
        let (_, body) = raw.message().await;
        let echo = Echo::parse(std::str::from_utf8(&body).unwrap());
        assert_eq!((echo.text("target"), echo.text("body")), (expected, "hi"));
    }
}

#[tokio::test]
async fn t29_a_request_with_two_lengths_is_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5, 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{lengths}\r\n{smuggled}")).await;
        let answer = raw.all().await;
        assert!(!answer.contains("smuggled"), "{lengths}: {answer}");
        assert_ne!(answer.matches("HTTP/1.1 200").count(), 2, "{lengths}: {answer}");
    }
}

/// What the library takes for the path `/` and sends on as it came would be judged as one thing and
/// mean another.
#[tokio::test]
async fn t46_a_target_that_is_neither_a_path_nor_a_url_is_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    for target in
        ["kong/x", "%6bong/x", "../kong/x", "a%zz", "foo:bar://h/kong", "x?client_secret=s", "*"]
    {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        let answer = raw.all().await;
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
}

/// RFC 9112 section 3.2.1.
#[tokio::test]
async fn a_server_is_sent_a_path_where_a_whole_url_came() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    for (target, expected) in
        [("http://a.example/x?a=1", "/x?a=1"), ("HTTP://a.example", "/"), ("/x", "/x")]
    {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        let (head, body) = raw.message().await;
        assert_eq!(status(&head), 200, "{target}: {head}");
        let echo: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(echo["target"], expected, "{target}");
    }
}

/// A route of this host must not be walked around by a host that some server takes for it.
#[tokio::test]
async fn t46_a_host_that_is_none_is_refused() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&(upstream.settings("") + ROUTE));

    for host in [
        "Host: adm.example.com/\r\n",
        "Host: adm.example.com#\r\n",
        "Host: adm.example.com,z\r\n",
        "Host: adm.example.com z\r\n",
        "Host: [adm.example.com]\r\n",
        "Host: adm%2eexample.com\r\n",
        "Host: \r\n",
        "",
    ] {
        let mut raw = Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
        let answer = raw.all().await;
        assert_eq!(status(&answer), 400, "{host:?}: {answer}");
    }
}
