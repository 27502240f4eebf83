//! Clients that publish their keys (`jwks_uri`), and where the server goes for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient, OTHER_RSA, Pair, RSA};
use crate::support::key_host::KeyHost;
use crate::support::{Answer, Options, Server, within};

/// Where tokens are issued, dialect by dialect.
const PATHS: [&str; 4] =
    ["/oauth2/token", "/oauth/token", "/oauth/v2/oauth-token", "/openid/token"];

fn quick() -> Options {
    KeyHost::options().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

fn publisher(uri: &str) -> Value {
    json!({
        "client_name": "a publisher", "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": uri,
    })
}

/// Registers a client whose keys are at `uri`; it signs with `pair`.
async fn registered(server: &Server, uri: &str, pair: &Pair) -> KeyClient {
    let made = server.post_json("/register", &publisher(uri)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (id, issuer) = (made.text_at("/client_id"), server.url.clone());
    KeyClient { id, pair: pair.clone(), issuer }
}

async fn sent(server: &Server, path: &str, assertion: &str) -> Answer {
    let form = [GRANT, JWT_BEARER, ("client_assertion", assertion)];
    Answer::to(server.http.post(server.at(path)).form(&form)).await
}

#[tokio::test]
async fn the_keys_that_a_client_publishes_let_it_in_in_every_dialect() {
    let host = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID), OTHER_RSA.jwk("other")]).await;
    let server = Server::start_with(quick());
    let client = registered(&server, &host.uri(), &RSA).await;

    for path in PATHS {
        let answer = sent(&server, path, &client.assertion()).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let by_other = OTHER_RSA.jwt("other", &client.claims());
        assert_eq!(sent(&server, path, &by_other).await.status, 200, "{path}");
        let forged = OTHER_RSA.jwt(KeyClient::KID, &client.claims());
        assert!(sent(&server, path, &forged).await.text.contains("invalid_client"), "{path}");
    }
    assert_eq!(host.requests(), 1, "remembered");
}

#[tokio::test]
async fn a_key_that_takes_the_place_of_another_is_found_by_its_new_name() {
    let host = KeyHost::with_keys(&[RSA.jwk("old")]).await;
    let server = Server::start_with(quick());
    let client = registered(&server, &host.uri(), &RSA).await;
    let old = || RSA.jwt("old", &client.claims());
    assert_eq!(sent(&server, "/oauth2/token", &old()).await.status, 200);

    host.publish(&[OTHER_RSA.jwk("new")]);

    // The address is asked again after a second, and no sooner.
    within(Duration::from_secs(10), "the new key", async || {
        let new = OTHER_RSA.jwt("new", &client.claims());
        (sent(&server, "/oauth2/token", &new).await.status == 200).then_some(())
    })
    .await;
    sent(&server, "/oauth2/token", &old()).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn t03_the_alg_of_a_published_key_is_the_keys_own() {
    let all = quick().with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "RS256,PS256,ES256,EdDSA");
    let (p256, ed25519) = (Pair::p256(), Pair::ed25519());
    let mut for_encryption = OTHER_RSA.jwk("enc");
    for_encryption["use"] = json!("enc");
    let keys = [RSA.jwk("rsa"), p256.jwk("p256"), ed25519.jwk("ed"), for_encryption];
    let host = KeyHost::with_keys(&keys).await;
    let server = Server::start_with(all);
    let client = registered(&server, &host.uri(), &RSA).await;
    let forged = |signer: &Pair, alg: &str, kid: &str| {
        let header = json!({"alg": alg, "kid": kid}).to_string();
        signer.jws(&header, &client.claims().to_string())
    };

    for (pair, kid) in [(&*RSA, "rsa"), (&p256, "p256"), (&ed25519, "ed")] {
        let answer = sent(&server, "/oauth2/token", &pair.jwt(kid, &client.claims())).await;
        assert_eq!(answer.status, 200, "{kid}: {answer:?}");
    }
    for assertion in [
        forged(&RSA.pss(), "PS256", "rsa"),
        forged(&RSA, "ES256", "rsa"),
        forged(&p256, "EdDSA", "p256"),
        forged(&ed25519, "ES256", "ed"),
        forged(&OTHER_RSA, "RS256", "enc"),
        forged(&RSA, "HS256", "rsa"),
    ] {
        sent(&server, "/oauth2/token", &assertion).await.assert_error(401, "invalid_client");
    }
}

