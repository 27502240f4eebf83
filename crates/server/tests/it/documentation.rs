//! `/documentation`: the API, for people and for machines.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Options, Server};

/// Paths that are for other readers than the callers of the API.
const UNDOCUMENTED: [&str; 6] = [
    "/-/healthz",
    "/-/ready",
    "/-/check-up",
    "/-/metrics",
    "/documentation",
    "/documentation/{file}",
];

async fn document(server: &Server) -> Value {
    let answer = server.get("/documentation/json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// Every `$ref` below a value.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(target) if name == "$ref" => found.push(target.to_owned()),
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

#[tokio::test]
async fn the_document_is_openapi() {
    let server = Server::start();
    let document = document(&server).await;

    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(!document["info"]["title"].as_str().unwrap().is_empty());
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("nothing is elsewhere");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let templates: BTreeSet<&str> =
            path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let what = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{what}");
            let mut declared = BTreeSet::new();
            for list in [&item["parameters"], &operation["parameters"]] {
                for parameter in list.as_array().into_iter().flatten() {
                    let resolved = match parameter["$ref"].as_str() {
                        Some(reference) => document.pointer(&reference[1..]).unwrap(),
                        None => parameter,
                    };
                    if resolved["in"] == "path" {
                        assert_eq!(resolved["required"], true, "{what}");
                        declared.insert(resolved["name"].as_str().unwrap());
                    }
                }
            }
            assert_eq!(declared, templates, "{what}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(status.parse::<u16>().is_ok_and(|it| (200..600).contains(&it)), "{what}");
                let is_described =
                    response["description"].is_string() || response["$ref"].is_string();
                assert!(is_described, "{what} {status}");
            }
            for requirement in operation["security"].as_array().into_iter().flatten() {
                for scheme in requirement.as_object().unwrap().keys() {
                    assert!(schemes.contains_key(scheme), "{what}: {scheme}");
                }
            }
        }
    }
}

/// The paths in the sources of the server: a route that nobody documents fails here.
fn routes() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut routes = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "rs") {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        // The paths of a dialect are the texts of its `Paths`, and one more.
        if source.contains("struct Paths") {
            routes.extend(texts(&source));
        }
        routes.extend(literals(&source, "let metadata ="));
        let scope = literals(&source, "web::scope(").pop().unwrap_or_default();
        for call in ["get(", "post(", "resource(", "route("] {
            for literal in literals(&source, call) {
                routes.insert(format!("{scope}{literal}"));
            }
        }
    }
    routes
}

/// Every text that is a path of the API, below the first mention of its type.
fn texts(source: &str) -> impl Iterator<Item = String> {
    let literals = source.split("fn paths(").nth(1).unwrap_or_default().split('"').skip(1);
    literals.step_by(2).filter(|it| it.starts_with('/')).map(str::to_owned)
}

