//! What is registered decides what clients get, in every dialect.

use serde_json::{Value, json};

use super::{ORDERS, ORDERS_PATH, ask, manage, put, register, shop};
use crate::dialects::DIALECTS;
use crate::support::{Answer, Client, Options, Server};

/// Whom a token is meant for, by way of introspection: some tokens are references.
async fn audience(server: &Server, answer: &Answer, client: &Client) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let form = [("token", answer.text_at("/access_token"))];
    let request = server.http.post(server.at("/oauth2/introspect")).form(&form);
    let told = Answer::to(request.header("authorization", client.basic())).await.json();
    let audience = &told["aud"];
    if audience.is_string() { json!([audience]) } else { audience.clone() }
}

#[tokio::test]
async fn t31_a_resource_is_asked_for_to_the_byte_in_every_dialect() {
    let server = Server::start();
    let client = server.create_client(json!({"audience": [ORDERS, "stock", "urn:x:y"]})).await;
    for (name, path, _) in DIALECTS {
        for (parameters, expected) in [
            (vec![("resource", ORDERS)], json!([ORDERS])),
            (vec![("audience", ORDERS)], json!([ORDERS])),
            (vec![("audience", "stock")], json!(["stock"])),
            (
                vec![("resource", "urn:x:y"), ("audience", "stock"), ("resource", ORDERS)],
                json!(["stock", "urn:x:y", ORDERS]),
            ),
            (
                vec![("resource", ORDERS), ("resource", "urn:x:y"), ("resource", ORDERS)],
                json!([ORDERS, "urn:x:y"]),
            ),
            (vec![("audience", "stock stock"), ("audience", ORDERS)], json!(["stock", ORDERS])),
        ] {
            let answer = ask(&server, path, &client, &parameters).await;
            assert_eq!(audience(&server, &answer, &client).await, expected, "{name}");
        }
        for other in [
            "https://api.example/orders/",
            "https://api.example/Orders",
            "https://API.example/orders",
            "HTTPS://api.example/orders",
            "https://api.example/%6frders",
            "https://api.example//orders",
            "https://api.example/./orders",
            "https://api.example:443/orders",
            "https://api.example/orders?",
            "https://api.example/orders#",
            "https://api.example/orders#x",
            "http://api.example/orders",
            "//api.example/orders",
            "/orders",
            "orders",
            "Stock",
            "https://api.example/orders https://api.example/orders",
        ] {
            let refused = ask(&server, path, &client, &[("resource", other)]).await;
            refused.assert_error(400, "invalid_target");
            assert!(!refused.text.contains("urn:x:y"), "{name}: others are named: {refused:?}");
            if !other.contains(' ') {
                let both = [("audience", "stock"), ("audience", other)];
                let refused = ask(&server, path, &client, &both).await;
                refused.assert_error(400, "invalid_target");
            }
        }
        // Not absolute, and so no resource, though it is an audience.
        let refused = ask(&server, path, &client, &[("resource", "stock")]).await;
        refused.assert_error(400, "invalid_target");
    }
}

#[tokio::test]
async fn a_token_carries_what_its_resource_takes_and_the_refusal_names_nobody_else() {
    let server = Server::start();
    register(&server, &shop()).await;
    let registered = json!({"scope": "base orders:read other", "audience": [ORDERS, "stock"]});
    let client = server.create_client(registered).await;
    for (name, path, _) in DIALECTS {
        let scope = |it: &'static str| ("scope", it);
        let orders = ("resource", ORDERS);
        for more in [
            vec![scope("orders:read"), orders],
            vec![scope("base other"), ("audience", "stock")],
            vec![scope("base other"), ("audience", "stock"), orders],
            vec![scope("base other")],
        ] {
            let granted = ask(&server, path, &client, &more).await;
            assert_eq!(granted.status, 200, "{name} {more:?}: {granted:?}");
        }
        for more in [vec![scope("base"), orders], vec![scope("orders:read other"), orders]] {
            let refused = ask(&server, path, &client, &more).await;
            refused.assert_error(400, "invalid_scope");
            for secret in ["orders", "stock", "base"] {
                assert!(!refused.text.contains(secret), "{name}: {refused:?}");
            }
        }
    }
}

#[tokio::test]
async fn t32_defaults_are_what_the_client_may_have_and_the_resource_takes() {
    let server = Server::start();
    register(&server, &shop()).await;
    let scope_for = |client: Client, more: Vec<(&'static str, &'static str)>| {
        let server = &server;
        async move {
            let answer = ask(server, "/oauth2/token", &client, &more).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()["scope"].clone()
        }
    };
    let audience = json!([ORDERS]);
    let plain = server.create_client(json!({"scope": "base other", "audience": audience})).await;
    let without = server.create_client(json!({"scope": "other"})).await;
    let own = json!({"scope": "base orders:read", "default_scope": "orders:read"});
    let own = server.create_client(own).await;

    assert_eq!(scope_for(plain.clone(), vec![]).await, "base");
    assert_eq!(scope_for(plain.clone(), vec![("resource", ORDERS)]).await, Value::Null);
    assert_eq!(scope_for(plain, vec![("scope", "other")]).await, "other");
    assert_eq!(scope_for(without, vec![]).await, Value::Null);
    assert_eq!(scope_for(own, vec![]).await, "orders:read");
}

