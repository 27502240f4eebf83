//! Client authentication with a secret, as the clients that exist write it.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use proptest::test_runner::{Config, TestRunner};
use reqwest::header::HeaderValue;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;

use crate::support::jwt::{GRANT, JWT_BEARER, RSA, fresh};
use crate::support::raw::{Raw, exchange, form_request, statuses};
use crate::support::{Answer, Client, Options, Server, basic};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

/// What `encodeURIComponent` and all form encoders leave alone, nobody may rely on: `oauth4webapi`
/// encodes everything but letters and digits.
fn encoded_wholly(raw: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

fn form_encoded(raw: &str) -> String {
    url::form_urlencoded::byte_serialize(raw.as_bytes()).collect()
}

/// Clients whose ids and secrets other software made, put into the store of a server.
async fn import(directory: &Path, clients: &[Client]) {
    let path = directory.join("data/tokenwright.sqlite");
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.unwrap();
    for Client { id, secret } in clients {
        let hash = bcrypt::hash(secret, 4).unwrap();
        sqlx::query(
            "insert into clients (id, name, state, authentication, keys, capabilities,
                permissions, audience, scope, allowed_custom_claims, informative, created_at,
                updated_at, revision)
            values (?, 'imported', 'PUBLIC', 'client_secret_basic', '[]',
                '[\"client_credentials\"]', '[]', '[]', '', '[]', '{}', 1, 1, 1)",
        )
        .bind(id)
        .execute(&pool)
        .await
        .unwrap();
        sqlx::query(
            "insert into credentials (client_id, id, hash, created_at) values (?, ?, ?, 1)",
        )
        .bind(id)
        .bind(fresh())
        .bind(hash)
        .execute(&pool)
        .await
        .unwrap();
    }
    pool.close().await;
}

#[tokio::test]
async fn every_secret_is_understood_raw_form_encoded_and_in_the_form() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(quick().in_directory(directory.path()));
    let secrets = [
        "simple",
        "with:colon",
        ":",
        "::a::",
        "100%",
        "%",
        "%zz",
        "%41",
        "%2541",
        "a%20b",
        "a+b",
        "a b",
        " a ",
        "+",
        "a/b",
        "a=b&c=d",
        "a&client_id=x",
        "==",
        "\"quoted\"",
        "back\\slash",
        "?#[]@!$'()*,;",
        "caffè",
        "密码",
        "пароль+100%",
        "🔑",
        "e\u{301}",
        "tab\tand\nnewline",
        "-_.~",
    ];
    let clients: Vec<_> = secrets
        .iter()
        .enumerate()
        .map(|(index, secret)| Client {
            id: format!("client-{index}"),
            secret: (*secret).to_owned(),
        })
        .collect();
    import(directory.path(), &clients).await;

    for Client { id, secret } in &clients {
        for (how, header) in [
            ("raw", basic(id, secret)),
            ("form-encoded", basic(&form_encoded(id), &form_encoded(secret))),
            ("wholly encoded", basic(&encoded_wholly(id), &encoded_wholly(secret))),
            ("in small digits", basic(id, &encoded_wholly(secret).to_lowercase())),
        ] {
            // Small digits make small letters of the rest.
            if how == "in small digits" && secret.to_lowercase() != *secret {
                continue;
            }
            let answer = server.token(&header, &[GRANT]).await;
            assert_eq!(answer.status, 200, "{how} {secret:?}: {answer:?}");
        }
        let form = [GRANT, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
        let answer = server.token("", &form).await;
        assert_eq!(answer.status, 200, "in the form {secret:?}: {answer:?}");
        for wrong in [format!("{secret}x"), format!("x{secret}"), form_encoded(secret)] {
            // Outside of Basic nothing is decoded twice.
            if wrong == *secret {
                continue;
            }
            let form = [GRANT, ("client_id", id.as_str()), ("client_secret", wrong.as_str())];
            server.token("", &form).await.assert_error(401, "invalid_client");
        }
    }
}

#[tokio::test]
async fn an_id_made_elsewhere_is_understood_raw_and_encoded() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(quick().in_directory(directory.path()));
    let ids = ["a+b", "a%41", "100%", "https://client.example/x?y=z", "a@b.example", "%", "a/b=="];
    let clients: Vec<_> =
        ids.iter().map(|id| Client { id: (*id).to_owned(), secret: "s+:% ".to_owned() }).collect();
    import(directory.path(), &clients).await;

    for Client { id, secret } in &clients {
        let encoded = basic(&form_encoded(id), &form_encoded(secret));
        assert_eq!(server.token(&encoded, &[GRANT]).await.status, 200, "{id}");
        if !id.contains(':') {
            assert_eq!(server.token(&basic(id, secret), &[GRANT]).await.status, 200, "{id}");
        }
        let form = [GRANT, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
        assert_eq!(server.token("", &form).await.status, 200, "{id}");
        let repeated = server.token(&encoded, &[GRANT, ("client_id", id.as_str())]).await;
        assert_eq!(repeated.status, 200, "{id}");
    }
}

