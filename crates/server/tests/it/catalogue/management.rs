//! How operators say what is registered.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GRANT, ORDERS, ORDERS_PATH, ask, manage, put, register, shop};
use crate::dialects::commands;
use crate::support::cli::run;
use crate::support::server::MANAGEMENT_TOKEN;
use crate::support::{Answer, Options, Server};

/// Every method and path that needs a right on the catalogue, as the OpenAPI document has it.
async fn documented(server: &Server) -> Vec<(String, String, String)> {
    let document = server.get("/documentation/json").await.json();
    let mut table = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let place = path.replace("{scope}", "none").replace("{resource}", "none");
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["bearer"][0].as_str().unwrap_or_default();
            if scope.starts_with("catalogue:") {
                table.push((method.to_uppercase(), place.clone(), scope.to_owned()));
            }
        }
    }
    assert_eq!(table.len(), 12, "{table:?}");
    table
}

#[tokio::test]
async fn every_route_is_guarded_by_the_right_that_is_documented() {
    let server = Server::start();
    let mut tokens = Vec::new();
    for scope in ["catalogue:read", "catalogue:write", "clients:read clients:write"] {
        let client = server.create_client(json!({"scope": scope})).await;
        let asked = server.token(&client.basic(), &[GRANT, ("scope", scope)]).await;
        tokens.push((scope, asked.text_at("/access_token")));
    }
    let mut table = documented(&server).await;
    for path in ["/catalogue", "/scopes/none", "/resources/none"] {
        table.push(("HEAD".to_owned(), path.to_owned(), "catalogue:read".to_owned()));
        table.push(("POST".to_owned(), path.to_owned(), "catalogue:write".to_owned()));
    }

    for (method, path, right) in table {
        let verb = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let without = Answer::to(server.http.request(verb.clone(), server.at(&path))).await;
        assert_eq!(without.status, 401, "{method} {path}");
        for (scope, token) in &tokens {
            let request = server.http.request(verb.clone(), server.at(&path)).bearer_auth(token);
            let answer = Answer::to(request).await;
            let is_admitted = ![401, 403].contains(&answer.status.as_u16());
            assert_eq!(is_admitted, *scope == right, "{method} {path} with {scope}: {answer:?}");
            if !is_admitted {
                let challenge = answer.header("www-authenticate");
                assert!(challenge.contains(&format!(r#"scope="{right}""#)), "{challenge}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_registered_is_shown_changed_and_removed() {
    let server = Server::start();
    let empty = manage(&server, "GET", "/catalogue").await;
    let nothing = json!({
        "capabilities": ["client_credentials", "introspection"], "resources": [], "scopes": [],
    });
    assert_eq!((empty.json(), empty.header("etag")), (nothing, r#""0""#));
    manage(&server, "GET", ORDERS_PATH).await.assert_error(404, "not_found");

    let scope = put(&server, "/scopes/orders:read", "new", &json!({"description": "See"})).await;
    assert_eq!((scope.status.as_u16(), scope.header("etag")), (201, r#""1""#), "{scope:?}");
    assert_eq!(scope.json(), json!({"description": "See", "name": "orders:read"}));
    let document = json!({"identifier": ORDERS, "name": "Orders", "scopes": ["orders:read"]});
    let made = put(&server, ORDERS_PATH, "new", &document).await;
    assert_eq!((made.status.as_u16(), made.json()), (201, document.clone()));
    let shown = manage(&server, "GET", ORDERS_PATH).await;
    assert_eq!((shown.json(), shown.header("etag")), (document.clone(), r#""2""#));
    assert_eq!(shown.header("cache-control"), "no-store");
    let list = manage(&server, "GET", "/resources").await;
    assert_eq!((list.json(), list.header("etag")), (json!({"resources": [document]}), r#""2""#));
    let list = manage(&server, "GET", "/scopes").await.json();
    assert_eq!(list["scopes"][0]["name"], "orders:read");

    let changed = put(&server, ORDERS_PATH, "2", &json!({"name": "Renamed"})).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, r#""3""#));
    assert_eq!(changed.json(), json!({"identifier": ORDERS, "name": "Renamed"}));
    for (method, path) in [("DELETE", ORDERS_PATH), ("DELETE", "/scopes/orders:read")] {
        assert_eq!(manage(&server, method, path).await.status, 204);
        manage(&server, method, path).await.assert_error(404, "not_found");
    }
    let capabilities = put(&server, "/capabilities", "5", &json!({"capabilities": []})).await;
    assert_eq!(capabilities.json(), json!({"capabilities": []}));
    assert_eq!(manage(&server, "GET", "/catalogue").await.header("etag"), r#""6""#);
}

/// Percent signs, slashes and dots are part of a name, and each name is another.
#[tokio::test]
async fn t31_a_name_in_a_path_is_that_name_and_no_other() {
    let server = Server::start();
    let names = [
        ("https://a.example/x", "https%3A%2F%2Fa.example%2Fx"),
        ("https://a.example/x/", "https%3A%2F%2Fa.example%2Fx%2F"),
        ("https://a.example/X", "https%3A%2F%2Fa.example%2FX"),
        ("https://a.example/%78", "https%3A%2F%2Fa.example%2F%2578"),
        ("a+b", "a+b"),
        ("a?b=c&d", "a%3Fb=c&d"),
    ];
    for (name, path) in names {
        let made = put(&server, &format!("/resources/{path}"), "new", &json!({})).await;
        assert_eq!((made.status.as_u16(), made.text_at("/identifier")), (201, name.to_owned()));
    }

    let listed = manage(&server, "GET", "/resources").await.json();
    assert_eq!(listed["resources"].as_array().unwrap().len(), names.len());
    for (name, path) in names {
        let shown = manage(&server, "GET", &format!("/resources/{path}")).await;
        assert_eq!(shown.text_at("/identifier"), name);
    }
}

#[tokio::test]
async fn a_change_needs_to_say_what_it_expects() {
    let server = Server::start();
    let scope = json!({});
    for (path, body) in [
        ("/scopes/a", &scope),
        (ORDERS_PATH, &scope),
        ("/capabilities", &json!({"capabilities": []})),
        ("/catalogue", &shop()),
    ] {
        put(&server, path, "", body).await.assert_error(428, "precondition_required");
        let stale = put(&server, path, "9", body).await;
        stale.assert_error(412, "precondition_failed");
    }
    put(&server, "/scopes/a", "*", &scope).await.assert_error(412, "precondition_failed");
    put(&server, "/catalogue", "new", &shop()).await.assert_error(412, "precondition_failed");
    assert_eq!(put(&server, "/scopes/a", "new", &scope).await.status, 201);
    put(&server, "/scopes/a", "new", &scope).await.assert_error(412, "precondition_failed");
    for (name, value) in [("if-none-match", "\"1\""), ("if-match", "\"7\"")] {
        let request = server.manage("DELETE", "/scopes/a").header(name, value);
        let refused = Answer::to(request).await;
        assert!([400, 412].contains(&refused.status.as_u16()), "{name}: {refused:?}");
    }
    let request = server.manage("DELETE", "/scopes/a").header("if-match", "\"1\"");
    assert_eq!(Answer::to(request).await.status, 204);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let server = Server::start();
    register(&server, &shop()).await;
    let with = |pointer: &str, value: Value| {
        let mut document = shop();
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    let long = "s".repeat(256);
    for (path, body, named) in [
        ("/catalogue", json!({}), "capabilities: is required"),
        ("/catalogue", with("/capabilities/0", json!("fly")), "capabilities[0]: must be one of"),
        ("/catalogue", with("/resources/1", json!({})), "resources[1].identifier: is required"),
        (
            "/catalogue",
            with("/resources/0/identifier", json!("https://a/#b")),
            "resources[0].identifier: identifier may hold no #",
        ),
        (
            "/catalogue",
            with("/resources/0/scopes/0", json!("no:such")),
            "resources[0].scopes: the scope no:such is not registered",
        ),
        ("/capabilities", json!({"capabilities": [], "scopes": []}), "scopes: is not known here"),
        ("/capabilities", json!({"capabilities": "all"}), "capabilities: must be an array"),
        ("/scopes/base", json!({"default": "yes"}), "default: must be true or false"),
        ("/scopes/base", json!({"name": "other"}), "name: must be as in the path"),
        ("/scopes/a%20b", json!({}), "scope does not match"),
        (&format!("/scopes/{long}"), json!({}), "name: must have at most 255 bytes"),
        ("/resources/stock", json!({"scopes": ["a", 1]}), "scopes[1]: must be a text"),
        ("/resources/stock", json!({"scopes": ["z"]}), "scopes: the scope z is not registered"),
        ("/resources/stock", json!({"scope": "a"}), "scope: is not known here"),
        ("/resources/a%23b", json!({}), "identifier may hold no #"),
        ("/resources/a%20b", json!({}), "audience may hold visible ASCII"),
    ] {
        let refused = put(&server, path, "*", &body).await;
        refused.assert_error(400, "invalid_request");
        let description = refused.text_at("/error_description");
        assert!(description.starts_with(named), "{path}: {description}");
    }
    let huge = json!({"capabilities": [], "resources": [], "scopes": ["x".repeat(300_000)]});
    put(&server, "/catalogue", "*", &huge).await.assert_error(413, "invalid_request");
    let twice = server.manage("PUT", "/scopes/base").header("if-match", "*");
    let twice = twice.header("content-type", "application/json");
    let twice = twice.body(r#"{"default":true,"default":false}"#);
    Answer::to(twice).await.assert_error(400, "invalid_request");
    for (path, allow) in [
        ("/catalogue", "GET, HEAD, PUT"),
        ("/scopes", "GET, HEAD"),
        ("/resources/stock", "GET, HEAD, PUT, DELETE"),
    ] {
        let refused = manage(&server, "POST", path).await;
        refused.assert_error(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow);
    }

    let kept = manage(&server, "GET", "/catalogue").await;
    assert_eq!((kept.json(), kept.header("etag")), (shop(), r#""1""#));
}

#[tokio::test]
async fn the_command_line_shows_and_replaces_the_catalogue() {
    let directory = TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1");
    let server = Server::start_with(options);
    let file = directory.path().join("catalogue.json");
    let path = file.to_str().unwrap();
    let run = |arguments: &[&str]| run(directory.path(), &[], arguments);
    std::fs::write(&file, shop().to_string()).unwrap();

    let planned = run(&["catalogue", "apply", path, "--dry-run"]).well().stdout;
    let lines = [
        "+ scope base",
        "+ scope orders:read",
        "+ resource https://api.example/orders",
        "+ resource stock",
    ];
    assert_eq!(
        planned.lines().collect::<Vec<_>>(),
        [&lines[..], &["4 things would change"]].concat()
    );
    assert_eq!(manage(&server, "GET", "/catalogue").await.header("etag"), r#""0""#);
    let done = run(&["--output", "json", "catalogue", "apply", path]).well().json();
    assert_eq!(done, json!({"dry_run": false, "changes": lines}));
    assert_eq!(manage(&server, "GET", "/catalogue").await.json(), shop());
    assert_eq!(run(&["catalogue", "show"]).well().json(), shop());
    assert_eq!(run(&["catalogue", "apply", path]).well().stdout, "nothing to change\n");

    std::fs::write(&file, r#"{"capabilities":["fly"],"scopes":[],"resources":[]}"#).unwrap();
    let said = "holds no catalogue: capabilities[0]: must be one of";
    run(&["catalogue", "apply", path]).badly(1, said);
    std::fs::write(&file, "[]").unwrap();
    run(&["catalogue", "apply", path]).badly(1, "is not a JSON object");
    run(&["catalogue", "apply", "nowhere.json"]).badly(1, "nowhere.json cannot be read");
    assert_eq!(manage(&server, "GET", "/catalogue").await.json(), shop());
    // The running server took it over by itself.
    let client = server.create_client(json!({"scope": "base other"})).await;
    let (scope, _) = crate::support::within(std::time::Duration::from_secs(5), "it", async || {
        let answer = ask(&server, "/oauth2/token", &client, &[]).await;
        answer.json()["scope"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(scope, "base");
}

#[tokio::test]
async fn every_command_of_the_page_on_scopes_and_resources_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scopes-and-resources.md");
    let commands = commands(&std::fs::read_to_string(page).unwrap());
    assert_eq!(commands.len(), 7, "{commands:?}");
    let server = Server::start();
    let directory = TempDir::new().unwrap();
    let (mut id, mut secret) = (String::new(), String::new());
    for command in commands {
        let ran = std::process::Command::new("sh")
            .args(["-ec", &command])
            .current_dir(directory.path())
            .envs([("AUTH", server.url.as_str()), ("ID", &id), ("SECRET", &secret)])
            .env("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{command}: {ran:?}");
        let answer: Value = serde_json::from_slice(&ran.stdout).unwrap();
        if let Some(made) = answer["client_secret"].as_str() {
            id = answer["client_id"].as_str().unwrap().to_owned();
            secret = made.to_owned();
        }
        // The page says which of them are refused.
        let is_refusal = answer.get("error").is_some();
        let is_refused = ["scope=orders:write", "/preview"].iter().any(|it| command.contains(it));
        assert_eq!(is_refusal, is_refused, "{command}: {answer}");
    }
}
