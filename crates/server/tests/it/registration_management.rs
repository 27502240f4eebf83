//! `/oauth2/register/{client}`: a client manages its own registration (RFC 7592).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::jwt::{KeyClient, RSA};
use crate::support::{Answer, Client, Options, Server, claims};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

/// A client as it was registered, and with what it manages that.
#[derive(Clone)]
struct Registered {
    client: Client,
    token: String,
    uri: String,
}

async fn register(server: &Server, body: &Value) -> Registered {
    let made = server.post_json("/oauth2/register", body).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, "no-store"), "{made:?}");
    let client = Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };
    let token = made.text_at("/registration_access_token");
    let uri = made.text_at("/registration_client_uri");
    assert_eq!(uri, server.at(&format!("/oauth2/register/{}", client.id)));
    Registered { client, token, uri }
}

impl Registered {
    async fn ask(&self, server: &Server, method: &str, body: Option<&Value>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = server.http.request(method, &self.uri).bearer_auth(&self.token);
        Answer::to(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn get(&self, server: &Server) -> Answer {
        self.ask(server, "GET", None).await
    }

    async fn put(&self, server: &Server, mut body: Value) -> Answer {
        body["client_id"] = json!(self.client.id);
        self.ask(server, "PUT", Some(&body)).await
    }
}

fn members(answer: &Answer) -> BTreeSet<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn a_client_reads_what_it_registered_but_for_its_secret() {
    let server = Server::start_with(quick());
    let body = json!({"client_name": "a", "software_id": "s", "contacts": ["c@example.org"]});
    let it = register(&server, &body).await;

    let read = it.get(&server).await;

    assert_eq!((read.status.as_u16(), read.header("cache-control")), (200, "no-store"), "{read:?}");
    let expected = [
        "client_id",
        "client_id_issued_at",
        "client_name",
        "contacts",
        "grant_types",
        "redirect_uris",
        "registration_access_token",
        "registration_client_uri",
        "response_types",
        "software_id",
        "token_endpoint_auth_method",
    ];
    assert_eq!(members(&read), expected.map(str::to_owned).into());
    assert_eq!(read.json()["registration_access_token"], it.token, "it stays the same");
    assert_eq!(read.json()["registration_client_uri"], it.uri);
    assert_eq!(read.json()["client_name"], "a");
}

#[tokio::test]
async fn the_vendors_registration_answers_as_the_vendor_does() {
    let server = Server::start_with(quick());

    let made = server.post_json("/register", &json!({"client_name": "a"})).await;

    let expected =
        ["client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"];
    assert_eq!(members(&made), expected.map(str::to_owned).into());
}

/// What the public may say is replaced as a whole; what an operator said stays.
#[tokio::test]
async fn an_update_sets_back_what_it_leaves_out_and_keeps_what_an_operator_set() {
    let server = Server::start_with(quick());
    let it = register(&server, &json!({"client_name": "a", "software_id": "s"})).await;
    let path = format!("/clients/{}", it.client.id);
    let grants = json!({"scope": "orders:read", "permissions": ["p"], "audience": ["orders"]});
    let change = server.manage("PATCH", &path).header("if-match", "*").json(&grants);
    assert_eq!(Answer::to(change).await.status, 200);
    assert_eq!(it.get(&server).await.json()["scope"], "orders:read");

    // What is shown can be sent back.
    let body = json!({"client_name": "b", "tos_uri": "https://t.example", "scope": "orders:read"});
    let replaced = it.put(&server, body).await;

    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(replaced.json()["client_name"], "b");
    assert_eq!(replaced.json()["tos_uri"], "https://t.example");
    assert_eq!(replaced.json()["software_id"], Value::Null);
    assert_eq!(replaced.json()["client_secret"], Value::Null, "it keeps the one it has");
    assert_eq!(it.get(&server).await.json(), replaced.json());
    let managed = Answer::to(server.manage("GET", &path)).await.json();
    for (member, value) in grants.as_object().unwrap() {
        assert_eq!(managed[member], *value);
    }
    let answer = server.token(&it.client.basic(), &[GRANT, ("scope", "orders:read")]).await;
    assert_eq!(claims(&answer.text_at("/access_token"))["permissions"], json!(["p"]));
}

#[tokio::test]
async fn what_an_update_must_not_say_is_named_and_changes_nothing() {
    let server = Server::start_with(quick());
    let it = register(&server, &json!({"client_name": "a"})).await;
    let before = it.get(&server).await.json();
    for (member, value) in [
        ("registration_access_token", json!(it.token)),
        ("registration_client_uri", json!(it.uri)),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(1)),
        ("client_secret", json!("guessed")),
        ("client_secret", json!(7)),
        ("scope", json!("clients:write")),
        ("permissions", json!(["admin"])),
        ("permissions", json!([])),
        ("audience", json!(["orders"])),
        ("capabilities", json!(["introspection"])),
        ("allowedCustomClaims", json!(["tenant"])),
        ("metadata", json!({"a": 1})),
        ("__STATE__", json!("PUBLIC")),
        ("access_token_lifetime", json!(60)),
        ("access_token_format", json!("reference")),
        ("default_scope", json!("a")),
        ("strict_auth_method", json!(false)),
        ("client_name", json!("")),
        ("client_name", json!(null)),
        ("grant_types", json!(["password"])),
        ("token_endpoint_auth_method", json!("none")),
        ("software_id", json!(7)),
        ("public_key", RSA.jwk("k")),
    ] {
        let mut body = json!({"client_name": "b"});
        body[member] = value.clone();
        let refused = it.put(&server, body).await;
        refused.assert_error(400, "invalid_client_metadata");
        assert!(refused.text_at("/message").starts_with(member), "{member} {value}: {refused:?}");
    }
    for body in [
        json!({"client_name": "b"}),
        json!({"client_name": "b", "client_id": "another"}),
        json!({"client_name": "b", "client_id": null}),
    ] {
        let refused = it.ask(&server, "PUT", Some(&body)).await;
        refused.assert_error(400, "invalid_client_metadata");
        assert!(refused.text_at("/message").starts_with("client_id"), "{refused:?}");
    }
    let request = server.http.put(&it.uri).bearer_auth(&it.token);
    Answer::to(request.body("client_name=b")).await.assert_error(400, "invalid_request");
    assert_eq!(it.get(&server).await.json(), before);
    server.token_of(&it.client).await;
    // Its own, and null, which is left out.
    for secret in [json!(it.client.secret), json!(null)] {
        let fine = json!({"client_name": "b", "client_secret": secret});
        assert_eq!(it.put(&server, fine).await.status, 200);
        server.token_of(&it.client).await;
    }
}

/// No secret comes back, whatever way the client goes.
#[tokio::test]
async fn a_client_that_goes_over_to_keys_and_back_gets_another_secret() {
    let server = Server::start_with(quick());
    let it = register(&server, &json!({"client_name": "a"})).await;
    server.token_of(&it.client).await;

    let keys = json!({
        "client_name": "a",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [RSA.jwk(KeyClient::KID)]},
    });
    let with_keys = it.put(&server, keys).await;
    assert_eq!(with_keys.status, 200, "{with_keys:?}");
    assert_eq!(with_keys.json()["client_secret"], Value::Null);
    assert_eq!(with_keys.json()["jwks"]["keys"].as_array().unwrap().len(), 1);
    let issuer = server.url.clone();
    let id = it.client.id.clone();
    KeyClient { id, pair: RSA.clone(), issuer }.assert_welcome(&server).await;
    server.token(&it.client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");

    let back = it.put(&server, json!({"client_name": "a"})).await;
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(back.json()["client_secret_expires_at"], 0);
    assert_eq!(back.json()["jwks"], Value::Null);
    let new = Client { secret: back.text_at("/client_secret"), ..it.client.clone() };
    server.token_of(&new).await;
    server.token(&it.client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    // Another update makes no other one.
    let again = it.put(&server, json!({"client_name": "c"})).await;
    assert_eq!(again.json()["client_secret"], Value::Null);
    server.token_of(&new).await;
}

/// A secret that an operator took away is not made anew by the client.
#[tokio::test]
async fn an_update_gives_no_secret_to_whom_an_operator_took_it_from() {
    let server = Server::start_with(quick());
    let it = register(&server, &json!({"client_name": "a"})).await;
    let path = format!("/clients/{}/secrets", it.client.id);
    let secrets = Answer::to(server.manage("GET", &path)).await.json();
    let own = secrets["secrets"][0]["secret_id"].as_str().unwrap();
    Answer::to(server.manage("DELETE", &format!("{path}/{own}"))).await;

    let updated = it.put(&server, json!({"client_name": "b"})).await;

    assert_eq!((updated.status.as_u16(), &updated.json()["client_secret"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_client_that_deletes_itself_leaves_nothing_that_works() {
    let server = Server::start_with(quick());
    let it = register(&server, &json!({"client_name": "a"})).await;
    let token = server.token_of(&it.client).await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);

    let deleted = it.ask(&server, "DELETE", None).await;

    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    server.token(&it.client.basic(), &[GRANT]).await.assert_error(401, "invalid_client");
    for method in ["GET", "DELETE"] {
        it.ask(&server, method, None).await.assert_error(401, "invalid_token");
    }
    it.put(&server, json!({"client_name": "a"})).await.assert_error(401, "invalid_token");
    let path = format!("/clients/{}", it.client.id);
    assert_eq!(Answer::to(server.manage("GET", &path)).await.status, 404);
}

/// Nobody learns from the endpoint which clients there are.
#[tokio::test]
async fn t22_a_wrong_token_an_unknown_client_and_a_deleted_one_are_told_the_same() {
    let server = Server::start_with(quick());
    let body = json!({"client_name": "a"});
    let [known, other, deleted, disabled] = [
        register(&server, &body).await,
        register(&server, &body).await,
        register(&server, &body).await,
        register(&server, &body).await,
    ];
    deleted.ask(&server, "DELETE", None).await;
    let path = format!("/clients/{}/disable", disabled.client.id);
    assert_eq!(Answer::to(server.manage("POST", &path)).await.status, 200);
    let by_an_operator = server.create_client(json!({})).await;
    let at = |id: &str| server.at(&format!("/oauth2/register/{id}"));
    let mut told = BTreeSet::new();

    for (uri, token) in [
        (known.uri.clone(), other.token.clone()),
        (known.uri.clone(), "guessed".to_owned()),
        (known.uri.clone(), known.token.to_uppercase()),
        (known.uri.clone(), format!("{}x", known.token)),
        (at("nobody"), known.token.clone()),
        (at("%20"), known.token.clone()),
        (at(&"x".repeat(1_000)), known.token.clone()),
        (at(&by_an_operator.id), known.token.clone()),
        (at(&by_an_operator.id), crate::support::MANAGEMENT_TOKEN.to_owned()),
        (deleted.uri, deleted.token),
        (disabled.uri, disabled.token),
    ] {
        let wrong = Registered { client: known.client.clone(), token, uri };
        // What is wrong with the rest is not for them, either.
        for (method, body) in [
            ("GET", None),
            ("DELETE", None),
            ("PUT", Some(json!({"client_name": "b", "client_id": known.client.id}))),
            ("PUT", Some(json!({"permissions": 7}))),
        ] {
            let refused = wrong.ask(&server, method, body.as_ref()).await;
            refused.assert_error(401, "invalid_token");
            told.insert((refused.header("www-authenticate").to_owned(), refused.text));
        }
    }

    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told.first().unwrap().0.starts_with("Bearer "));
    let nothing = Answer::to(server.http.get(&known.uri)).await;
    nothing.assert_error(401, "invalid_token");
    assert!(nothing.header("www-authenticate").starts_with("Bearer "), "{nothing:?}");
    assert_eq!(known.get(&server).await.json()["client_name"], "a");
}

#[tokio::test]
async fn t37_a_registration_token_is_kept_as_a_digest_that_nobody_is_shown() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(
        quick().in_directory(directory.path()).with("TOKENWRIGHT__LOG__LEVEL", "trace"),
    );
    let it = register(&server, &json!({"client_name": "a"})).await;
    it.get(&server).await;

    let path = format!("/clients/{}", it.client.id);
    let managed = Answer::to(server.manage("GET", &path)).await.text;
    let change = server.manage("PATCH", &path).header("if-match", "*");
    let patched = Answer::to(change.json(&json!({"client_name": "b"}))).await.text;
    let listed = Answer::to(server.manage("GET", "/clients")).await.text;

    for text in [managed, patched, listed] {
        assert!(!text.contains("registration"), "{text}");
    }
    assert_eq!(it.get(&server).await.status, 200, "an operator's change leaves it good");
    assert!(!server.printed().contains(&it.token));
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let token = it.token.as_bytes();
            assert!(!bytes.windows(token.len()).any(|it| it == token), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn where_it_is_off_nothing_is_offered() {
    let server = Server::start_with(quick().with("TOKENWRIGHT__REGISTRATION__MANAGEMENT", "false"));

    let made = server.post_json("/oauth2/register", &json!({"client_name": "a"})).await;

    assert_eq!(made.status, 201, "{made:?}");
    assert!(!made.text.contains("registration_"), "{made:?}");
    let uri = server.at(&format!("/oauth2/register/{}", made.text_at("/client_id")));
    for method in ["GET", "PUT", "DELETE", "POST"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let refused = Answer::to(server.http.request(method, &uri).bearer_auth("x")).await;
        assert_eq!(refused.status, 405, "{refused:?}");
    }
}

/// Only failures count: who has the right token is not held up by whoever guesses at its address.
#[tokio::test]
async fn t28_guessing_is_limited_as_registrations_are() {
    let options = quick().with("TOKENWRIGHT__LIMITS__REGISTRATIONS_PER_MINUTE", "5");
    let server = Server::start_with(options);
    let it = register(&server, &json!({"client_name": "a"})).await;
    let wrong = Registered { token: "guessed".to_owned(), ..it.clone() };

    for _ in 0..10 {
        assert_eq!(it.get(&server).await.status, 200);
    }
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(wrong.get(&server).await);
        outcomes.push(wrong.put(&server, json!({})).await);
        outcomes.push(wrong.ask(&server, "DELETE", None).await);
    }

    let statuses: Vec<u16> = outcomes.iter().map(|it| it.status.as_u16()).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429, 429]);
    assert!(outcomes[5..].iter().all(|it| !it.header("retry-after").is_empty()));
    assert_eq!(it.get(&server).await.status, 200);
    // Nor does a guess take anything of what may be registered.
    register(&server, &json!({"client_name": "b"})).await;
    assert_eq!(it.ask(&server, "DELETE", None).await.status, 204);
}
