//! In place of the Mia-Platform service, on its own stores: what they hold, and what they refuse.

use std::time::Duration;

use crud_service::{Definition, Kind, Mood, State};
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;

use super::ground::{Ground, Stack, key_client, mongodb_url};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server, claims, within};

async fn documents(ground: &Ground, collection: &str) -> Vec<Document> {
    use futures_util::TryStreamExt as _;
    let client = mongodb::Client::with_uri_str(mongodb_url()).await.unwrap();
    let collection = client.database(&ground.mongodb_database).collection::<Document>(collection);
    collection.find(doc! {}).await.unwrap().try_collect().await.unwrap()
}

/// What the vendor published, with documents in use from the start.
fn published() -> Definition {
    Definition::published().starting_in(State::Public)
}

/// As section 8 has it: no field more, no field less.
#[tokio::test]
async fn a_plain_client_fits_the_published_collection() {
    let ground = Ground::of_vendor(published()).await;
    let server = ground.server();

    let client = server.register().await;
    let signing = key_client(&server).await;

    server.token_of(&client).await;
    signing.assert_welcome(&server).await;
    let stored = documents(&ground, "clients").await;
    let of = |id: &str| stored.iter().find(|it| it.get_str("clientId").ok() == Some(id)).unwrap();
    let own = ["_id", "creatorId", "createdAt", "updaterId", "updatedAt", "__STATE__"];
    let members = |document: &Document| {
        let mut names: Vec<String> =
            document.keys().filter(|it| !own.contains(&it.as_str())).cloned().collect();
        names.sort();
        names
    };
    let secret = of(&client.id);
    assert_eq!(secret.get_str("authMethod").ok(), Some("client_secret_basic"));
    assert_eq!(secret.get("permissions"), Some(&Bson::Array(Vec::new())));
    assert_eq!(secret.get("audience"), Some(&Bson::Array(Vec::new())));
    let key = of(&signing.id);
    assert_eq!(key.get_str("authMethod").ok(), Some("private_key_jwt"));
    assert_eq!(key.get_document("publicKey").unwrap().get_str("kid").ok(), Some("the-key"));
    let known = [
        "allowedCustomClaims",
        "audience",
        "authMethod",
        "clientId",
        "name",
        "permissions",
        "publicKey",
    ];
    for document in [secret, key] {
        for name in members(document) {
            assert!(known.contains(&name.as_str()), "{name}");
        }
    }
}

/// Hashed ids and hashed secrets: who reads the collection learns neither.
#[tokio::test]
async fn t37_the_credentials_show_neither_an_id_nor_a_secret() {
    let ground = Ground::of(Stack::Mia).await;
    let server = ground.server();

    let client = server.register().await;
    server.token_of(&client).await;

    let stored = documents(&ground, "credentials").await;
    assert_eq!(stored.len(), 1);
    let text = format!("{stored:?}");
    assert!(text.contains("$2b$04$"), "{text}");
    assert!(!text.contains(&client.id) && !text.contains(&client.secret), "{text}");
}

/// From the request that caused the call, and nothing that proves who is asking.
#[tokio::test]
async fn headers_of_the_request_go_on_to_the_crud_service() {
    let ground = Ground::of(Stack::Mia).await;
    let more = Options::default()
        .with("USERID_HEADER_KEY", "x-the-user")
        .with("ADDITIONAL_HEADERS_TO_PROXY", "miausergroups,x-tenant");
    let server = ground.server_with(more);
    let crud = ground.crud.as_ref().unwrap();
    crud.forget_requests();
    let sent = [
        ("x-request-id", "the-request"),
        ("request-id", "another-name-for-it"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "tokens.example"),
        ("x-the-user", "zoe"),
        ("miausergroups", "admins,users"),
        ("x-tenant", "acme"),
    ];
    let kept = [("miauserid", "not-configured"), ("cookie", "sid=1"), ("x-other", "o")];
    let mut request = server.manage("POST", "/clients").json(&json!({"client_name": "a"}));
    for (name, value) in sent.iter().chain(&kept) {
        request = request.header(*name, *value);
    }

    assert_eq!(Answer::to(request).await.status, 201);

    let requests = crud.requests();
    let post = requests.iter().find(|it| it.method == "POST").unwrap();
    for (name, value) in sent {
        assert_eq!(post.header(name), Some(value), "{name}");
    }
    for name in ["miauserid", "cookie", "x-other", "authorization"] {
        assert_eq!(post.header(name), None, "{name}");
    }

    // A request without an id gets one that both can log.
    crud.forget_requests();
    server.register().await;
    let requests = crud.requests();
    let post = requests.iter().find(|it| it.method == "POST").unwrap();
    let id = post.header("x-request-id").unwrap().to_owned();
    within(Duration::from_secs(5), "the log line", async || {
        server.log().into_iter().any(|line| line["reqId"] == json!(id)).then_some(())
    })
    .await;
}