/// Threat T06: whoever names keys that are not there makes one fetch an interval, not a flood.
#[tokio::test]
async fn t06_a_flood_of_unknown_kids_is_not_a_flood_of_fetches() {
    let host = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID)]).await;
    let patient = quick().with("TOKENWRIGHT__JWKS_URI__REFRESH_SECONDS", "3600");
    let server = Server::start_with(patient);
    let client = registered(&server, &host.uri(), &RSA).await;
    assert_eq!(sent(&server, "/oauth2/token", &client.assertion()).await.status, 200);

    let flood = (0..200).map(|it| {
        let kid = match it % 4 {
            0 => "../../etc/passwd".to_owned(),
            1 => "' or 1=1 --".to_owned(),
            2 => format!("{}/{it}", host.uri()),
            _ => format!("kid-{it}"),
        };
        let assertion = RSA.jwt(&kid, &client.claims());
        let server = &server;
        async move { sent(server, PATHS[it % 4], &assertion).await }
    });
    for answer in futures_util::future::join_all(flood).await {
        assert!(matches!(answer.status.as_u16(), 401 | 403), "{answer:?}");
    }

    assert_eq!(host.requests(), 1);
    assert_eq!(sent(&server, "/oauth2/token", &client.assertion()).await.status, 200);
}

/// Threat T27: whatever is written, nobody inside hears of it.
#[tokio::test]
async fn t27_nothing_inside_is_asked_whatever_a_client_registers() {
    let inside = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID)]).await;
    let server =
        Server::start_with(Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256"));
    for name in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LocalHost.",
        "a.localhost",
    ] {
        for scheme in ["https", "http"] {
            let refused = server.post_json("/register", &publisher(&inside.at(scheme, name))).await;
            refused.assert_error(400, "invalid_client_metadata");
            assert!(refused.text.contains("jwks_uri"), "{scheme} {name}: {refused:?}");
            assert!(!refused.text.contains("hunter2"), "{refused:?}");
        }
    }
    for uri in [
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://100.100.100.200/",
        "https://192.168.0.1/",
        "https://10.0.0.1/",
        "https://user:password@keys.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "https://keys.example/#x",
    ] {
        let refused = server.post_json("/oauth2/register", &publisher(uri)).await;
        assert_eq!(refused.status, 400, "{uri}: {refused:?}");
        let refused = server.create(&publisher(uri)).await;
        assert_eq!(refused.status, 400, "{uri}: {refused:?}");
    }
    assert_eq!(inside.requests(), 0);
}

/// Names that lead inside, redirects to it, and answers that are no keys: out, and the same for all.
#[tokio::test]
async fn t27_what_is_found_there_is_not_told() {
    let inside = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID)]).await;
    let host = KeyHost::with_keys(&[]).await;
    let server = Server::start_with(quick());
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.uri());
    let large = format!("{{\"keys\":[],\"internal\":\"{}\"}}", "a".repeat(100_000));
    let mut told = Vec::new();
    for answer in [
        redirect,
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{large}", large.len()),
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 8\r\n\r\ninternal".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\ninternal".to_owned(),
        "SSH-2.0-OpenSSH_9.2p1 internal\r\n".to_owned(),
        String::new(),
    ] {
        host.answer_with(answer);
        // Another client, another address: nothing is remembered of it.
        let uri = format!("{}&{}", host.uri(), told.len());
        let client = registered(&server, &uri, &RSA).await;
        let answer = sent(&server, "/oauth2/token", &client.assertion()).await;
        answer.assert_error(503, "temporarily_unavailable");
        told.push((answer.text.clone(), answer.header("retry-after").to_owned()));
    }
    // A name that resolves, to a machine that may not be asked.
    let elsewhere = quick().with("TOKENWRIGHT__JWKS_URI__HTTP_NETWORKS", "10.9.0.0/16");
    let strict = Server::start_with(elsewhere);
    let uri = inside.at("https", "ip6-localhost");
    let client = registered(&strict, &uri, &RSA).await;
    let answer = sent(&strict, "/oauth2/token", &client.assertion()).await;
    answer.assert_error(503, "temporarily_unavailable");
    told.push((answer.text.clone(), answer.header("retry-after").to_owned()));

    assert!(told.iter().all(|it| *it == told[0]), "{told:#?}");
    assert_eq!(inside.requests(), 0);
    for printed in [server.printed(), strict.printed()] {
        for secret in ["hunter2", "internal", "/keys"] {
            assert!(!printed.contains(secret), "{secret}: {printed}");
        }
    }
}

