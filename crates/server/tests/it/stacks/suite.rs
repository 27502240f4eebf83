//! What is true of every stack, end to end.

use std::time::Duration;

use serde_json::{Value, json};

use super::ground::{Ground, ISSUER, Stack, key_client};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server, basic, claims, within};

macro_rules! on_every_stack {
    ($($case:ident),+ $(,)?) => {
        on_every_stack!(@on sqlite: Sqlite, $($case),+);
        on_every_stack!(@on postgres: Postgres, $($case),+);
        on_every_stack!(@on postgres_redis: PostgresRedis, $($case),+);
        on_every_stack!(@on mia: Mia, $($case),+);
    };
    (@on $name:ident: $stack:ident, $($case:ident),+) => {
        mod $name {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                super::$case(Ground::of(Stack::$stack).await).await;
            })+
        }
    };
}

on_every_stack!(
    a_registered_client_gets_a_token_that_says_who_it_is,
    an_operator_makes_changes_disables_and_deletes_a_client,
    of_changes_at_once_one_wins,
    clients_are_listed_in_order_and_found_by_name,
    secrets_are_added_rotated_and_revoked,
    t18_an_assertion_is_good_once_on_every_node_and_after_a_restart,
    t22_nobody_can_tell_why_a_client_is_refused,
    a_token_that_was_taken_back_stays_so_after_a_restart,
    everything_is_there_after_a_restart,
    kill_9_loses_nothing_that_was_acknowledged,
    the_last_use_is_written_down,
    every_dependency_is_named_and_answers,
    the_first_start_makes_one_bootstrap_token,
    t37_no_secret_is_logged,
    t38_a_reference_token_is_good_until_it_is_taken_back,
);

fn refused(answer: &Answer) {
    assert_eq!(answer.outcome(), "401 invalid_client", "{answer:?}");
}

async fn managed(server: &Server, method: &str, path: &str) -> Answer {
    Answer::to(server.manage(method, path)).await
}

async fn a_registered_client_gets_a_token_that_says_who_it_is(ground: Ground) {
    let server = ground.server();
    let client = server.register().await;

    let token = server.token_of(&client).await;

    let said = server.tokeninfo(&token).await;
    assert_eq!(said.status, 200, "{said:?}");
    let said = said.json();
    assert_eq!((&said["sub"], &said["iss"]), (&json!(client.id), &json!(ISSUER)));
    assert_eq!(said["permissions"], json!([]));
    assert_eq!(claims(&token)["jti"], said["jti"]);
    refused(&server.token(&basic(&client.id, "wrong"), &[GRANT]).await);
    refused(&server.token(&basic("nobody", &client.secret), &[GRANT]).await);
}

async fn an_operator_makes_changes_disables_and_deletes_a_client(ground: Ground) {
    let server = ground.server();
    let body = json!({
        "permissions": ["a:read", "b:write"], "audience": ["orders", "bills"],
        "allowedCustomClaims": ["tenant"], "metadata": {"team": "payments", "n": [1, 2.5, null]},
    });
    let client = server.create_client(body.clone()).await;
    let path = format!("/clients/{}", client.id);

    let shown = managed(&server, "GET", &path).await;
    let tag = shown.header("etag").to_owned();
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(&shown.json()[member], value, "{member}");
    }
    let with_audience = [GRANT, ("audience", "orders")];
    let token = server.token(&client.basic(), &with_audience).await.text_at("/access_token");
    assert_eq!(claims(&token)["aud"], json!(["orders"]));
    assert_eq!(claims(&token)["permissions"], json!(["a:read", "b:write"]));

    let change = json!({"permissions": ["c"], "client_name": "renamed", "metadata": {}});
    let patched = server.manage("PATCH", &path).header("if-match", &tag).json(&change);
    let patched = Answer::to(patched).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(claims(&server.token_of(&client).await)["permissions"], json!(["c"]));
    let stale = server.manage("PATCH", &path).header("if-match", &tag).json(&change);
    Answer::to(stale).await.assert_error(412, "precondition_failed");
    let shown = managed(&server, "GET", &path).await.json();
    assert_eq!((&shown["client_name"], &shown["metadata"]), (&json!("renamed"), &json!({})));

    let disabled = managed(&server, "POST", &format!("{path}/disable")).await;
    assert_eq!(disabled.json()["__STATE__"], "TRASH", "{disabled:?}");
    refused(&server.token(&client.basic(), &[GRANT]).await);
    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    let enabled = managed(&server, "POST", &format!("{path}/enable")).await;
    assert_eq!(enabled.json()["__STATE__"], "PUBLIC", "{enabled:?}");
    server.token_of(&client).await;

    assert_eq!(managed(&server, "DELETE", &path).await.status, 204);
    refused(&server.token(&client.basic(), &[GRANT]).await);
    managed(&server, "GET", &path).await.assert_error(404, "not_found");
}