#[tokio::test]
async fn t23_bytes_beyond_what_bcrypt_reads_are_not_ignored() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with(quick().in_directory(directory.path()));
    let (exact, nul) = ("x".repeat(72), "before");
    let clients = [
        Client { id: "exact".to_owned(), secret: exact.clone() },
        Client { id: "nul".to_owned(), secret: nul.to_owned() },
    ];
    import(directory.path(), &clients).await;

    for (id, secret, status) in [
        ("exact", exact.clone(), 200),
        ("exact", format!("{exact}x"), 401),
        ("exact", format!("{exact}\0"), 401),
        ("exact", exact[..71].to_owned(), 401),
        ("nul", nul.to_owned(), 200),
        ("nul", format!("{nul}\0"), 401),
        ("nul", format!("{nul}\0after"), 401),
    ] {
        let answer = server.token(&basic(id, &secret), &[GRANT]).await;
        assert_eq!(answer.status, status, "{id} {secret:?}");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_the_padding_may_lack() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let pair = format!("{}:{}", client.id, client.secret);
    let (padded, bare) = (BASE64_STANDARD.encode(&pair), BASE64_STANDARD_NO_PAD.encode(&pair));

    for header in [
        format!("Basic {padded}"),
        format!("basic {padded}"),
        format!("BASIC {padded}"),
        format!("bAsIc {padded}"),
        format!("Basic  {padded}"),
        format!("Basic {bare}"),
    ] {
        let answer = server.token(&header, &[GRANT]).await;

        assert_eq!(answer.status, 200, "{header}: {answer:?}");
    }
}

#[tokio::test]
async fn the_same_secret_works_in_the_header_and_in_the_form() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", &*client.secret));

    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
    assert_eq!(server.token(&client.basic(), &[GRANT, id]).await.status, 200);
    assert_eq!(server.token("", &[GRANT, id, secret]).await.status, 200);
    server.token("", &[GRANT, secret]).await.assert_error(401, "invalid_client");
    server.token("", &[GRANT, id]).await.assert_error(401, "invalid_client");
    let empty = [GRANT, id, ("client_secret", "")];
    server.token("", &empty).await.assert_error(401, "invalid_client");
    server.token("", &[GRANT]).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn t20_two_ways_of_authenticating_at_once_are_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let signing = server.key_client(&RSA).await;
    let assertion = signing.assertion();
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", &*client.secret));
    let signed = ("client_assertion", assertion.as_str());
    let basic = client.basic();

    for (authorization, form) in [
        (basic.as_str(), vec![id, secret]),
        (&basic, vec![secret]),
        (&basic, vec![("client_secret", "another")]),
        (&basic, vec![JWT_BEARER, signed]),
        (&basic, vec![signed]),
        (&basic, vec![JWT_BEARER]),
        (&basic, vec![("client_id", "another")]),
        (&basic, vec![("client_id", signing.id.as_str())]),
        ("", vec![id, secret, JWT_BEARER, signed]),
        ("", vec![secret, signed]),
        ("Bearer abc", vec![id, secret]),
        ("Bearer abc", vec![JWT_BEARER, signed]),
    ] {
        let answer = server.token(authorization, &[vec![GRANT], form.clone()].concat()).await;

        assert_eq!(answer.outcome(), "400 invalid_request", "{authorization} {form:?}");
    }
    // None of this burned the assertion.
    assert_eq!(signing.send(&server, &assertion).await.status, 200);
}

#[tokio::test]
async fn t20_two_authorization_headers_are_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let basic = client.basic();

    for others in [&[basic.as_str()][..], &["Bearer x"], &[""]] {
        let mut request = server.http.post(server.at("/oauth/token")).form(&[GRANT]);
        request = request.header("authorization", &basic);
        for other in others {
            request = request.header("authorization", *other);
        }
        let answer = Answer::to(request).await;
        answer.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn t21_a_method_other_than_the_registered_one_is_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let signing = server.key_client(&RSA).await;

    let mut stranger = signing.clone();
    stranger.id.clone_from(&client.id);
    let signed = stranger.send(&server, &stranger.assertion()).await;
    let with_id_as_secret = server.token(&basic(&signing.id, &signing.id), &[GRANT]).await;
    let empty = server.token(&basic(&signing.id, ""), &[GRANT]).await;

    for answer in [signed, with_id_as_secret, empty] {
        answer.assert_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
    }
}