#[tokio::test]
async fn t27_a_slow_answer_is_503_in_time_and_holds_up_nobody_else() {
    let host = KeyHost::with_keys(&[]).await;
    // The head never ends.
    host.answer_with("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{");
    let server = Server::start_with(quick().with("TOKENWRIGHT__JWKS_URI__TIMEOUT_SECONDS", "2"));
    let client = registered(&server, &host.uri(), &RSA).await;
    let (other, secret) = (server.key_client(&RSA).await, server.register().await);

    let assertion = client.assertion();
    let slow = sent(&server, "/oauth2/token", &assertion);
    let quick = async {
        other.assert_welcome(&server).await;
        server.token_of(&secret).await
    };
    let (slow, _) = futures_util::future::join(slow, quick).await;

    slow.assert_error(503, "temporarily_unavailable");
}

#[tokio::test]
async fn an_address_that_goes_out_is_served_from_memory() {
    let host = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID)]).await;
    let server = Server::start_with(quick());
    let client = registered(&server, &host.uri(), &RSA).await;
    assert_eq!(sent(&server, "/oauth2/token", &client.assertion()).await.status, 200);

    host.answer_with("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
    let unknown = RSA.jwt("unknown", &client.claims());
    within(Duration::from_secs(10), "a fetch in vain", async || {
        sent(&server, "/oauth2/token", &unknown).await.assert_error(401, "invalid_client");
        (1 < host.requests()).then_some(())
    })
    .await;

    assert_eq!(sent(&server, "/oauth2/token", &client.assertion()).await.status, 200);
}

#[tokio::test]
async fn a_jwks_uri_is_shown_changed_and_taken_away() {
    let host = KeyHost::with_keys(&[RSA.jwk(KeyClient::KID)]).await;
    let server = Server::start_with(quick());
    let made = server.post_json("/oauth2/register", &publisher(&host.uri())).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.text_at("/jwks_uri"), host.uri());
    let path = format!("/clients/{}", made.text_at("/client_id"));
    let changed = async |body: Value| {
        let request = server.manage("PATCH", &path).header("if-match", "*").json(&body);
        Answer::to(request).await
    };
    let shown = Answer::to(server.manage("GET", &path)).await.json();
    assert_eq!((&shown["jwks_uri"], shown.get("jwks")), (&json!(host.uri()), None));

    for wrong in [
        json!({"jwks_uri": null}),
        json!({"jwks_uri": "https://10.0.0.1/"}),
        json!({"jwks_uri": 7}),
        json!({"public_key": RSA.jwk("k")}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
    ] {
        changed(wrong).await.assert_error(400, "invalid_client_metadata");
    }
    let moved = changed(json!({"jwks_uri": "https://keys.example/jwks"})).await;
    assert_eq!(moved.text_at("/jwks_uri"), "https://keys.example/jwks");
    let to_keys = changed(json!({"jwks_uri": null, "public_key": RSA.jwk(KeyClient::KID)})).await;
    assert_eq!(to_keys.json().get("jwks_uri"), None);
    let id = made.text_at("/client_id");
    let client = KeyClient { id, pair: RSA.clone(), issuer: server.url.clone() };
    client.assert_welcome(&server).await;
    assert_eq!(host.requests(), 0, "nobody asked for a token by it");
}

#[tokio::test]
async fn where_it_is_off_no_jwks_uri_is_registered() {
    let server = Server::start_with(quick().with("TOKENWRIGHT__JWKS_URI__ENABLED", "false"));

    let refused = server.post_json("/register", &publisher("https://keys.example/")).await;

    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text.contains("send jwks instead"), "{refused:?}");
}