/// The text after each `call`, where it is a path or empty.
fn literals(source: &str, call: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices(call) {
        let is_whole_word =
            !source[..at].ends_with(|it: char| it.is_alphanumeric() || it == '.' || it == '_');
        let rest = source[at + call.len()..].trim_start();
        if let Some(text) = rest.strip_prefix('"').and_then(|it| it.split('"').next())
            && is_whole_word
            && (text.is_empty() || text.starts_with('/'))
        {
            found.push(text.to_owned());
        }
    }
    found
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_path_is_there() {
    let server = Server::start();
    let document = document(&server).await;
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<String> = paths.keys().cloned().collect();

    let mut expected = routes();
    for path in UNDOCUMENTED {
        assert!(expected.remove(path), "{path} is a route no more");
    }
    assert_eq!(documented, expected);
    assert!(documented.contains("/clients/{client}/secrets/{secret}"));

    let client = server.create_client(json!({})).await;
    let secrets = server.manage("GET", &format!("/clients/{}/secrets", client.id));
    let secret = Answer::to(secrets).await.text_at("/secrets/0/secret_id");
    let known = json!({"capabilities": ["client_credentials", "introspection"],
        "scopes": [{"name": "known"}], "resources": [{"identifier": "known"}]});
    let put = server.manage("PUT", "/catalogue").header("if-match", "*").json(&known);
    assert_eq!(Answer::to(put).await.status, 200);
    let operations = json!([{"op": "create_client", "client": {"client_name": "x"}}]);
    let draft = server.manage("POST", "/changes").json(&json!({"operations": operations}));
    let set = Answer::to(draft).await.text_at("/id");
    for (path, item) in paths {
        let place = path.replace("{client}", &client.id).replace("{secret}", &secret);
        let place = place.replace("{scope}", "known").replace("{resource}", "known");
        let place = place.replace("{set}", &set);
        for (method, operation) in item.as_object().unwrap() {
            // What deletes would leave nothing for the others.
            if ["parameters", "delete"].contains(&method.as_str()) {
                continue;
            }
            let answer = Answer::to(server.manage(&method.to_uppercase(), &place)).await;
            let status = answer.status.as_u16();
            assert!(![404, 405, 500].contains(&status), "{method} {path}: {answer:?}");
            let told = operation["responses"].as_object().unwrap();
            assert!(told.contains_key(&status.to_string()), "{method} {path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_document_knows_the_prefix() {
    let options = Options::default().with("SERVICE_PREFIX", "auth").with("SERVICE_VERSION", "1.2");
    let server = Server::start_with(options);
    assert!(server.url.ends_with("/auth"));

    let document = document(&server).await;

    assert_eq!(document["servers"], json!([{"url": "/auth"}]));
    assert_eq!(document["info"]["version"], "1.2");
    let page = server.get("/documentation").await;
    assert_eq!(page.header("location"), "/auth/documentation/index.html");
}

/// What an HTML page loads: the values of `src`, `href` and `action`.
fn loaded(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["src=", "href=", "action="] {
        for part in html.split(attribute).skip(1) {
            let quote = part.chars().next().unwrap();
            assert!(['"', '\''].contains(&quote), "{part}");
            found.push(part[1..].split(quote).next().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start_with(Options::default().with("SERVICE_PREFIX", "/auth"));
    let page = server.get("/documentation").await;
    assert_eq!(page.status, 302);
    let index = server.get("/documentation/index.html").await;
    assert_eq!(index.status, 200);
    assert!(index.header("content-type").starts_with("text/html"));

    let files = loaded(&index.text);
    assert!(3 <= files.len(), "{files:?}");
    let mut texts = vec![("index.html".to_owned(), index)];
    for file in files {
        let name = file.strip_prefix("./").unwrap_or(&file).to_owned();
        assert!(!name.contains("//") && !name.starts_with('/'), "{name} is elsewhere");
        let answer = server.get(&format!("/documentation/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        texts.push((name, answer));
    }
    for (name, answer) in &texts {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        assert!(!policy.contains("http") && !policy.contains('*'), "{name}: {policy}");
        assert!(!policy.contains("unsafe-eval"), "{name}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{name}");
        if ["css", "html"].iter().any(|kind| name.ends_with(kind)) {
            for load in ["@import", "url(http", "url(//", "url(\"http", "url('http"] {
                assert!(!answer.text.contains(load), "{name} loads with {load}");
            }
        }
    }
    let (_, setup) = texts.iter().find(|(name, _)| name.contains("initializer")).unwrap();
    assert!(setup.text.contains("\"json\""), "{}", setup.text);
    assert!(!setup.text.contains("https://"), "{}", setup.text);
}

/// Another document, or a file of the machine, is not to be had.
#[tokio::test]
async fn the_page_shows_no_other_document() {
    let server = Server::start();
    for path in [
        "/documentation/index.html?url=https://elsewhere.example/openapi.json",
        "/documentation/nothing.js",
        "/documentation/..%2f..%2fCargo.toml",
        "/documentation/%2fetc%2fpasswd",
        "/documentation/a/b",
    ] {
        server.get(path).await.assert_error(404, "not_found");
    }
}
