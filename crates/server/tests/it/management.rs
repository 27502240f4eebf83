//! `/clients`: operators manage clients.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::{Answer, Client, Options, Server, claims, redacted, within};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn manage(server: &Server, method: &str, path: &str) -> Answer {
    Answer::to(server.manage(method, path)).await
}

async fn patch(server: &Server, id: &str, if_match: &str, body: &Value) -> Answer {
    let request = server.manage("PATCH", &format!("/clients/{id}")).json(body);
    Answer::to(request.header("if-match", if_match)).await
}

/// A token with a scope, of a client that may have it.
async fn token_with(server: &Server, scope: &str) -> String {
    let client = server.create_client(json!({"scope": scope})).await;
    let mut form = vec![GRANT];
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    server.token(&client.basic(), &form).await.text_at("/access_token")
}

/// Every method and path below `/clients` and `/keys` that the OpenAPI document names, with the scope that it
/// says is needed. Values are those of nobody.
async fn documented(server: &Server) -> Vec<(String, String, String)> {
    let document = server.get("/documentation/json").await.json();
    let mut table = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/clients") && !path.starts_with("/keys") {
            continue;
        }
        let path = path.replace("{client}", "nobody").replace("{secret}", "none");
        let path = path.replace("{key}", "none");
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let scope = operation["security"][0]["bearer"][0].as_str().unwrap();
                table.push((method.to_uppercase(), path.clone(), scope.to_owned()));
            }
        }
    }
    assert_eq!(table.len(), 15, "{table:?}");
    table
}