/// `lastLogin` is not in the published collection: no token fails for it, and the service is not
/// asked again and again.
#[tokio::test]
async fn a_refused_last_login_fails_no_token() {
    let ground = Ground::of_vendor(published()).await;
    let server = ground.server();
    let client = server.register().await;
    server.token_of(&client).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let crud = ground.crud.as_ref().unwrap();
    crud.forget_requests();

    for _ in 0..3 {
        server.token_of(&client).await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }

    let bulk = crud.requests().iter().filter(|it| it.path().ends_with("/bulk")).count();
    assert!(bulk <= 1, "{bulk} attempts");
    assert_eq!(server.get("/-/ready").await.status, 200);
}

#[tokio::test]
async fn last_logins_go_out_together() {
    let ground = Ground::of(Stack::Mia).await;
    let server = ground.server();
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(server.register().await);
    }
    let crud = ground.crud.as_ref().unwrap();
    crud.forget_requests();

    futures_util::future::join_all(clients.iter().map(|client| server.token_of(client))).await;

    within(Duration::from_secs(10), "the last logins", async || {
        let stored = documents(&ground, "clients").await;
        stored.iter().all(|it| it.get_datetime("lastLogin").is_ok()).then_some(())
    })
    .await;
    let patches: Vec<_> = crud.requests().into_iter().filter(|it| it.method == "PATCH").collect();
    assert!(patches.iter().all(|it| it.path().ends_with("/bulk")), "{patches:?}");
    assert!(patches.len() <= 4, "{}", patches.len());
}

/// What the collection has no room for is refused by name, and nothing is made.
#[tokio::test]
async fn a_member_that_the_collection_lacks_is_named() {
    let ground = Ground::of_vendor(published()).await;
    let server = ground.server();

    let metadata = server.create(&json!({"client_name": "a", "metadata": {"a": 1}})).await;
    let scope = server.create(&json!({"client_name": "a", "scope": "read"})).await;
    let software = json!({"client_name": "a", "software_id": "s"});
    let software = server.post_json("/register", &software).await;

    for (member, answer) in [("metadata", metadata), ("scope", scope), ("software_id", software)] {
        answer.assert_error(400, "invalid_client_metadata");
        assert!(answer.text.contains(member), "{answer:?}");
    }
    assert!(documents(&ground, "clients").await.is_empty());
    assert!(documents(&ground, "credentials").await.is_empty());
}

/// A refusal that names nothing the caller could mend is not the caller's fault.
#[tokio::test]
async fn a_refusal_that_nobody_understands_is_502() {
    let ground = Ground::of(Stack::Mia).await;
    let server = ground.server();
    ground.crud.as_ref().unwrap().meet_next("POST", "/", Mood::Failing(400));

    let answer = server.post_json("/register", &json!({"client_name": "a"})).await;

    answer.assert_error(502, "server_error");
    assert!(documents(&ground, "clients").await.is_empty());
    assert!(documents(&ground, "credentials").await.is_empty());
    server.register().await;
}

#[tokio::test]
async fn both_versions_of_the_service_say_that_an_id_is_taken() {
    let ground = Ground::of(Stack::Mia).await;
    let server = ground.server();
    let crud = ground.crud.as_ref().unwrap();
    for status in [409, 422] {
        // Another id is tried once.
        crud.meet_next("POST", "/", Mood::Failing(status));
        server.register().await;
        crud.meet_next("POST", "/", Mood::Failing(status));
        crud.meet_next("POST", "/", Mood::Failing(status));
        let answer = server.post_json("/register", &json!({"client_name": "a"})).await;
        answer.assert_error(409, "conflict");
    }
    assert_eq!(documents(&ground, "credentials").await.len(), 2, "nothing half-made");
}

