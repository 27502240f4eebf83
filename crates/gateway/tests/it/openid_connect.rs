//! The policies `openid_connect` and `bearer`, through the proxy.

use serde_json::{Value, json};

use crate::support::gateway::headers;
use crate::support::issuer::{Client, Issuer, claims};
use crate::support::{Echo, Gateway, Upstream};

fn guarded(upstream: &Upstream, policies: &Value, chain: &str) -> String {
    format!(
        "{}policies: {policies}\nroutes: [{{ name: guarded, policies: {chain}, upstream: it }}]\n",
        upstream.settings("")
    )
}

fn of_issuer(upstream: &Upstream, issuer: &str, more: &Value) -> String {
    let mut options = json!({ "issuer": issuer, "scopes": [] });
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    guarded(upstream, &json!({ "login": { "openid_connect": options } }), "[login]")
}

async fn login(gateway: &Gateway, who: &Client) -> reqwest::Response {
    let request = gateway.http.get(gateway.url("/x")).basic_auth(&who.id, Some(&who.secret));
    request.send().await.unwrap()
}

#[tokio::test]
async fn credentials_in_the_header_become_a_verified_token() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let more = json!({
        "consumer_claims": ["sub"], "upstream_headers": [{ "header": "X-Issuer", "path": ["iss"] }],
    });
    let gateway = Gateway::start(&of_issuer(&upstream, &issuer.url, &more));

    let request = gateway.http.get(gateway.url("/x")).header("X-Consumer-Username", "root");
    let request = request.basic_auth(&client.id, Some(&client.secret)).header("X-Issuer", "me");
    let response = request.send().await.unwrap();
    let id = headers(&response)["x-request-id"].clone();
    let echo = Echo::of(response).await;

    let token = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    assert_eq!(claims(token)["sub"], client.id);
    assert_eq!(echo.all("x-consumer-username"), [client.id.as_str()]);
    assert_eq!(echo.all("x-issuer"), [issuer.url.as_str()]);
    assert_eq!(gateway.logged(&id)["ClientUsername"], client.id.as_str());
}

#[tokio::test]
async fn whoever_is_not_proved_gets_the_vendors_answer() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let gateway = Gateway::start(&of_issuer(&upstream, &issuer.url, &json!({})));

    let response = gateway.get("/x").await;
    assert_eq!(response.status(), 401);
    let challenge = headers(&response)["www-authenticate"].clone();
    assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error"), "{challenge}");
    assert_eq!(response.text().await.unwrap(), r#"{"message":"Unauthorized"}"#);

    let wrong = Client { secret: "wrong".to_owned(), ..client };
    let response = login(&gateway, &wrong).await;
    assert_eq!(response.status(), 401);
    let challenge = headers(&response)["www-authenticate"].clone();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn credentials_never_reach_the_server_wherever_they_were() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let gateway = Gateway::start(&of_issuer(&upstream, &issuer.url, &json!({})));

    let query = format!("/x?a=1&client_id={}&client_secret={}&b=2", client.id, client.secret);
    let echo = Echo::of(gateway.get(&query).await).await;
    assert_eq!(echo.text("target"), "/x?a=1&b=2");
    assert!(!echo.0.to_string().contains(&client.secret), "{echo:?}");

    let form = [("a", "1"), ("client_id", &client.id), ("client_secret", &client.secret)];
    let request = gateway.http.post(gateway.url("/x")).form(&form);
    let echo = Echo::of(request.send().await.unwrap()).await;
    assert_eq!(echo.text("body"), "a=1");
    assert_eq!(echo.header("content-length"), Some("3"));
    assert!(!echo.0.to_string().contains(&client.secret), "{echo:?}");
    // What is no form goes on as it is, however long it is.
    let long = "x".repeat(200_000);
    let request = gateway.http.post(gateway.url("/x")).body(long.clone());
    let request = request.basic_auth(&client.id, Some(&client.secret));
    assert_eq!(Echo::of(request.send().await.unwrap()).await.text("body"), long);
    assert!(!gateway.printed().contains(&client.secret), "{}", gateway.printed());
}

#[tokio::test]
async fn claims_that_are_required_and_missing_are_forbidden() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let client = issuer.client(json!({})).await;
    let gateway = Gateway::start(&of_issuer(
        &upstream,
        &issuer.url,
        &json!({ "scopes_required": ["orders"] }),
    ));

    let response = login(&gateway, &client).await;

    assert_eq!(response.status(), 403);
    assert_eq!(response.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
}

#[tokio::test]
async fn a_provider_that_is_out_is_a_503_and_the_gateway_starts_without_it() {
    let upstream = Upstream::echo().await;
    let port = testbed::process::free_port().unwrap();
    let issuer = format!("http://127.0.0.1:{port}");
    let gateway = Gateway::start(&of_issuer(&upstream, &issuer, &json!({})));

    let client = Client { id: "id".to_owned(), secret: "secret".to_owned() };
    let response = login(&gateway, &client).await;

    assert_eq!(response.status(), 503);
    assert!(headers(&response).contains_key("retry-after"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_bearer_token_lets_in_and_the_gateway_gets_another_one_for_the_server() {
    let (issuer, upstream) = (Issuer::start(), Upstream::echo().await);
    let (caller, own) = (issuer.client(json!({})).await, issuer.client(json!({})).await);
    let policies = json!({
        "caller": { "bearer": { "issuer": issuer.url, "usernameClaim": "sub" } },
        "own": { "oauth_client_credentials": {
            "url": format!("{}/oauth/token", issuer.url),
            "clientID": own.id, "clientSecret": own.secret,
        } },
    });
    let gateway = Gateway::start(&guarded(&upstream, &policies, "[caller, own]"));
    let token = issuer.token(&caller).await;

    let response = gateway.http.get(gateway.url("/")).bearer_auth(&token).send().await.unwrap();
    let id = headers(&response)["x-request-id"].clone();
    let echo = Echo::of(response).await;
    let sent = echo.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    assert_eq!(claims(sent)["sub"], own.id);
    assert_eq!(gateway.logged(&id)["ClientUsername"], caller.id.as_str());

    let (head, rest) = token.split_at(token.rfind('.').unwrap() + 1);
    let forged = format!("{head}{}", rest.chars().rev().collect::<String>());
    for bad in [forged.as_str(), "nonsense", "a.b.c"] {
        let response = gateway.http.get(gateway.url("/")).bearer_auth(bad).send().await.unwrap();
        assert_eq!(response.status(), 401, "{bad}");
    }
    assert_eq!(gateway.get("/").await.status(), 401);
}