#[tokio::test]
async fn t24_malformed_basic_authenticates_nobody() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let Client { id, secret } = &client;
    let encoded = |bytes: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(bytes));
    let good = BASE64_STANDARD.encode(format!("{id}:{secret}"));

    for header in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic =".to_owned(),
        "Basic !!!".to_owned(),
        "Basic Og".to_owned(),
        "Basic Og==".to_owned(),
        good.clone(),
        format!("Basic:{good}"),
        format!("Basic\t{good}"),
        format!("Basic {good} {good}"),
        format!("Basic {good}, Basic {good}"),
        format!("Basic {good}="),
        format!("Basic {good}==="),
        format!("Basic \"{good}\""),
        format!("Bearer {good}"),
        format!("Digest username={id}"),
        format!("Basic{good}"),
        format!("xBasic {good}"),
        encoded(id.as_bytes()),
        encoded(format!("{id}{secret}").as_bytes()),
        encoded(format!(":{secret}").as_bytes()),
        encoded(format!("{id}:").as_bytes()),
        encoded(format!(" {id}:{secret}").as_bytes()),
        encoded(format!("{id}: {secret}").as_bytes()),
        encoded(format!("{id}:{secret}\n").as_bytes()),
        encoded(format!("{id}:{secret}\0").as_bytes()),
        encoded(format!("\u{feff}{id}:{secret}").as_bytes()),
        encoded(format!("{id}%3A{secret}").as_bytes()),
        encoded(format!("%zz:{secret}").as_bytes()),
        encoded(format!("{id}:%zz").as_bytes()),
        encoded(format!("{id}:%").as_bytes()),
        encoded(format!("{id}:%C3").as_bytes()),
        encoded(format!("{id}:%00").as_bytes()),
        encoded(b"\xff\xfe:\xff"),
        encoded(&[id.as_bytes(), b":caff\xe8"].concat()),
        encoded(&[0; 64]),
        encoded(&BASE64_STANDARD.encode(format!("{id}:{secret}")).into_bytes()),
        encoded(
            format!("{}:{}", encoded_wholly(&encoded_wholly(&format!("{id}-"))), secret).as_bytes(),
        ),
        encoded(format!("{id}:{}", "x".repeat(50_000)).as_bytes()),
        encoded(format!("{}:x", "x".repeat(50_000)).as_bytes()),
    ] {
        let answer = server.token(&header, &[GRANT]).await;

        let shown = header.get(..80).unwrap_or(&header);
        assert_eq!(answer.outcome(), "401 invalid_client", "{shown}: {answer:?}");
        answer.assert_error(401, "invalid_client");
    }
    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
}

#[tokio::test]
async fn t24_a_header_of_100_kb_or_a_megabyte_harms_nobody() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    for bytes in [100_000, 1_000_000, 10_000_000] {
        let header = format!("Authorization: Basic {}\r\n", "QUFB".repeat(bytes / 4));
        let request = form_request(
            "/oauth/token",
            &format!("Connection: close\r\n{header}"),
            "grant_type=client_credentials",
        );
        let answer = exchange(&server, request);

        for status in statuses(&answer) {
            assert!((400..500).contains(&status), "{bytes}: {answer}");
        }
        assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200, "{bytes}");
    }
}

#[tokio::test]
async fn t24_many_headers_and_endless_ones_harm_nobody() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    let many = "X-Something: x\r\n".repeat(5_000);
    let answer = exchange(&server, form_request("/oauth/token", &many, "grant_type=x"));
    let mut endless = Raw::to(&server);
    endless.say("POST /oauth/token HTTP/1.1\r\nHost: x\r\nX-Endless: ");
    let mut is_heard = true;
    for _ in 0..1_000 {
        is_heard = is_heard && endless.say("x".repeat(10_000));
    }

    assert!(statuses(&answer).iter().all(|status| (400..500).contains(status)), "{answer}");
    assert!(!is_heard, "ten megabytes of one header were read");
    assert_eq!(server.token(&client.basic(), &[GRANT]).await.status, 200);
}

#[test]
fn no_authorization_header_makes_the_server_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start_with(quick());
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let raw = proptest::collection::vec(proptest::num::u8::ANY, 0..200);
    let strategy = (raw, proptest::bool::ANY, proptest::bool::ANY);

    let outcome = runner.run(&strategy, |(bytes, is_basic, is_encoded)| {
        let mut value = if is_basic { b"Basic ".to_vec() } else { Vec::new() };
        if is_encoded {
            value.extend(BASE64_STANDARD.encode(&bytes).into_bytes());
        } else {
            value.extend(bytes.into_iter().filter(|byte| *byte >= 0x20 && *byte != 0x7f));
        }
        let value = HeaderValue::from_bytes(&value).unwrap();
        for request in [
            server.http.post(server.at("/oauth/token")).form(&[GRANT]),
            server.http.post(server.at("/oauth2/revoke")).form(&[("token", "x")]),
            server.http.get(server.at("/tokeninfo")),
            server.http.get(server.at("/clients")),
        ] {
            let request = request.header("authorization", value.clone());
            let answer = runtime.block_on(Answer::to(request));
            let status = answer.status.as_u16();
            proptest::prop_assert!((400..500).contains(&status), "{:?}: {:?}", value, answer);
            proptest::prop_assert_eq!(&answer.json()["statusCode"], status);
        }
        Ok(())
    });

    outcome.unwrap();
}