/// Curity's rule: off for the service is 400 `unsupported_grant_type`.
#[tokio::test]
async fn a_capability_that_is_off_for_the_service_is_off_in_every_dialect() {
    let server = Server::start();
    let capabilities = json!(["client_credentials", "introspection"]);
    let client = server.create_client(json!({"capabilities": capabilities})).await;
    let lacking = server.create_client(json!({"capabilities": ["introspection"]})).await;
    let wrong = Client { secret: "wrong".to_owned(), ..client.clone() };
    let metadata = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/oauth/v2/oauth-anonymous/.well-known/openid-configuration",
    ];
    let token = server.token_of(&client).await;
    let set = |on: Value| {
        let server = &server;
        async move {
            let body = json!({"capabilities": on});
            assert_eq!(put(server, "/capabilities", "*", &body).await.status, 200);
        }
    };

    set(json!(["introspection"])).await;
    for (_, path, introspect_path) in DIALECTS {
        for asker in [&client, &lacking, &wrong] {
            let refused = ask(&server, path, asker, &[]).await;
            refused.assert_error(400, "unsupported_grant_type");
        }
        let told = ask(&server, introspect_path, &client, &[("token", &token)]).await;
        assert_eq!(told.json()["active"], true, "{told:?}");
    }
    for path in metadata {
        assert_eq!(server.get(path).await.json()["grant_types_supported"], json!([]), "{path}");
    }

    set(json!(["client_credentials"])).await;
    for (name, path, introspect_path) in DIALECTS {
        assert_eq!(ask(&server, path, &client, &[]).await.status, 200, "{name}");
        ask(&server, path, &lacking, &[]).await.assert_error(400, "unauthorized_client");
        for asker in [&client, &wrong] {
            let refused = ask(&server, introspect_path, asker, &[("token", &token)]).await;
            refused.assert_error(404, "not_found");
        }
    }
    for path in metadata {
        let document = server.get(path).await.json();
        assert_eq!(document["grant_types_supported"], json!(["client_credentials"]), "{path}");
        let names = document.as_object().unwrap().keys();
        assert_eq!(names.filter(|it| it.starts_with("introspection_endpoint")).count(), 0);
    }
}

#[tokio::test]
async fn the_metadata_name_what_is_registered() {
    let server = Server::start();
    let path = "/.well-known/oauth-authorization-server";
    assert!(server.get(path).await.json().get("scopes_supported").is_none());

    register(&server, &shop()).await;

    let document = server.get(path).await.json();
    assert_eq!(document["scopes_supported"], json!(["base", "orders:read"]));
}

#[tokio::test]
async fn t31_where_only_what_is_registered_counts_nothing_else_is_given_or_granted() {
    let options = Options::default().with("TOKENWRIGHT__CATALOGUE__MODE", "registered");
    let server = Server::start_with(options);
    for (body, named) in [
        (json!({"audience": ["stock"]}), "audience: item 1 (stock) is not a registered resource"),
        (json!({"scope": "base"}), "scope: base is not a registered scope"),
    ] {
        let mut body = body;
        body["client_name"] = json!("a client");
        let refused = server.create(&body).await;
        refused.assert_error(400, "invalid_client_metadata");
        let description = refused.text_at("/error_description");
        assert!(description.starts_with(named), "{description}");
    }
    register(&server, &shop()).await;
    let body = json!({"scope": "base orders:read clients:read", "audience": [ORDERS, "stock"]});
    let client = server.create_client(body).await;
    let patch = |body: Value| {
        let request = server.manage("PATCH", &format!("/clients/{}", client.id)).json(&body);
        Answer::to(request.header("if-match", "*"))
    };
    patch(json!({"scope": "base no:such"})).await.assert_error(400, "invalid_client_metadata");

    assert_eq!(manage(&server, "DELETE", ORDERS_PATH).await.status, 204);
    assert_eq!(manage(&server, "DELETE", "/scopes/base").await.status, 204);

    for (_, path, _) in DIALECTS {
        let refused = ask(&server, path, &client, &[("resource", ORDERS)]).await;
        refused.assert_error(400, "invalid_target");
        let refused = ask(&server, path, &client, &[("scope", "base")]).await;
        refused.assert_error(400, "invalid_scope");
        let more = [("scope", "orders:read"), ("audience", "stock")];
        assert_eq!(ask(&server, path, &client, &more).await.status, 200);
    }
    // What it has stands in the way of nothing else, and who manages goes on to.
    assert_eq!(patch(json!({"client_name": "renamed"})).await.status, 200);
    let more = [("scope", "clients:read")];
    assert_eq!(ask(&server, "/oauth2/token", &client, &more).await.status, 200);
}

