//! `/changes`: changes that are drafted, reviewed, committed at once and rolled back at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

pub(crate) async fn manage(server: &Server, method: &str, path: &str) -> Answer {
    Answer::to(server.manage(method, path)).await
}

pub(crate) async fn draft(server: &Server, operations: Value) -> Answer {
    let body = json!({"note": "for a test", "operations": operations});
    Answer::to(server.manage("POST", "/changes").json(&body)).await
}

/// A draft, by its path.
pub(crate) async fn drafted(server: &Server, operations: Value) -> String {
    let answer = draft(server, operations).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.header("location").to_owned()
}

pub(crate) async fn commit(server: &Server, path: &str) -> Answer {
    manage(server, "POST", &format!("{path}/commit")).await
}

pub(crate) async fn roll_back(server: &Server, path: &str) -> Answer {
    manage(server, "POST", &format!("{path}/rollback")).await
}

pub(crate) fn secret_of(committed: &Answer, id: &str) -> Client {
    let document = committed.json();
    let secrets = document["secrets"].as_array().unwrap();
    let found = secrets.iter().find(|it| it["client_id"] == id);
    let secret = found.unwrap_or_else(|| panic!("no secret of {id}: {committed:?}"));
    Client { id: id.to_owned(), secret: secret["client_secret"].as_str().unwrap().to_owned() }
}

async fn status(server: &Server, client: &Client) -> u16 {
    server.token(&client.basic(), &[GRANT]).await.status.as_u16()
}

pub(crate) fn create(id: &str) -> Value {
    json!({"op": "create_client", "client_id": id, "client": {"client_name": id, "scope": "a b"}})
}

pub(crate) fn of(op: &str, id: &str) -> Value {
    json!({"op": op, "client_id": id})
}