#[tokio::test]
async fn every_route_is_guarded() {
    let server = Server::start();
    let mut tokens = Vec::new();
    for scope in ["clients:read", "clients:write", "keys:read", "keys:write", ""] {
        tokens.push((scope, token_with(&server, scope).await));
    }
    let mut table = documented(&server).await;
    // What is not documented is behind the same door: HEAD, and whatever is no route at all.
    for path in ["/clients", "/clients/nobody", "/clients/nobody/secrets", "/clients/a/b/c/d"] {
        table.push(("HEAD".to_owned(), path.to_owned(), "clients:read".to_owned()));
        table.push(("PUT".to_owned(), path.to_owned(), "clients:write".to_owned()));
    }
    for path in ["/keys", "/keys/none", "/keys/a/b/c/d"] {
        table.push(("HEAD".to_owned(), path.to_owned(), "keys:read".to_owned()));
        table.push(("PUT".to_owned(), path.to_owned(), "keys:write".to_owned()));
    }

    for (method, path, scope) in table {
        let verb = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let ask = |authorization: Option<String>| {
            let mut request = server.http.request(verb.clone(), server.at(&path));
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            Answer::to(request)
        };
        let bearer = |token: &str| Some(format!("Bearer {token}"));
        let (right, wrong): (Vec<_>, Vec<_>) = tokens.iter().partition(|(it, _)| *it == scope);
        let right = &right[0].1;

        let without = ask(None).await;
        assert_eq!(without.status, 401, "{method} {path}");
        assert_eq!(without.header("www-authenticate"), r#"Bearer realm="tokenwright""#);
        for unknown in [
            bearer("not-the-management-token-of-the-tests"),
            bearer(&format!("{right}x")),
            Some("Basic bWFuYWdlbWVudDp0b2tlbg==".to_owned()),
            Some("Bearer".to_owned()),
        ] {
            let refused = ask(unknown).await;
            assert_eq!(refused.status, 401, "{method} {path}");
            assert!(refused.header("www-authenticate").contains(r#"error="invalid_token""#));
        }
        for (_, too_little) in wrong {
            let refused = ask(bearer(too_little)).await;
            assert_eq!(refused.status, 403, "{method} {path}");
            let challenge = refused.header("www-authenticate");
            assert!(challenge.contains(&format!(r#"scope="{scope}""#)), "{challenge}");
            if method != "HEAD" {
                refused.assert_error(403, "insufficient_scope");
            }
        }
        let admitted = ask(bearer(right)).await;
        assert!(![401, 403].contains(&admitted.status.as_u16()), "{method} {path}: {admitted:?}");
    }
}

#[tokio::test]
async fn a_token_with_the_scope_manages_clients_until_its_own_client_is_disabled() {
    let server = Server::start();
    let operator = server.create_client(json!({"scope": "clients:read clients:write"})).await;
    let form = [GRANT, ("scope", "clients:write")];
    let token = server.token(&operator.basic(), &form).await.text_at("/access_token");
    let make = || {
        let request = server.http.post(server.at("/clients")).bearer_auth(&token);
        Answer::to(request.json(&json!({"client_name": "made with a token"})))
    };

    assert_eq!(make().await.status, 201);
    let disabled = manage(&server, "POST", &format!("/clients/{}/disable", operator.id)).await;
    assert_eq!(disabled.status, 200);

    make().await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn nobody_registers_a_client_that_manages_others() {
    let server = Server::start();

    let body = json!({"client_name": "a", "scope": "clients:write"});
    let refused = server.post_json("/register", &body).await;

    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text.contains("scope"), "{refused:?}");
    let client = server.register().await;
    let form = [GRANT, ("scope", "clients:write")];
    server.token(&client.basic(), &form).await.assert_error(400, "invalid_scope");
}

#[tokio::test]
async fn without_authentication_everybody_manages_and_the_operator_is_warned() {
    let options = Options::default().with("TOKENWRIGHT__MANAGEMENT__AUTHENTICATION", "none");
    let server = Server::start_bare(options);

    let made = server.post_json("/clients", &json!({"client_name": "a"})).await;

    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(server.get("/clients").await.status, 200);
    let is_warning = |line: &Value| {
        line["level"] == 40 && line["msg"].as_str().unwrap().contains("whoever reaches /clients")
    };
    assert!(server.log().iter().any(is_warning), "{}", server.printed());
}

#[tokio::test]
async fn what_is_created_is_shown() {
    let server = Server::start();
    let body = json!({
        "client_name": "billing",
        "permissions": ["api:read", "api:write"],
        "audience": ["orders", "invoices"],
        "scope": "a b",
        "allowedCustomClaims": ["tenant"],
        "metadata": {"team": {"name": "money", "floor": 3}},
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    });

    let made = server.create(&body).await;

    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, "no-store"));
    let members: BTreeSet<String> = made.json().as_object().unwrap().keys().cloned().collect();
    let expected =
        ["client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"];
    assert_eq!(members, expected.map(str::to_owned).into());
    let id = made.text_at("/client_id");
    let shown = manage(&server, "GET", &format!("/clients/{id}")).await;
    assert_eq!((shown.status.as_u16(), shown.header("etag")), (200, r#""1""#));
    assert_eq!(shown.header("cache-control"), "no-store");
    let document = redacted(shown.json(), &["/client_id", "/createdAt", "/updatedAt"]);
    insta::assert_json_snapshot!(document, @r#"
    {
      "client_id": "[redacted]",
      "client_name": "billing",
      "token_endpoint_auth_method": "client_secret_basic",
      "__STATE__": "PUBLIC",
      "permissions": [
        "api:read",
        "api:write"
      ],
      "audience": [
        "orders",
        "invoices"
      ],
      "scope": "a b",
      "capabilities": [
        "client_credentials"
      ],
      "allowedCustomClaims": [
        "tenant"
      ],
      "self_managed": false,
      "metadata": {
        "team": {
          "name": "money",
          "floor": 3
        }
      },
      "software_id": "4NRB1-0XZABZI9E6-5SM3R",
      "createdAt": "[redacted]",
      "updatedAt": "[redacted]",
      "lastLogin": null
    }
    "#);
}

/// Only PUBLIC clients get tokens.
#[tokio::test]
async fn an_operator_chooses_the_state_of_a_new_client() {
    let server = Server::start();
    for (state, status) in [("PUBLIC", 200), ("DRAFT", 401), ("TRASH", 401), ("DELETED", 401)] {
        let client = server.create_client(json!({"__STATE__": state})).await;

        assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, status, "{state}");
        let shown = manage(&server, "GET", &format!("/clients/{}", client.id)).await;
        assert_eq!(shown.json()["__STATE__"], state);
    }
    let refused = server.create(&json!({"client_name": "a", "__STATE__": "ASLEEP"})).await;
    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text.contains("__STATE__"), "{refused:?}");
}

#[tokio::test]
async fn unknown_members_are_named() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;

    for (member, value) in [
        ("permisions", json!(["a"])),
        ("client_id", json!("chosen-by-the-caller")),
        ("client_secret", json!("chosen-by-the-caller")),
        ("revision", json!(7)),
        ("lastLogin", json!("2026-01-01T00:00:00.000Z")),
        ("createdAt", json!("2026-01-01T00:00:00.000Z")),
        ("_id", json!("000000000000000000000000")),
    ] {
        for answer in [
            server.create(&json!({"client_name": "a", member: value.clone()})).await,
            patch(&server, &client.id, "*", &json!({member: value.clone()})).await,
        ] {
            answer.assert_error(400, "invalid_client_metadata");
            assert!(answer.json()["message"].as_str().unwrap().contains(member), "{answer:?}");
        }
    }
}

/// What only an operator may say is refused from the public, not dropped; and a client can say
/// nothing at all about itself.
#[tokio::test]
async fn t47_mass_assignment_widens_nothing() {
    let server = Server::start();
    for (member, value) in [
        ("permissions", json!(["admin"])),
        ("audience", json!(["orders"])),
        ("allowedCustomClaims", json!(["tenant"])),
        ("capabilities", json!(["client_credentials"])),
        ("scope", json!("clients:write")),
        ("metadata", json!({})),
        ("__STATE__", json!("PUBLIC")),
    ] {
        let refused =
            server.post_json("/register", &json!({"client_name": "a", member: value})).await;
        refused.assert_error(400, "invalid_client_metadata");
        assert!(refused.json()["message"].as_str().unwrap().contains(member), "{refused:?}");
    }
    let ignored = json!({
        "client_name": "a", "client_id": "chosen", "client_secret": "chosen", "revision": 7,
        "lastLogin": "2026-01-01T00:00:00.000Z", "is_admin": true,
    });
    let made = server.post_json("/register", &ignored).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_ne!(made.text_at("/client_id"), "chosen");
    assert_ne!(made.text_at("/client_secret"), "chosen");
    let client = Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };
    let token = server.token_of(&client).await;
    assert_eq!(claims(&token)["permissions"], json!([]));

    // A token of its own lets a client neither see nor change itself.
    let path = server.at(&format!("/clients/{}", client.id));
    let change = json!({"permissions": ["admin"]});
    for request in [
        server.http.get(&path),
        server.http.patch(&path).header("if-match", "*").json(&change),
        server.http.delete(&path),
    ] {
        Answer::to(request.bearer_auth(&token)).await.assert_error(403, "insufficient_scope");
    }
    let state = json!({"__STATE__": "PUBLIC"});
    patch(&server, &client.id, "*", &state).await.assert_error(400, "invalid_client_metadata");
}

#[tokio::test]
async fn a_change_needs_to_have_seen_what_it_changes() {
    let server = Server::start();
    let client = server.create_client(json!({"permissions": ["a"]})).await;
    let path = format!("/clients/{}", client.id);
    let change = json!({"permissions": ["b"]});

    let unconditional = Answer::to(server.manage("PATCH", &path).json(&change)).await;
    unconditional.assert_error(428, "precondition_required");

    let etag = manage(&server, "GET", &path).await.header("etag").to_owned();
    for stale in [r#""0""#, r#""2""#, r#""x""#, "1", "W/\"1\"", "", "**"] {
        let refused = patch(&server, &client.id, stale, &change).await;
        assert_eq!(refused.status, 412, "{stale}: {refused:?}");
        refused.assert_error(412, "precondition_failed");
    }
    let changed = patch(&server, &client.id, &etag, &change).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(changed.json()["permissions"], json!(["b"]));
    let renewed = changed.header("etag").to_owned();
    assert_ne!(renewed, etag);
    assert_eq!(manage(&server, "GET", &path).await.header("etag"), renewed);
    let again = patch(&server, &client.id, &etag, &change).await;
    again.assert_error(412, "precondition_failed");

    let several = patch(&server, &client.id, &format!("\"0\", {renewed}"), &change).await;
    assert_eq!(several.status, 200, "{several:?}");
    let whatever = patch(&server, &client.id, "*", &json!({"permissions": null})).await;
    assert_eq!(whatever.status, 200, "{whatever:?}");
    assert_eq!(whatever.json()["permissions"], json!([]));
    let nobody = patch(&server, "nobody", "*", &change).await;
    nobody.assert_error(404, "not_found");
}

/// Of operators who saw the same client, one changes it.
#[tokio::test]
async fn of_changes_at_once_one_wins() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;

    let changes = (0..8).map(|n| {
        let change = json!({"client_name": format!("changed by {n}")});
        let (server, id) = (&server, &client.id);
        async move { patch(server, id, r#""1""#, &change).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(changes).await;

    assert_eq!(statuses.iter().filter(|it| **it == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|it| **it == 412).count(), 7, "{statuses:?}");
}

#[tokio::test]
async fn a_change_bites_with_the_next_token() {
    let server = Server::start();
    let client = server.create_client(json!({"permissions": ["a"], "audience": ["x"]})).await;
    assert_eq!(claims(&server.token_of(&client).await)["permissions"], json!(["a"]));

    let change = json!({"permissions": ["b"], "audience": ["y"]});
    assert_eq!(patch(&server, &client.id, "*", &change).await.status, 200);

    assert_eq!(claims(&server.token_of(&client).await)["permissions"], json!(["b"]));
    let old = server.token(&client.basic(), &[GRANT, ("audience", "x")]).await;
    old.assert_error(400, "invalid_target");
    assert_eq!(server.token(&client.basic(), &[GRANT, ("audience", "y")]).await.status, 200);
}

#[tokio::test]
async fn clients_are_listed_a_page_at_a_time() {
    let server = Server::start();
    let mut made = BTreeSet::new();
    for _ in 0..5 {
        made.insert(server.create_client(json!({})).await.id);
    }

    let (mut listed, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = manage(&server, "GET", &format!("/clients?limit=2&after={after}")).await;
        assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
        let page = page.json();
        let clients = page["clients"].as_array().unwrap();
        assert!(clients.len() <= 2);
        listed.extend(clients.iter().map(|it| it["client_id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }

    assert_eq!(pages, 3);
    assert_eq!(listed, made.into_iter().collect::<Vec<_>>(), "ordered by id, each once");
}

#[tokio::test]
async fn clients_are_found_by_name_and_id() {
    let server = Server::start();
    let name = |name: &str| json!({"client_name": name});
    let billing = server.create(&name("Billing 100% _x_")).await.text_at("/client_id");
    server.create(&name("shipping")).await;
    let found = async |search: &str| {
        let request = server.manage("GET", "/clients").query(&[("search", search)]);
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["clients"].as_array().unwrap().len()
    };

    assert_eq!(found("Billing").await, 1);
    assert_eq!(found("ing").await, 2);
    assert_eq!(found(&billing).await, 1);
    assert_eq!(found("").await, 2);
    // Nothing in it is a wildcard or ends a statement.
    for nothing in ["%ing", "_illing", "0%x", "'; delete from clients; --", "\\", "caffè\u{1F600}"]
    {
        assert_eq!(found(nothing).await, 0, "{nothing}");
    }
    assert_eq!(found("100% _x").await, 1);
}

#[tokio::test]
async fn a_query_that_cannot_be_understood_is_refused() {
    let server = Server::start();
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "page=2",
        "after=a%20b",
        "after=%ff",
    ] {
        let refused = manage(&server, "GET", &format!("/clients?{query}")).await;
        assert_eq!(refused.outcome(), "400 invalid_request", "{query}: {refused:?}");
    }
    for query in ["limit=1", "limit=200", "after=", "search=", "after=zzz&search=a"] {
        let page = manage(&server, "GET", &format!("/clients?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
    }
}

#[tokio::test]
async fn an_id_with_odd_characters_is_nobodys() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let long = "a".repeat(4_000);
    for id in [
        "nobody",
        "a%20b",
        "%00",
        "%ff",
        "%2e%2e",
        "..%2f..%2fclients",
        "%c3%a8",
        "%25",
        "%zz",
        "a;b",
        "'",
        "%22",
        "*",
        "-",
        "~",
        "$ne",
        "%7B%22$gt%22%3A%22%22%7D",
        &long,
    ] {
        for (method, path) in [
            ("GET", format!("/clients/{id}")),
            ("DELETE", format!("/clients/{id}")),
            ("POST", format!("/clients/{id}/disable")),
            ("POST", format!("/clients/{id}/enable")),
            ("GET", format!("/clients/{id}/secrets")),
            ("POST", format!("/clients/{id}/secrets")),
            ("DELETE", format!("/clients/{id}/secrets/{id}")),
            ("DELETE", format!("/clients/{}/secrets/{id}", client.id)),
        ] {
            let answer = manage(&server, method, &path).await;
            assert_eq!(answer.outcome(), "404 not_found", "{method} {path}: {answer:?}");
        }
    }
    // An id may be written with escapes, whole.
    let escaped: String = client.id.chars().map(percent).collect();
    let shown = manage(&server, "GET", &format!("/clients/{escaped}")).await;
    assert_eq!(shown.json()["client_id"], client.id.as_str());
    let trailing = manage(&server, "GET", &format!("/clients/{}/", client.id)).await;
    trailing.assert_error(404, "not_found");
}

fn percent(character: char) -> String {
    format!("%{:02x}", u32::from(character))
}

#[tokio::test]
async fn a_client_is_deleted_with_all_it_has() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let token = server.token_of(&client).await;
    let path = format!("/clients/{}", client.id);

    let deleted = manage(&server, "DELETE", &path).await;

    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/secrets"))]
    {
        manage(&server, method, &path).await.assert_error(404, "not_found");
    }
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    server.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
}

/// Without waiting for anything, tokens that were issued included.
#[tokio::test]
async fn t34_disabling_bites_at_once_where_it_is_done() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let token = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    let change = async |what: &str| {
        let answer = manage(&server, "POST", &format!("/clients/{}/{what}", client.id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["__STATE__"].as_str().unwrap().to_owned()
    };

    assert_eq!(change("disable").await, "TRASH");

    server.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    assert_eq!(change("disable").await, "TRASH", "twice is once");

    assert_eq!(change("enable").await, "PUBLIC");
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    // A token says when it was issued in whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let renewed = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&renewed).await.status, 200);
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn t34_a_revoked_secret_is_worth_nothing_at_once() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}/secrets", client.id);
    let first = manage(&server, "GET", &path).await.text_at("/secrets/0/secret_id");
    let second = manage(&server, "POST", &path).await.text_at("/client_secret");
    let second = Client { id: client.id.clone(), secret: second };
    server.token_of(&client).await;
    server.token_of(&second).await;

    let revoked = manage(&server, "DELETE", &format!("{path}/{first}")).await;

    assert_eq!(revoked.status, 204, "{revoked:?}");
    server.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    server.token_of(&second).await;
}

/// Two nodes on one database. Both know the client, its secret and its token by heart when it
/// happens on the first.
struct TwoNodes {
    _database: Database,
    here: Server,
    there: Server,
    client: Client,
    token: String,
}

impl TwoNodes {
    async fn start() -> Self {
        Self::start_with(1).await
    }

    async fn start_with(fresh_seconds: u8) -> Self {
        let database = Database::empty().await;
        let options = database
            .options()
            .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", &fresh_seconds.to_string())
            .with("TOKENWRIGHT__TOKENS__ISSUER", "https://tokens.example");
        let (here, there) = (Server::start_with(options.clone()), Server::start_with(options));
        let client = here.create_client(json!({})).await;
        let token = here.token_of(&client).await;
        for node in [&here, &there] {
            within(Duration::from_secs(20), "the keys", async || {
                (node.tokeninfo(&token).await.status == 200).then_some(())
            })
            .await;
            node.token_of(&client).await;
        }
        Self { _database: database, here, there, client, token }
    }

    /// Asks on, as a busy client does, until it is refused; says how long that took.
    async fn until_refused(&self) -> Duration {
        let Self { there, client, token, .. } = self;
        let refused = async || {
            let issued = there.token(&client.basic(), &[GRANT]).await.status;
            let told = there.tokeninfo(token).await.status;
            (issued == 401 && told == 401).then_some(())
        };
        within(Duration::from_secs(10), "the refusal", refused).await.1
    }
}

/// `cache.fresh_seconds`, and a little for slow machines.
const BOUND: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn t34_disabling_bites_on_every_node_within_the_bound() {
    let nodes = TwoNodes::start().await;

    let path = format!("/clients/{}/disable", nodes.client.id);
    assert_eq!(manage(&nodes.here, "POST", &path).await.status, 200);

    nodes.here.tokeninfo(&nodes.token).await.assert_error(401, "invalid_token");
    let took = nodes.until_refused().await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test]
async fn t34_deleting_bites_on_every_node_within_the_bound() {
    let nodes = TwoNodes::start().await;

    let path = format!("/clients/{}", nodes.client.id);
    assert_eq!(manage(&nodes.here, "DELETE", &path).await.status, 204);

    nodes.here.tokeninfo(&nodes.token).await.assert_error(401, "invalid_token");
    let took = nodes.until_refused().await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test]
async fn t34_revoking_a_secret_bites_on_every_node_within_the_bound() {
    let TwoNodes { here, there, client, _database, .. } = TwoNodes::start().await;
    let path = format!("/clients/{}/secrets", client.id);
    let secret = manage(&here, "GET", &path).await.text_at("/secrets/0/secret_id");

    assert_eq!(manage(&here, "DELETE", &format!("{path}/{secret}")).await.status, 204);

    here.token(&client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    let ((), took) = within(Duration::from_secs(10), "the refusal", async || {
        (there.token(&client.basic(), &[GRANT]).await.status == 401).then_some(())
    })
    .await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test]
async fn t34_revoking_a_token_bites_on_every_node_within_the_bound() {
    let TwoNodes { here, there, client, token, _database } = TwoNodes::start().await;

    let request = here.http.post(here.at("/oauth2/revoke")).form(&[("token", token.as_str())]);
    let revoked = Answer::to(request.header("authorization", client.basic())).await;

    assert_eq!(revoked.status, 200, "{revoked:?}");
    here.tokeninfo(&token).await.assert_error(401, "invalid_token");
    let ((), took) = within(Duration::from_secs(10), "the refusal", async || {
        (there.tokeninfo(&token).await.status == 401).then_some(())
    })
    .await;
    assert!(took < BOUND, "{took:?}");
    there.token_of(&client).await;
}

/// However long clients are remembered.
#[tokio::test]
async fn t34_a_revocation_bites_on_every_node_within_five_seconds() {
    let nodes = TwoNodes::start_with(30).await;

    let path = format!("/clients/{}/disable", nodes.client.id);
    assert_eq!(manage(&nodes.here, "POST", &path).await.status, 200);

    let ((), took) = within(Duration::from_secs(10), "the refusal", async || {
        (nodes.there.tokeninfo(&nodes.token).await.status == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_millis(6_500), "{took:?}");
}

/// A secret that one node made is good on all, at once: a client that is refused is looked up
/// again.
#[tokio::test]
async fn a_new_secret_works_on_every_node() {
    let TwoNodes { here, there, client, _database, .. } = TwoNodes::start().await;

    let made = manage(&here, "POST", &format!("/clients/{}/secrets", client.id)).await;

    let renewed = Client { id: client.id, secret: made.text_at("/client_secret") };
    for node in [&here, &there] {
        node.token_of(&renewed).await;
    }
}

#[tokio::test]
async fn the_last_use_is_written_down_soon() {
    let server = Server::start();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}", client.id);
    assert_eq!(manage(&server, "GET", &path).await.json()["lastLogin"], Value::Null);
    server.token_of(&client).await;

    let (moments, took) = within(Duration::from_secs(10), "the last login", async || {
        let shown = manage(&server, "GET", &path).await.json();
        let secrets = manage(&server, "GET", &format!("{path}/secrets")).await.json();
        let moments = (shown["lastLogin"].clone(), secrets["secrets"][0]["last_used"].clone());
        (moments.0.is_string() && moments.1.is_string()).then_some(moments)
    })
    .await;

    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(moments.0.as_str().unwrap().ends_with('Z'), "{moments:?}");
    // Nobody changed anything: whoever read the client before may still change it.
    assert_eq!(patch(&server, &client.id, r#""1""#, &json!({"scope": "a"})).await.status, 200);
}