/// Preview and token of one client, side by side, in every dialect.
#[tokio::test]
async fn a_preview_says_what_the_token_endpoint_does() {
    let server = Server::start();
    register(&server, &shop()).await;
    let registered =
        json!({"scope": "base orders:read", "audience": [ORDERS, "stock"], "permissions": ["p"]});
    let client = server.create_client(registered).await;
    let place = format!("/clients/{}/preview", client.id);
    let preview = |body: Value| Answer::to(server.manage("POST", &place).json(&body));
    for (name, path, introspect_path) in DIALECTS {
        for (form, mut body) in [
            (vec![], json!({})),
            (vec![("scope", "base")], json!({"scope": "base"})),
            (
                vec![("scope", "orders:read"), ("resource", ORDERS), ("audience", "stock")],
                json!({"scope": "orders:read", "resource": [ORDERS], "audience": "stock"}),
            ),
            (
                vec![("scope", "base"), ("resource", ORDERS)],
                json!({"scope": "base", "resource": ORDERS}),
            ),
            (vec![("scope", "a  b")], json!({"scope": "a  b"})),
            (vec![("resource", "/orders")], json!({"resource": "/orders"})),
            (vec![("audience", "elsewhere")], json!({"audience": ["elsewhere"]})),
        ] {
            body["dialect"] = json!(name);
            let previewed = preview(body.clone()).await;
            assert_eq!(
                (previewed.status.as_u16(), previewed.header("cache-control")),
                (200, "no-store")
            );
            let previewed = previewed.json();
            let answer = ask(&server, path, &client, &form).await;
            assert_eq!(previewed["granted"], json!(answer.status == 200), "{name} {body}");
            if answer.status != 200 {
                assert_eq!(previewed["statusCode"], answer.status.as_u16());
                for member in ["error", "error_description"] {
                    assert_eq!(previewed[member], answer.json()[member], "{name} {body}");
                }
                continue;
            }
            let token = [("token", answer.text_at("/access_token"))];
            let request = server.http.post(server.at(introspect_path)).form(&token);
            let told = Answer::to(request.header("authorization", client.basic())).await.json();
            let claims = previewed["claims"].as_object().unwrap();
            assert!(!claims.contains_key("jti"), "{name}");
            for (member, value) in claims {
                if !["iat", "exp"].contains(&member.as_str()) {
                    assert_eq!(told[member], *value, "{name} {body} {member}");
                }
            }
            let lifetime = told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap();
            assert_eq!(previewed["expires_in"], lifetime, "{name}");
            let is_jwt = answer.text_at("/access_token").contains('.');
            assert_eq!(previewed["format"], if is_jwt { "jwt" } else { "reference" });
        }
    }
}

#[tokio::test]
async fn a_preview_tells_an_operator_why_and_leaves_nothing_behind() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let place = format!("/clients/{}", client.id);
    let preview =
        |body: Value| Answer::to(server.manage("POST", &format!("{place}/preview")).json(&body));
    assert_eq!(preview(json!({})).await.json()["granted"], true);
    let shown = manage(&server, "GET", &place).await.json();
    assert_eq!(shown["lastLogin"], Value::Null);

    assert_eq!(manage(&server, "POST", &format!("{place}/disable")).await.status, 200);
    let disabled = preview(json!({})).await.json();
    assert_eq!(
        (&disabled["error"], &disabled["statusCode"]),
        (&json!("invalid_client"), &json!(401))
    );
    assert_eq!(disabled["reason"], "the client is disabled");
    let claims = json!({"custom_claims": {"role": "admin"}});
    assert_eq!(manage(&server, "POST", &format!("{place}/enable")).await.status, 200);
    assert_eq!(preview(claims).await.json()["error"], "invalid_client");

    for (body, named) in [
        (json!({"dialect": "esperanto"}), "dialect must be one that is spoken: standard"),
        (json!({"scope": ["a"]}), "scope must be a text"),
        (json!({"audience": [1]}), "audience must be a text, or an array of texts"),
        (json!({"custom_claims": "x"}), "custom_claims must be an object"),
        (json!({"scopes": "a"}), "scopes is not known here"),
    ] {
        let refused = preview(body).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.text_at("/error_description").starts_with(named), "{refused:?}");
    }
    for body in [json!({}), json!({"scope": "a  b"})] {
        let unknown = server.manage("POST", "/clients/nobody/preview").json(&body);
        Answer::to(unknown).await.assert_error(404, "not_found");
    }
    let wrong = manage(&server, "GET", &format!("{place}/preview")).await;
    wrong.assert_error(405, "method_not_allowed");
}