/// What all stores that can do it do.
pub(crate) async fn a_set_lives_its_whole_life(server: &Server) {
    let changed = server.create_client(json!({"scope": "a b"})).await;
    let disabled = server.create_client(json!({})).await;
    let deleted = server.create_client(json!({})).await;
    let token = server.token_of(&deleted).await;
    let path = drafted(
        server,
        json!([
            create("made"),
            {"op": "change_client", "client_id": changed.id, "client": {
                "scope": "a", "access_token_lifetime": 60}},
            of("disable_client", &disabled.id),
            of("delete_client", &deleted.id),
        ]),
    )
    .await;

    // A draft is there for whoever asks for it, and for nobody else.
    let shown = manage(server, "GET", &path).await;
    assert_eq!((shown.json()["state"].as_str(), shown.header("etag")), (Some("draft"), "\"1\""));
    assert_eq!(shown.json()["operations"][1]["revision"], 1);
    assert_eq!(manage(server, "GET", "/clients/made").await.status, 404);
    for client in [&changed, &disabled, &deleted] {
        assert_eq!(status(server, client).await, 200);
    }
    let diff = manage(server, "GET", &format!("{path}/diff")).await;
    assert!(!diff.text.contains("secret\":\"$"), "{diff:?}");
    let diff = diff.json();
    assert_eq!(diff["problems"], json!([]));
    let of_client = |id: &str| {
        let clients = diff["clients"].as_array().unwrap();
        clients.iter().find(|it| it["client_id"] == id).unwrap().clone()
    };
    assert_eq!(
        of_client(&changed.id),
        json!({"client_id": changed.id, "change": "change", "secret": null, "members": {
            "access_token_lifetime": {"before": null, "after": 60},
            "scope": {"before": "a b", "after": "a"}}})
    );
    assert_eq!(
        of_client(&disabled.id)["members"],
        json!({"__STATE__": {"before": "PUBLIC", "after": "TRASH"}})
    );
    assert_eq!(of_client("made")["secret"], "made");
    assert_eq!(of_client(&deleted.id)["secret"], "lost");

    let committed = commit(server, &path).await;
    assert_eq!(committed.status, 200, "{committed:?}");
    assert_eq!(committed.json()["state"], "committed");
    assert_eq!(committed.json()["committed_by"], "the management token");
    assert_eq!(committed.json()["secrets"].as_array().unwrap().len(), 1);
    let made = secret_of(&committed, "made");
    server.token_of(&made).await;
    let form = [GRANT, ("scope", "b")];
    server.token(&changed.basic(), &form).await.assert_error(400, "invalid_scope");
    for gone in [&disabled, &deleted] {
        assert_eq!(status(server, gone).await, 401);
    }
    assert_eq!(server.tokeninfo(&token).await.status, 401);
    assert_eq!(
        manage(server, "GET", &format!("{path}/diff")).await.json()["clients"],
        diff["clients"]
    );
    commit(server, &path).await.assert_error(409, "conflict");

    let rolled_back = roll_back(server, &path).await;
    assert_eq!(rolled_back.status, 200, "{rolled_back:?}");
    assert_eq!(rolled_back.json()["state"], "rolled_back");
    assert_eq!(status(server, &made).await, 401);
    assert_eq!(server.token(&changed.basic(), &form).await.status, 200);
    for back in [&disabled, &deleted] {
        assert_eq!(status(server, back).await, 200);
    }
    assert_eq!(server.tokeninfo(&token).await.status, 401, "what was taken back stays so");
    roll_back(server, &path).await.assert_error(409, "conflict");
    let log = server.printed();
    for secret in [&made.secret, &changed.secret] {
        assert!(!log.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn a_set_lives_its_whole_life_on_sqlite() {
    a_set_lives_its_whole_life(&Server::start()).await;
}

#[tokio::test]
async fn a_commit_refuses_everything_that_is_wrong_at_once() {
    let server = Server::start();
    let client = server.create_client(json!({"scope": "a"})).await;
    let path = drafted(
        &server,
        json!([
            {"op": "create_client", "client_id": "new", "client": {
                "client_name": "n", "scope": "a", "default_scope": "b", "colour": "red"}},
            {"op": "change_client", "client_id": client.id, "client": {"permissions": "all"}},
            of("enable_client", "nobody"),
        ]),
    )
    .await;

    let refused = commit(&server, &path).await;

    assert_eq!(refused.outcome(), "400 invalid_client_metadata");
    let problems = refused.json()["problems"].clone();
    let named: Vec<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["operation"].as_u64().unwrap(), it["member"].as_str()))
        .collect();
    let expected =
        [(0, Some("colour")), (0, Some("default_scope")), (1, Some("permissions")), (2, None)];
    assert_eq!(named, expected, "{problems:#}");
    assert!(refused.json()["message"].as_str().unwrap().contains("3 more"), "{refused:?}");
    let diff = manage(&server, "GET", &format!("{path}/diff")).await.json();
    assert_eq!(diff["problems"], problems);
    assert_eq!(manage(&server, "GET", "/clients/new").await.status, 404);
}

#[tokio::test]
async fn a_commit_names_every_client_that_moved_and_changes_nothing() {
    let server = Server::start();
    let (moved, still) =
        (server.create_client(json!({})).await, server.create_client(json!({})).await);
    let operations =
        json!([of("disable_client", &moved.id), of("disable_client", &still.id), create("new")]);
    let path = drafted(&server, operations.clone()).await;
    let renaming = server.manage("PATCH", &format!("/clients/{}", moved.id));
    let renamed = Answer::to(renaming.header("if-match", "*").json(&json!({"scope": "x"}))).await;
    assert_eq!(renamed.status, 200);

    let refused = commit(&server, &path).await;

    assert_eq!(refused.outcome(), "409 conflict");
    assert_eq!(refused.json()["clients"], json!([moved.id]));
    assert_eq!(status(&server, &still).await, 200);
    // Drafted again, it fits.
    let put = server.manage("PUT", &path).header("if-match", "\"1\"");
    let edited = Answer::to(put.json(&json!({"operations": operations}))).await;
    assert_eq!((edited.status.as_u16(), edited.header("etag")), (200, "\"2\""), "{edited:?}");
    assert_eq!(edited.json()["note"], Value::Null);
    assert_eq!(commit(&server, &path).await.status, 200);
    assert_eq!(status(&server, &still).await, 401);
    let enabling = server.manage("POST", &format!("/clients/{}/enable", moved.id));
    assert_eq!(Answer::to(enabling).await.status, 200);
    let refused = roll_back(&server, &path).await;
    assert_eq!(refused.outcome(), "409 conflict");
    assert_eq!(refused.json()["clients"], json!([moved.id]));
    assert_eq!(status(&server, &still).await, 401);
}

#[tokio::test]
async fn what_is_no_change_set_is_refused_and_says_how_to_mend_it() {
    let server = Server::start();
    let post = |body: Value| Answer::to(server.manage("POST", "/changes").json(&body));
    for body in [
        json!({}),
        json!({"operations": {}}),
        json!({"operations": [1]}),
        json!({"operations": [], "note": 1}),
        json!({"operations": [], "note": ""}),
        json!({"operations": [], "notes": "x"}),
    ] {
        post(body).await.assert_error(400, "invalid_request");
    }
    let wrong =
        post(json!({"operations": [of("drop_client", "a"), {"op": "delete_client"}]})).await;
    assert_eq!(wrong.outcome(), "400 invalid_client_metadata");
    assert_eq!(wrong.json()["problems"][0]["member"], "op");
    assert_eq!(wrong.json()["problems"][1]["member"], "client_id");
    let many: Vec<Value> = (0..1_001).map(|n| of("delete_client", &n.to_string())).collect();
    let refused = post(json!({"operations": many})).await;
    assert!(refused.text.contains("split it"), "{refused:?}");
    let large = json!({"operations": [
        {"op": "create_client", "client": {"metadata": {"x": "x".repeat(5 * 1024 * 1024)}}}]});
    post(large).await.assert_error(413, "invalid_request");
    let text = server.manage("POST", "/changes").header("content-type", "text/plain").body("{}");
    Answer::to(text).await.assert_error(400, "invalid_request");

    for (method, path) in [
        ("GET", "/changes/none"),
        ("GET", "/changes/none/diff"),
        ("DELETE", "/changes/none"),
        ("POST", "/changes/none/commit"),
        ("POST", "/changes/none/rollback"),
        ("GET", "/changes/a%20b"),
        ("GET", "/changes/none/nothing/here"),
    ] {
        manage(&server, method, path).await.assert_error(404, "not_found");
    }
    for query in ["limit=0", "limit=201", "limit=x", "before=a%20b", "after=x", "limit=1&limit=2"] {
        let path = format!("/changes?{query}");
        manage(&server, "GET", &path).await.assert_error(400, "invalid_request");
    }
    for (method, path, allow) in [
        ("PATCH", "/changes", "GET, HEAD, POST"),
        ("POST", "/changes/none", "GET, HEAD, PUT, DELETE"),
        ("POST", "/changes/none/diff", "GET, HEAD"),
        ("GET", "/changes/none/commit", "POST"),
        ("GET", "/changes/none/rollback", "POST"),
    ] {
        let refused = manage(&server, method, path).await;
        refused.assert_error(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn whoever_has_not_seen_the_latest_changes_nothing() {
    let server = Server::start();
    let path = drafted(&server, json!([create("a")])).await;
    let body = json!({"operations": [create("b")]});
    let put = |tag: Option<&'static str>| {
        let request = server.manage("PUT", &path).json(&body);
        Answer::to(match tag {
            Some(tag) => request.header("if-match", tag),
            None => request,
        })
    };
    put(None).await.assert_error(428, "precondition_required");
    put(Some("\"7\"")).await.assert_error(412, "precondition_failed");
    assert_eq!(put(Some("*")).await.status, 200);
    for (method, action) in [("DELETE", ""), ("POST", "/commit")] {
        let request = server.manage(method, &format!("{path}{action}"));
        let refused = Answer::to(request.header("if-match", "\"1\"")).await;
        refused.assert_error(412, "precondition_failed");
    }
    let request = server.manage("DELETE", &path).header("if-match", "\"2\"");
    assert_eq!(Answer::to(request).await.status, 204);
    manage(&server, "GET", &path).await.assert_error(404, "not_found");
    commit(&server, &path).await.assert_error(404, "not_found");
    assert_eq!(manage(&server, "GET", "/clients/b").await.status, 404);
}

#[tokio::test]
async fn sets_are_listed_a_page_at_a_time_the_latest_first() {
    let server = Server::start();
    let mut ids = Vec::new();
    for n in 0..3 {
        let answer = draft(&server, json!([create(&format!("c{n}"))])).await;
        ids.push(answer.text_at("/id"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let first = manage(&server, "GET", "/changes?limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let second = manage(&server, "GET", &format!("/changes?limit=2&before={next}")).await.json();

    let listed: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|it| it["changes"].as_array().unwrap())
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    ids.reverse();
    assert_eq!(listed, ids);
    assert_eq!(second["next"], Value::Null);
    assert_eq!(first["changes"][0]["operations"], 1);
    assert_eq!(first["changes"][0]["note"], "for a test");
}

/// The same door as that of clients; and it is written down who came through.
#[tokio::test]
async fn t47_only_operators_come_in_and_each_is_written_down() {
    let server = Server::start();
    let token = async |scope: &str| {
        let client = server.create_client(json!({"scope": scope})).await;
        let form = [GRANT, ("scope", scope)];
        (client.id.clone(), server.token(&client.basic(), &form).await.text_at("/access_token"))
    };
    let (_, reader) = token("clients:read").await;
    let (writer_id, writer) = token("clients:write").await;
    let ask = |method: &str, path: &str, token: Option<&str>| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = server.http.request(method, server.at(path));
        let request = request.json(&json!({"operations": [create("x")]}));
        Answer::to(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    };
    for (method, path) in [("GET", "/changes"), ("HEAD", "/changes/x"), ("GET", "/changes/x/diff")]
    {
        assert_eq!(ask(method, path, None).await.status, 401, "{method} {path}");
        assert_eq!(ask(method, path, Some(&writer)).await.status, 403, "{method} {path}");
        assert_ne!(ask(method, path, Some(&reader)).await.status, 403, "{method} {path}");
    }
    for (method, path) in [
        ("POST", "/changes"),
        ("PUT", "/changes/x"),
        ("DELETE", "/changes/x"),
        ("POST", "/changes/x/commit"),
        ("POST", "/changes/x/rollback"),
        ("POST", "/changes/a/b/c"),
    ] {
        assert_eq!(ask(method, path, None).await.status, 401, "{method} {path}");
        assert_eq!(ask(method, path, Some(&reader)).await.status, 403, "{method} {path}");
        assert_ne!(ask(method, path, Some(&writer)).await.status, 403, "{method} {path}");
    }
    let drafted = ask("POST", "/changes", Some(&writer)).await;
    assert_eq!(drafted.text_at("/created_by"), format!("client {writer_id}"));
}