/// An operator of the vendor's own publishes, disables and changes clients at the crud-service.
#[tokio::test]
async fn what_is_changed_behind_our_back_bites_within_the_bound() {
    let ground = Ground::of_vendor(Definition::extended()).await;
    let fresh = Options::default().with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1");
    let server = ground.server_with(fresh);
    let client = server.register().await;
    // The collection's default is DRAFT: nobody gets a token before somebody publishes the client.
    let refused = server.token(&client.basic(), &[GRANT]).await;
    assert_eq!(refused.outcome(), "401 invalid_client", "{refused:?}");
    let crud = ground.crud.as_ref().unwrap().url();
    let id = documents(&ground, "clients").await[0].get_object_id("_id").unwrap().to_hex();
    let change = async |method: reqwest::Method, path: String, body: serde_json::Value| {
        let answer = server.http.request(method, path).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    };

    let state = |to: &str| json!({"stateTo": to});
    change(reqwest::Method::POST, format!("{crud}/{id}/state"), state("PUBLIC")).await;
    server.token_of(&client).await;
    let body = json!({"$set": {"permissions": ["set-behind-our-back"]}});
    change(reqwest::Method::PATCH, format!("{crud}/{id}"), body).await;
    within(Duration::from_secs(5), "the permission", async || {
        let said = claims(&server.token_of(&client).await);
        (said["permissions"] == json!(["set-behind-our-back"])).then_some(())
    })
    .await;
    change(reqwest::Method::POST, format!("{crud}/{id}/state"), state("TRASH")).await;
    within(Duration::from_secs(5), "the refusal", async || {
        (server.token(&client.basic(), &[GRANT]).await.status == 401).then_some(())
    })
    .await;
}

/// The collection's default is DRAFT, and an operator may ask for more in the same breath.
#[tokio::test]
async fn a_client_that_is_asked_for_in_use_is_in_use() {
    let ground = Ground::of_vendor(Definition::published()).await;
    let server = ground.server();

    let client = server.create_client(json!({"__STATE__": "PUBLIC"})).await;
    let draft = server.create_client(json!({})).await;

    server.token_of(&client).await;
    let refused = server.token(&draft.basic(), &[GRANT]).await;
    assert_eq!(refused.outcome(), "401 invalid_client", "{refused:?}");
}

/// Documents as the vendor's own service wrote them.
#[tokio::test]
async fn a_document_of_the_vendor_is_understood() {
    let ground = Ground::of_vendor(published()).await;
    let server = ground.server();
    let client = server.register().await;
    let path = format!("{}/?clientId={}", ground.crud.as_ref().unwrap().url(), client.id);
    let body = json!({"$set": {"publicKey": {}, "allowedCustomClaims": null}});
    let patched = server.http.patch(&path).json(&body).send().await.unwrap();
    assert_eq!(patched.status(), 200);
    let mongodb = mongodb::Client::with_uri_str(mongodb_url()).await.unwrap();
    let clients = mongodb.database(&ground.mongodb_database).collection::<Document>("clients");
    let unset = doc! { "$unset": { "authMethod": "" } };
    clients.update_many(doc! {}, unset).await.unwrap();

    let again = Server::start_with(ground.options.clone());

    again.token_of(&client).await;
}

/// A collection with the one field more that a deployment happens to have.
#[tokio::test]
async fn a_collection_that_was_extended_takes_what_it_has_room_for() {
    let ground = Ground::of_vendor(published().with("software_id", Kind::Text)).await;
    let server = ground.server();

    let body = json!({"client_name": "a", "software_id": "s"});
    let made = server.post_json("/register", &body).await;

    assert_eq!(made.status, 201, "{made:?}");
    let client = Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };
    server.token_of(&client).await;
    let stored = documents(&ground, "clients").await;
    assert_eq!(stored[0].get_str("software_id").ok(), Some("s"));
}

/// The digest of its token is a setting, for which the published collection has no room: the client
/// is registered all the same, and does not manage itself.
#[tokio::test]
async fn a_client_manages_itself_where_the_collection_has_room_for_that() {
    for (definition, has_room) in [(published(), false), (Definition::extended(), true)] {
        let ground = Ground::of_vendor(definition.starting_in(State::Public)).await;
        let server = ground.server();

        let made = server.post_json("/oauth2/register", &json!({"client_name": "a"})).await;

        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["registration_access_token"].is_string(), has_room, "{made:?}");
        let (id, secret) = (made.text_at("/client_id"), made.text_at("/client_secret"));
        server.token_of(&Client { id, secret }).await;
        if has_room {
            let uri = made.text_at("/registration_client_uri");
            let path = &uri[uri.find("/oauth2/").unwrap()..];
            let token = made.text_at("/registration_access_token");
            let read = Answer::to(server.http.get(server.at(path)).bearer_auth(&token)).await;
            assert_eq!(read.status, 200, "{read:?}");
        }
    }
}
