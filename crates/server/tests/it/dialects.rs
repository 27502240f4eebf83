//! The four dialects: the same requests through each, and tokens that can be checked and taken back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::jwt::{GRANT, JWT_BEARER, RSA};
use crate::support::{Answer, Client, Options, Server, basic, claims, header};

/// A dialect: its name, where tokens are issued, and where they are introspected.
pub(crate) const DIALECTS: [(&str, &str, &str); 4] = [
    ("standard", "/oauth2/token", "/oauth2/introspect"),
    ("mia", "/oauth/token", "/oauth2/introspect"),
    ("curity", "/oauth/v2/oauth-token", "/oauth/v2/oauth-introspect"),
    ("idservice", "/openid/token", "/openid/introspect"),
];
/// Where a dialect's tokens are references.
const REFERENCES: [(&str, &str, &str); 2] = [DIALECTS[2], DIALECTS[3]];

async fn post(server: &Server, path: &str, client: &Client, form: &[(&str, &str)]) -> Answer {
    let request = server.http.post(server.at(path)).form(form);
    Answer::to(request.header("authorization", client.basic())).await
}

async fn issued(server: &Server, path: &str, client: &Client) -> String {
    let answer = post(server, path, client, &[GRANT]).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.text_at("/access_token")
}

async fn introspected(server: &Server, path: &str, asker: &Client, token: &str) -> Value {
    let answer = post(server, path, asker, &[("token", token)]).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// A client that may look at the tokens of others.
async fn inspector(server: &Server) -> Client {
    let capabilities = json!(["client_credentials", "introspection"]);
    server.create_client(json!({"capabilities": capabilities})).await
}

/// A value as its shape: what differs from run to run goes.
fn shape(name: &str, value: &Value, server: &Server, client: &Client) -> String {
    match value {
        Value::String(text) if *text == client.id => "[the client]".to_owned(),
        Value::String(text) if *text == server.url => "[the issuer]".to_owned(),
        Value::String(_) if name == "jti" => "[an id]".to_owned(),
        Value::String(_) if name == "access_token" => "[a token]".to_owned(),
        Value::Number(_) if ["exp", "iat", "nbf"].contains(&name) => "[a moment]".to_owned(),
        Value::Number(number) if name == "expires_in" => {
            // A second may have passed.
            let seconds = number.as_u64().unwrap();
            seconds.next_multiple_of(10).to_string()
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|it| shape(name, it, server, client)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn shapes(document: &Value, server: &Server, client: &Client) -> String {
    let members = document.as_object().unwrap().iter();
    let members: Vec<_> =
        members.map(|(name, it)| format!("{name}={}", shape(name, it, server, client))).collect();
    members.join(" ")
}

#[tokio::test]
async fn the_dialects_differ_in_this_and_in_nothing_else() {
    let server = Server::start();
    let client = server.create_client(json!({"scope": "read write", "audience": ["api"]})).await;
    let disabled = server.register().await;
    Answer::to(server.manage("POST", &format!("/clients/{}/disable", disabled.id))).await;
    let no_grant = server.create_client(json!({"capabilities": ["introspection"]})).await;
    let keyed = server.key_client(&RSA).await;
    let wrong = Client { id: client.id.clone(), secret: "wrong".to_owned() };
    let unknown = Client { id: "unknown".to_owned(), secret: "wrong".to_owned() };
    let mut table = String::new();
    for (name, token_path, introspect_path) in DIALECTS {
        writeln!(table, "# {name}").unwrap();
        let asked = [
            ("no grant type", &client, vec![]),
            ("a token", &client, vec![GRANT]),
            ("a token for a scope", &client, vec![GRANT, ("scope", "read")]),
            ("a token for an audience", &client, vec![GRANT, ("audience", "api")]),
            ("a token for a resource", &client, vec![GRANT, ("resource", "urn:x")]),
            ("a scope that is not registered", &client, vec![GRANT, ("scope", "delete")]),
            ("an audience that is not registered", &client, vec![GRANT, ("audience", "x")]),
            ("another grant type", &client, vec![("grant_type", "password")]),
            ("a grant type twice", &client, vec![GRANT, GRANT]),
            ("a secret in both places", &client, vec![GRANT, ("client_secret", &client.secret)]),
            ("a wrong secret", &wrong, vec![GRANT]),
            ("an unknown client", &unknown, vec![GRANT]),
            ("a client that is disabled", &disabled, vec![GRANT]),
            ("a client without the capability", &no_grant, vec![GRANT]),
            ("an empty scope", &client, vec![GRANT, ("scope", "")]),
        ];
        for (what, asker, form) in asked {
            let answer = post(&server, token_path, asker, &form).await;
            let body = answer.json();
            let told = match answer.status.as_u16() {
                200 => shapes(&body, &server, &client),
                _ => body["error"].as_str().unwrap().to_owned(),
            };
            let challenge = answer.header("www-authenticate").split(' ').next().unwrap_or_default();
            let line = format!("{what}: {} {told} {challenge}", answer.status.as_u16());
            writeln!(table, "{}", line.trim_end()).unwrap();
            assert_eq!(answer.header("cache-control"), "no-store", "{name}: {what}");
        }
        let bad = [GRANT, JWT_BEARER, ("client_id", &keyed.id), ("client_assertion", "a.b.c")];
        let refused = Answer::to(server.http.post(server.at(token_path)).form(&bad)).await;
        writeln!(table, "a bad assertion: {}", refused.outcome()).unwrap();
        let in_query = format!("{token_path}?grant_type=client_credentials");
        let refused = post(&server, &in_query, &client, &[]).await;
        writeln!(table, "parameters in the query: {}", refused.outcome()).unwrap();

        let token = issued(&server, token_path, &client).await;
        if token.contains('.') {
            writeln!(table, "header: {}", header(&token)["typ"]).unwrap();
            writeln!(table, "claims: {}", shapes(&claims(&token), &server, &client)).unwrap();
        } else {
            let form: String =
                token.chars().map(|it| if it.is_ascii_alphanumeric() { 'x' } else { it }).collect();
            writeln!(table, "reference: {form}").unwrap();
        }
        let told = introspected(&server, introspect_path, &client, &token).await;
        writeln!(table, "introspection: {}", shapes(&told, &server, &client)).unwrap();
        let userinfo =
            Answer::to(server.http.get(server.at("/oauth2/userinfo")).bearer_auth(&token)).await;
        writeln!(table, "userinfo: {}\n", shapes(&userinfo.json(), &server, &client)).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn t38_a_reference_that_is_cut_or_longer_is_worth_nothing() {
    let server = Server::start();
    let (client, asker) = (server.register().await, inspector(&server).await);
    for (name, token_path, introspect_path) in REFERENCES {
        let token = issued(&server, token_path, &client).await;
        let whole = introspected(&server, introspect_path, &asker, &token).await;
        assert_eq!(whole["active"], true, "{name}");
        let (shorter, longer) = (&token[..token.len() - 1], format!("{token}a"));
        let upper = token.to_ascii_uppercase();
        for changed in [shorter, &longer, &upper, &format!(" {token}"), "x"] {
            let told = introspected(&server, introspect_path, &asker, changed).await;
            assert_eq!(told, json!({"active": false}), "{name}: {changed:?}");
        }
    }
}

#[tokio::test]
async fn t40_only_whoever_may_looks_at_the_tokens_of_others() {
    let server = Server::start();
    let (client, other) = (server.register().await, server.register().await);
    let asker = inspector(&server).await;
    for (name, token_path, introspect_path) in DIALECTS {
        let token = issued(&server, token_path, &client).await;
        for accept in ["application/json", "application/jwt", "application/token-introspection+jwt"]
        {
            let ask = async |who: &Client| {
                let request = server.http.post(server.at(introspect_path));
                let request = request.form(&[("token", token.as_str())]).header("accept", accept);
                Answer::to(request.header("authorization", who.basic())).await
            };
            for who in [&client, &asker] {
                assert!(tells(&ask(who).await), "{name} {accept}");
            }
            assert!(!tells(&ask(&other).await), "{name} {accept}");
            let wrong = Client { id: asker.id.clone(), secret: "wrong".to_owned() };
            ask(&wrong).await.assert_error(401, "invalid_client");
        }
    }
}

/// Whether an answer of introspection, of any type, says anything of the token.
fn tells(answer: &Answer) -> bool {
    match (answer.status.as_u16(), answer.header("content-type")) {
        (204, _) => {
            assert!(answer.text.is_empty());
            false
        }
        (200, "application/json") => answer.json()["active"].as_bool().unwrap(),
        (200, "application/token-introspection+jwt") => {
            assert_eq!(header(&answer.text)["typ"], "token-introspection+jwt");
            claims(&answer.text)["token_introspection"]["active"].as_bool().unwrap()
        }
        (200, "application/jwt") => {
            let cached = answer.header("cache-control").strip_prefix("max-age=");
            // Whoever remembers it for longer does not hear that it was taken back.
            let seconds: u32 = cached.unwrap().parse().unwrap();
            assert!((290..=300).contains(&seconds), "{answer:?}");
            claims(&answer.text)["sub"].is_string()
        }
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_token_is_taken_back_in_every_dialect_and_stays_so() {
    let server = Server::start();
    let client = server.register().await;
    for (name, token_path, introspect_path) in DIALECTS {
        for revoke_path in ["/oauth2/revoke", "/oauth/v2/oauth-revoke"] {
            let token = issued(&server, token_path, &client).await;
            let kept = issued(&server, token_path, &client).await;
            let revoked = post(&server, revoke_path, &client, &[("token", &token)]).await;
            assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (200, ""), "{name}");

            let told = introspected(&server, introspect_path, &client, &token).await;
            assert_eq!(told, json!({"active": false}), "{name}");
            let userinfo = server.http.get(server.at("/openid/userinfo")).bearer_auth(&token);
            Answer::to(userinfo).await.assert_error(401, "invalid_token");
            let told = introspected(&server, introspect_path, &client, &kept).await;
            assert_eq!(told["active"], true, "{name}");
        }
    }
}

#[tokio::test]
async fn t34_no_reference_of_a_client_that_is_disabled_is_good() {
    let server = Server::start();
    let (client, asker) = (server.register().await, inspector(&server).await);
    for (name, token_path, introspect_path) in REFERENCES {
        let token = issued(&server, token_path, &client).await;
        let path = format!("/clients/{}", client.id);
        Answer::to(server.manage("POST", &format!("{path}/disable"))).await;
        let told = introspected(&server, introspect_path, &asker, &token).await;
        assert_eq!(told, json!({"active": false}), "{name}");
        let enabled = Answer::to(server.manage("POST", &format!("{path}/enable"))).await;
        assert_eq!(enabled.status, 200);
        let told = introspected(&server, introspect_path, &asker, &token).await;
        assert_eq!(told, json!({"active": false}), "{name}: it stays so");
    }
}

/// A client has its own format, lifetime and algorithm, and default scope.
#[tokio::test]
async fn what_is_chosen_for_a_client_wins_over_the_dialect() {
    let options = Options::default().with("TOKENWRIGHT__TOKENS__ADDITIONAL_ALGORITHMS", "ES256");
    let server = Server::start_with(options);
    let body = json!({
        "access_token_format": "jwt", "access_token_lifetime": 77,
        "access_token_signing_alg": "ES256", "scope": "a b", "default_scope": "a",
    });
    let client = server.create_client(body).await;

    let answer = post(&server, "/oauth/v2/oauth-token", &client, &[GRANT]).await;

    let body = answer.json();
    assert!([76, 77].map(Value::from).contains(&body["expires_in"]), "{body}");
    assert_eq!(body["scope"], "a");
    let token = answer.text_at("/access_token");
    assert_eq!(header(&token)["alg"], "ES256");
    let said = claims(&token);
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 77);
}

/// Whoever discovers a dialect finds its own endpoints.
#[tokio::test]
async fn a_dialect_with_paths_of_its_own_has_metadata_of_its_own() {
    let server = Server::start();
    for (path, token) in [
        ("/oauth/v2/oauth-anonymous/.well-known/openid-configuration", "/oauth/v2/oauth-token"),
        ("/openid/.well-known/openid-configuration", "/openid/token"),
        ("/.well-known/oauth-authorization-server", "/oauth2/token"),
        ("/.well-known/openid-configuration", "/oauth/token"),
    ] {
        let document = server.get(path).await.json();
        assert_eq!(document["token_endpoint"], server.at(token), "{path}");
    }
}

/// RFC 9068 section 2.2: what calls itself an access token of that kind has an audience.
#[tokio::test]
async fn only_a_token_with_an_audience_says_that_it_is_one_of_rfc_9068() {
    let server = Server::start();
    let settings = json!({"access_token_format": "jwt", "audience": ["https://api.example/"]});
    let client = server.create_client(settings).await;
    for (more, expected) in [(None, "JWT"), (Some(("audience", "https://api.example/")), "at+jwt")]
    {
        let form: Vec<_> = [GRANT].into_iter().chain(more).collect();
        let answer = post(&server, "/oauth/v2/oauth-token", &client, &form).await;
        let token = answer.text_at("/access_token");
        assert_eq!(header(&token)["typ"], expected);
        assert_eq!(claims(&token).get("aud").is_some(), more.is_some());
    }
}

#[tokio::test]
async fn a_dialect_that_is_off_is_not_there() {
    let server = Server::start_with(
        Options::default()
            .with("TOKENWRIGHT__DIALECTS__CURITY__ENABLED", "false")
            .with("TOKENWRIGHT__DIALECTS__STANDARD__ENABLED", "false"),
    );
    let client = server.register().await;
    for path in ["/oauth/v2/oauth-token", "/oauth2/token", "/oauth2/introspect", "/oauth2/register"]
    {
        post(&server, path, &client, &[GRANT]).await.assert_error(404, "not_found");
    }
    issued(&server, "/oauth/token", &client).await;
    issued(&server, "/openid/token", &client).await;
}

/// The curl lines of the two seeds, host and names aside.
#[tokio::test]
async fn the_seeds_own_requests_work() {
    let option = "TOKENWRIGHT__DIALECTS__IDSERVICE__QUERY_PARAMETERS";
    let server = Server::start_with(Options::default().with(option, "true"));
    let client = server.create_client(json!({"scope": "YOUR_SCOPE"})).await;
    let credentials = format!("client_id={}&client_secret={}", client.id, client.secret);
    for more in ["", "&scope=YOUR_SCOPE"] {
        let answer = curl(&format!(
            "-k -X POST {} -H 'content-type: application/x-www-form-urlencoded' \
             -d 'grant_type=client_credentials&{credentials}{more}'",
            server.at("/oauth/v2/oauth-token"),
        ));
        assert_eq!(answer["token_type"], "bearer", "{answer:?}");
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(uuid::Uuid::parse_str(token).unwrap().get_version_num(), 4);
    }

    let path = format!("/openid/token?grant_type=client_credentials&{credentials}");
    let answer = curl(&format!("--location --request POST '{}'", server.at(&path)));
    let token = answer["access_token"].as_str().unwrap().to_owned();
    assert!(token.len() == 32 && token.bytes().all(|it| it.is_ascii_alphanumeric()), "{token}");
    let told = curl(&format!(
        "--location '{}' --header 'Authorization: {}' \
         --header 'Content-Type: application/x-www-form-urlencoded' \
         --data-urlencode 'token={token}'",
        server.at("/openid/introspect"),
        basic(&client.id, &client.secret),
    ));
    assert_eq!((&told["active"], &told["clientId"]), (&json!(true), &json!(client.id)));

    // Whatever the query held is nowhere.
    let printed = server.printed();
    assert!(!printed.contains(&client.secret) && !printed.contains(&token));
    let both = server.http.post(server.at(&path)).form(&[GRANT]);
    Answer::to(both).await.assert_error(400, "invalid_request");
}

/// What curl prints, run by a shell as people do.
fn curl(arguments: &str) -> Value {
    let command = format!("curl -sS {arguments}");
    let ran = std::process::Command::new("sh").args(["-ec", &command]).output().unwrap();
    assert!(ran.status.success(), "{command}: {ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// The commands of a page of the documentation.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for block in page.split("```console\n").skip(1) {
        let lines = block.split("```").next().unwrap().lines();
        let mut is_open = false;
        for line in lines {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push(command.to_owned());
            } else if is_open {
                let command = commands.last_mut().unwrap();
                command.push('\n');
                command.push_str(line);
            }
            is_open = line.ends_with('\\');
        }
    }
    commands
}

#[tokio::test]
async fn every_command_of_the_page_on_checking_tokens_works() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checking-tokens.md");
    let commands = commands(&std::fs::read_to_string(page).unwrap());
    assert_eq!(commands.len(), 4, "{commands:?}");
    let server = Server::start();
    let (client, asker) = (server.register().await, inspector(&server).await);
    let token = issued(&server, "/oauth2/token", &client).await;
    for command in commands {
        let ran = std::process::Command::new("sh")
            .args(["-ec", &command])
            .envs([("AUTH", &server.url), ("TOKEN", &token), ("ID", &asker.id)])
            .env("SECRET", &asker.secret)
            .env("MANAGEMENT_TOKEN", crate::support::MANAGEMENT_TOKEN)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{command}: {ran:?}");
        let answer: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        let is_told = ["client_id", "keys"].iter().any(|it| answer.get(it).is_some());
        assert!(is_told, "{command}: {answer}");
    }
}
