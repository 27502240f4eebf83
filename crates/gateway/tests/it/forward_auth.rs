//! The endpoint where other proxies ask.

use serde_json::json;

use crate::support::Gateway;
use crate::support::gateway::headers;
use crate::support::issuer::{Issuer, Scripted, claims, token};

fn asked(trusted: &str, policies: &serde_json::Value) -> String {
    format!(
        "listeners: [{{ name: public, address: \"127.0.0.1:0\", serves: forward-auth }}]\n\
         trustedProxies: [{trusted}]\npolicies: {policies}\nroutes:\n\
         - {{ name: orders, hosts: [api.example.com], path: /orders, policies: [it] }}\n\
         - {{ name: public, hosts: [api.example.com], path: /public }}\n"
    )
}

fn policy(url: &str) -> serde_json::Value {
    json!({ "it": { "oauth_client_credentials": {
        "url": url, "forwardHeaders": { "X-User": "sub", "X-Group": "not.there" },
    } } })
}

#[tokio::test]
async fn a_proxy_is_told_what_to_set_and_what_to_overwrite() {
    let issuer = Issuer::start();
    let client = issuer.client(json!({})).await;
    let gateway = Gateway::of(&asked("127.0.0.1", &policy(&format!("{}/oauth/token", issuer.url))));
    let ask = |names: [&'static str; 3], path: &'static str| {
        let request = gateway.http.get(gateway.url("/verify")).header(names[0], "GET");
        request.header(names[1], "api.example.com").header(names[2], path)
    };

    for names in [
        ["X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"],
        ["X-Original-Method", "X-Original-Host", "X-Original-URI"],
    ] {
        let request = ask(names, "/orders/7?a=b").basic_auth(&client.id, Some(&client.secret));
        let response = request.header("X-Group", "admin").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let headers = headers(&response);
        let token = headers["authorization"].strip_prefix("Bearer ").unwrap();
        assert_eq!(claims(token)["sub"], client.id);
        assert_eq!(headers["x-user"], client.id);
        // A proxy that copies this one overwrites what the caller sent.
        assert_eq!(headers["x-group"], "");
        let line = gateway.logged(&headers["x-request-id"]);
        assert_eq!(
            (&line["path"], &line["host"]),
            (&json!("/orders/7"), &json!("api.example.com"))
        );
        assert_eq!(line["policyOutcome"], "allowed");

        let response = ask(names, "/orders/7").send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
    }
    // Where nobody is proved, nobody is named.
    let forwarded = ["X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"];
    let response = ask(forwarded, "/public").header("X-User", "root").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(headers(&response)["x-user"], "");
    assert!(!gateway.printed().contains(&client.secret), "{}", gateway.printed());
}

#[tokio::test]
async fn envoy_asks_with_the_request_itself() {
    let server = Scripted::start([token("t-1", &json!({}))]).await;
    let options = json!({ "it": { "oauth_client_credentials": { "url": server.url() } } });
    let gateway = Gateway::of(&asked("127.0.0.1", &options));
    let ask = |path: &str| {
        let request = gateway.http.post(gateway.url(path)).header("Host", "api.example.com");
        request.basic_auth("id", Some("secret"))
    };

    let response = ask("/ext_authz/orders/7?a=b").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(headers(&response)["authorization"], "Bearer t-1");
    // What a header says of another request does not count here.
    let request = ask("/ext_authz/orders").header("X-Forwarded-Uri", "/public");
    let request = request.header("Authorization", "x");
    assert_eq!(request.send().await.unwrap().status(), 401);
    for path in ["/ext_authz/orders/..%2fpublic", "/ext_authz/../verify"] {
        let mut raw = crate::support::raw::Raw::to(&gateway.address("public")).await;
        raw.say(format!("GET {path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n")).await;
        assert_eq!(crate::support::raw::status(&raw.head().await), 400, "{path}");
    }
}

#[tokio::test]
async fn t46_what_cannot_be_judged_is_refused() {
    let server = Scripted::start([token("t-1", &json!({}))]).await;
    let gateway = Gateway::of(&asked("127.0.0.1", &policy(&server.url())));
    let ask = async |lines: &[(&str, &str)]| {
        let mut request = gateway.http.get(gateway.url("/verify"));
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let host = ("X-Forwarded-Host", "api.example.com");
    let get = ("X-Forwarded-Method", "GET");

    let public = ("X-Forwarded-Uri", "/public");
    assert_eq!(ask(&[get, host, public]).await, 200);
    // The proxy's word against the caller's.
    assert_eq!(ask(&[get, host, public, ("X-Original-URI", "/orders")]).await, 400);
    assert_eq!(ask(&[get, host, public, ("X-Forwarded-Uri", "/orders")]).await, 400);
    assert_eq!(ask(&[get, public, host, ("X-Forwarded-Host", "evil.org")]).await, 400);
    assert_eq!(ask(&[host, public]).await, 400);
    assert_eq!(ask(&[get, host]).await, 400);
    assert_eq!(ask(&[get, host, ("X-Forwarded-Uri", "/public/../orders")]).await, 400);
    assert_eq!(ask(&[get, host, ("X-Forwarded-Uri", "/elsewhere")]).await, 403);
    assert_eq!(ask(&[get, ("X-Forwarded-Host", "evil.org"), public]).await, 403);
    assert_eq!(gateway.get("/other").await.status(), 404);
}

#[tokio::test]
async fn only_listed_proxies_may_ask() {
    let server = Scripted::start([token("t-1", &json!({}))]).await;
    let gateway = Gateway::of(&asked("192.0.2.0/24", &policy(&server.url())));

    let request = gateway.http.get(gateway.url("/verify")).header("X-Forwarded-Method", "GET");
    let request = request.header("X-Forwarded-Uri", "/public");
    let response = request.header("X-Forwarded-For", "192.0.2.1").send().await.unwrap();

    assert_eq!(response.status(), 403);
}