async fn of_changes_at_once_one_wins(ground: Ground) {
    let server = ground.server();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}", client.id);
    let tag = managed(&server, "GET", &path).await.header("etag").to_owned();

    let changes = (0..8).map(|number| {
        let body = json!({"permissions": [format!("p{number}")]});
        Answer::to(server.manage("PATCH", &path).header("if-match", &tag).json(&body))
    });
    let answers = futures_util::future::join_all(changes).await;

    let statuses: Vec<u16> = answers.iter().map(|it| it.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|it| **it == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|it| **it == 412).count(), 7, "{statuses:?}");
    let winner = answers.iter().position(|it| it.status == 200).unwrap();
    let shown = managed(&server, "GET", &path).await.json();
    assert_eq!(shown["permissions"], json!([format!("p{winner}")]));
}

async fn clients_are_listed_in_order_and_found_by_name(ground: Ground) {
    let server = ground.server();
    for name in ["Billing", "billing 2", "100%_sure (yes)", "shipping"] {
        let made = server.create(&json!({"client_name": name})).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let page = async |query: &str| {
        let answer = managed(&server, "GET", &format!("/clients{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let names = |page: &Value| {
        let clients = page["clients"].as_array().unwrap().iter();
        let mut names: Vec<_> =
            clients.map(|it| it["client_name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };

    let first = page("?limit=3").await;
    let last = first["clients"][2]["client_id"].as_str().unwrap().to_owned();
    let rest = page(&format!("?limit=3&after={last}")).await;
    let all: Vec<_> = [&first, &rest]
        .iter()
        .flat_map(|it| it["clients"].as_array().unwrap().clone())
        .map(|it| it["client_id"].as_str().unwrap().to_owned())
        .collect();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!((all.len(), &sorted), (4, &all));
    assert_eq!(names(&page("?search=BILL").await), ["Billing", "billing 2"]);
    assert_eq!(names(&page("?search=%25_sure+(").await), ["100%_sure (yes)"]);
    assert!(names(&page("?search=.*").await).is_empty());
}

async fn secrets_are_added_rotated_and_revoked(ground: Ground) {
    let server = ground.server();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}/secrets", client.id);
    let first = managed(&server, "GET", &path).await.text_at("/secrets/0/secret_id");

    let body = json!({"name": "the new one"});
    let added = Answer::to(server.manage("POST", &path).json(&body)).await;
    assert_eq!(added.status, 201, "{added:?}");
    let renewed = Client { id: client.id.clone(), secret: added.text_at("/client_secret") };
    for client in [&client, &renewed] {
        server.token_of(client).await;
    }
    assert_eq!(managed(&server, "DELETE", &format!("{path}/{first}")).await.status, 204);

    refused(&server.token(&client.basic(), &[GRANT]).await);
    server.token_of(&renewed).await;
    let listed = managed(&server, "GET", &path).await.json();
    assert_eq!(listed["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(listed["secrets"][0]["name"], "the new one");
}

async fn t18_an_assertion_is_good_once_on_every_node_and_after_a_restart(ground: Ground) {
    let mut server = ground.server();
    let client = key_client(&server).await;
    let assertion = client.assertion();
    assert_eq!(client.send(&server, &assertion).await.status, 200);

    client.assert_refused(&server, &assertion, "the same node").await;
    {
        let other = ground.server();
        client.assert_refused(&other, &assertion, "another node").await;
        client.assert_welcome(&other).await;
    }
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait();
    let again = ground.server();
    client.assert_refused(&again, &assertion, "after a restart").await;
    client.assert_welcome(&again).await;
    // Of many at once one wins.
    let assertion = client.assertion();
    let sent = (0..12).map(|_| client.send(&again, &assertion));
    let welcome = futures_util::future::join_all(sent).await;
    assert_eq!(welcome.iter().filter(|it| it.status == 200).count(), 1);
}

async fn t22_nobody_can_tell_why_a_client_is_refused(ground: Ground) {
    let server = ground.server();
    let client = server.register().await;
    let disabled = server.create_client(json!({"__STATE__": "DRAFT"})).await;
    let signing = key_client(&server).await;

    let answers = [
        server.token(&basic("nobody", &client.secret), &[GRANT]).await,
        server.token(&basic(&client.id, "wrong"), &[GRANT]).await,
        server.token(&disabled.basic(), &[GRANT]).await,
        server.token(&basic(&signing.id, "wrong"), &[GRANT]).await,
    ];

    for answer in &answers {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.text, answers[0].text);
    }
}

async fn a_token_that_was_taken_back_stays_so_after_a_restart(ground: Ground) {
    let mut server = ground.server();
    let client = server.register().await;
    let (token, other) = (server.token_of(&client).await, server.token_of(&client).await);
    let request = server.http.post(server.at("/oauth2/revoke")).form(&[("token", token.as_str())]);
    assert_eq!(Answer::to(request.header("authorization", client.basic())).await.status, 200);

    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait();
    let server = ground.server();

    server.tokeninfo(&token).await.assert_error(401, "invalid_token");
    assert_eq!(server.tokeninfo(&other).await.status, 200);
}

async fn everything_is_there_after_a_restart(ground: Ground) {
    let mut server = ground.server();
    let client = server.create_client(json!({"permissions": ["a"]})).await;
    let signing = key_client(&server).await;
    let token = server.token_of(&client).await;
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.wait().success());

    let server = ground.server();

    assert_eq!(server.tokeninfo(&token).await.status, 200, "the keys");
    assert_eq!(claims(&server.token_of(&client).await)["permissions"], json!(["a"]));
    signing.assert_welcome(&server).await;
}

async fn kill_9_loses_nothing_that_was_acknowledged(ground: Ground) {
    let mut server = ground.server();
    let register = async || {
        let mut made = Vec::new();
        loop {
            let request = server.http.post(server.at("/register"));
            let Ok(answer) = request.json(&json!({"client_name": "a"})).send().await else {
                return made;
            };
            if answer.status() != 201 {
                return made;
            }
            let Ok(body) = answer.json::<Value>().await else { return made };
            let text = |member: &str| body[member].as_str().unwrap().to_owned();
            made.push(Client { id: text("client_id"), secret: text("client_secret") });
        }
    };
    let kill = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.signal(nix::sys::signal::Signal::SIGKILL);
    };
    let workers = futures_util::future::join_all((0..6).map(|_| register()));
    let (made, ()) = tokio::join!(workers, kill);
    let made: Vec<Client> = made.into_iter().flatten().collect();
    assert!(made.len() > 3, "{}", made.len());
    server.wait();

    let again = ground.server();

    for client in &made {
        again.token_of(client).await;
    }
}

async fn the_last_use_is_written_down(ground: Ground) {
    let server = ground.server();
    let client = server.create_client(json!({})).await;
    let path = format!("/clients/{}", client.id);
    let tag = managed(&server, "GET", &path).await.header("etag").to_owned();
    server.token_of(&client).await;

    within(Duration::from_secs(10), "the last login", async || {
        let shown = managed(&server, "GET", &path).await.json();
        let secrets = managed(&server, "GET", &format!("{path}/secrets")).await.json();
        let is_noted =
            shown["lastLogin"].is_string() && secrets["secrets"][0]["last_used"].is_string();
        is_noted.then_some(())
    })
    .await;

    // Nobody changed anything: whoever read the client before may still change it.
    let body = json!({"permissions": ["a"]});
    let patched = server.manage("PATCH", &path).header("if-match", &tag).json(&body);
    assert_eq!(Answer::to(patched).await.status, 200);
}

async fn every_dependency_is_named_and_answers(ground: Ground) {
    let server = ground.server();

    let checked = server.get("/-/check-up").await;

    assert_eq!(checked.status, 200, "{checked:?}");
    let states = checked.json()["dependencies"].as_object().unwrap().clone();
    let mut names: Vec<&str> = states.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ground.dependencies());
    assert!(states.values().all(|it| it == "OK"), "{states:?}");
    assert_eq!(server.get("/-/ready").await.status, 200);
    let metrics = server.get("/-/metrics").await.text;
    server.register().await;
    assert!(metrics.contains("tokenwright"), "{metrics}");
}

async fn the_first_start_makes_one_bootstrap_token(ground: Ground) {
    let first = Server::start_bare(ground.options.clone());
    let token = within(Duration::from_secs(10), "the bootstrap token", async || {
        let said = first.complaints();
        let (_, rest) = said.split_once("Authorization: Bearer ")?;
        rest.split_once('\'').map(|(token, _)| token.to_owned())
    });
    let (token, _) = token.await;
    let second = Server::start_bare(ground.options.clone());

    for server in [&first, &second] {
        let listed = server.http.get(server.at("/clients")).bearer_auth(&token);
        assert_eq!(Answer::to(listed).await.status, 200);
    }
    assert!(!second.complaints().contains("bootstrap token"), "{}", second.complaints());
}

/// In no log line at any level, whatever the stores say of what goes wrong.
async fn t37_no_secret_is_logged(ground: Ground) {
    let server = ground.server_with(Options::default().with("LOG_LEVEL", "trace"));
    let client = server.register().await;
    let token = server.token_of(&client).await;
    server.tokeninfo(&token).await;
    refused(&server.token(&basic(&client.id, "a-wrong-secret"), &[GRANT]).await);
    let signing = key_client(&server).await;
    let assertion = signing.assertion();
    signing.send(&server, &assertion).await;
    server.create(&json!({"client_name": "again"})).await;

    let printed = server.printed();

    for secret in [&client.secret, &token, "a-wrong-secret", &assertion, super::ground::SALT] {
        assert!(!printed.contains(secret), "a secret is logged");
    }
}

/// A reference is worth what the store says, on every node and after a restart.
async fn t38_a_reference_token_is_good_until_it_is_taken_back(ground: Ground) {
    let curity = || Options::default().with("TOKENWRIGHT__DIALECTS__CURITY__ENABLED", "true");
    let server = ground.server_with(curity());
    let client = server.register().await;
    let issue = server.http.post(server.at("/oauth/v2/oauth-token")).form(&[GRANT]);
    let issued = Answer::to(issue.header("authorization", client.basic())).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let token = issued.text_at("/access_token");
    assert!(!token.contains('.'), "{token}");
    let ask = async |server: &Server, path: &str, token: &str| {
        let request = server.http.post(server.at(path)).form(&[("token", token)]);
        Answer::to(request.header("authorization", client.basic())).await
    };

    let again = ground.server_with(curity());

    for node in [&server, &again] {
        let told = ask(node, "/oauth/v2/oauth-introspect", &token).await;
        assert_eq!(told.json()["active"], true, "{told:?}");
        let cut = ask(node, "/oauth/v2/oauth-introspect", &token[1..]).await;
        assert_eq!(cut.json(), json!({"active": false}));
    }
    assert_eq!(ask(&again, "/oauth/v2/oauth-revoke", &token).await.status, 200);
    within(Duration::from_secs(15), "the news on the other node", async || {
        let told = ask(&server, "/oauth/v2/oauth-introspect", &token).await;
        (told.json() == json!({"active": false})).then_some(())
    })
    .await;
}
