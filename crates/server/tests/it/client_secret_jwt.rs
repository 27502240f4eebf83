//! Clients that sign with their secret (`client_secret_jwt`), and how such secrets are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tempfile::TempDir;

use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient, Pair, RSA, jws_with, now};
use crate::support::methods::{
    DIALECTS, asked_by, asked_with, claims, client_of, hs256, quick, with_mac,
};
use crate::support::postgres::Database;
use crate::support::server::eventually;
use crate::support::{Answer, Client, Server};

#[tokio::test]
async fn a_client_signs_with_its_secret() {
    let server = Server::start_with(quick());
    let body = json!({"client_name": "a", "token_endpoint_auth_method": "client_secret_jwt"});
    for path in ["/register", "/oauth2/register"] {
        let made = server.post_json(path, &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let client =
            Client { id: made.text_at("/client_id"), secret: made.text_at("/client_secret") };
        for (name, path) in DIALECTS {
            for change in [json!({}), json!({"exp": now() + 3_600}), json!({"aud": [server.url]})] {
                let mut claims = claims(&client.id, &server.url);
                for (member, value) in change.as_object().unwrap() {
                    claims[member] = value.clone();
                }
                let assertion = hs256(&client.secret, &claims);
                let answer = asked_with(&server, path, &client.id, &assertion).await;
                assert_eq!(answer.status, 200, "{name} {change}: {answer:?}");
                // Threat T18.
                let again = asked_with(&server, path, &client.id, &assertion).await;
                assert!(again.text.contains("was used before"), "{name}: {again:?}");
            }
        }
        let shown = Answer::to(server.manage("GET", &format!("/clients/{}", client.id))).await;
        assert_eq!(shown.text_at("/token_endpoint_auth_method"), "client_secret_jwt");
        assert!(!shown.text.contains(&client.secret));
    }
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains(r#"method="client_secret_jwt""#), "{metrics}");
}

/// The same rules as for a key, for each claim.
#[tokio::test]
async fn what_a_client_signs_with_its_secret_is_judged_as_what_it_signs_with_a_key() {
    let server = Server::start_with(quick());
    let client = client_of(&server, "client_secret_jwt").await;
    let other = client_of(&server, "client_secret_jwt").await;
    let id = client.id.as_str();
    for (what, change) in [
        ("another subject", json!({"sub": other.id})),
        ("another issuer", json!({"iss": "x"})),
        ("two audiences", json!({"aud": [server.url, "https://other.example"]})),
        ("the endpoint as audience", json!({"aud": server.at("/oauth2/token")})),
        ("expired", json!({"exp": now() - 1})),
        ("a text for a time", json!({"exp": (now() + 60).to_string()})),
        ("in the future", json!({"iat": now() + 100})),
        ("two days", json!({"exp": now() + 172_800})),
        ("no jti", json!({"jti": null})),
        ("a reserved claim", json!({"scope": "admin"})),
    ] {
        let mut claims = claims(id, &server.url);
        for (member, value) in change.as_object().unwrap() {
            claims[member] = value.clone();
        }
        let assertion = hs256(&client.secret, &claims);
        for (name, path) in DIALECTS {
            let status = if name == "mia" { 403 } else { 401 };
            let answer = asked_with(&server, path, id, &assertion).await;
            assert_eq!(answer.status, status, "{name}, {what}: {answer:?}");
            answer.assert_error(status, "invalid_client");
        }
    }
    // Another client's secret is another client's.
    let stolen = hs256(&other.secret, &claims(id, &server.url));
    asked_with(&server, "/oauth2/token", id, &stolen).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn t02_no_public_key_and_no_longer_mac_is_taken_for_a_secret() {
    let server = Server::start_with(
        quick().with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "RS256,PS256,ES256,EdDSA"),
    );
    for pair in Pair::of_each_kind() {
        let keyed = server.key_client(&pair).await;
        let pem = String::from_utf8(pair.key.public_key_to_pem().unwrap()).unwrap();
        let jwk = pair.jwk(KeyClient::KID).to_string();
        for (name, path) in DIALECTS {
            for public in [pem.as_str(), pem.trim_end(), &jwk, &keyed.id, "a"] {
                let header = json!({"alg": "HS256", "kid": KeyClient::KID, "typ": "JWT"});
                let forged = with_mac(public, &header, &claims(&keyed.id, &server.url));
                let answer = asked_with(&server, path, &keyed.id, &forged).await;
                let status = if name == "mia" { 403 } else { 401 };
                assert_eq!(answer.status, status, "{name} {}: {answer:?}", pair.algorithm);
            }
        }
        keyed.assert_welcome(&server).await;
    }
    let client = client_of(&server, "client_secret_jwt").await;
    for alg in ["HS384", "HS512", "hs256", "none", "HS1"] {
        let header = json!({"alg": alg, "typ": "JWT"});
        let longer = with_mac(&client.secret, &header, &claims(&client.id, &server.url));
        let answer = asked_with(&server, "/oauth2/token", &client.id, &longer).await;
        answer.assert_error(401, "invalid_client");
    }
    // Signed with the secret as if it were a key, and with no MAC at all.
    let signed = RSA.jwt("any", &claims(&client.id, &server.url));
    let header = json!({"alg": "HS256"}).to_string();
    let empty = jws_with(header, claims(&client.id, &server.url).to_string(), |_| vec![0; 32]);
    for forged in [signed, empty] {
        let answer = asked_with(&server, "/oauth2/token", &client.id, &forged).await;
        answer.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn while_secrets_take_turns_both_sign_and_a_revoked_one_does_not() {
    let server = Server::start_with(quick());
    let client = client_of(&server, "client_secret_jwt").await;
    let path = format!("/clients/{}/secrets", client.id);
    let added = Answer::to(server.manage("POST", &path)).await;
    assert_eq!(added.status, 201, "{added:?}");
    let second = Client { secret: added.text_at("/client_secret"), ..client.clone() };

    for it in [&client, &second, &client] {
        let answer = asked_by(&server, "/oauth2/token", "client_secret_jwt", it).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let secrets = Answer::to(server.manage("GET", &path)).await;
    let first_id = secrets.text_at("/secrets/0/secret_id");
    let gone = Answer::to(server.manage("DELETE", &format!("{path}/{first_id}"))).await;
    assert_eq!(gone.status, 204);

    let answer = asked_by(&server, "/oauth2/token", "client_secret_jwt", &client).await;
    answer.assert_error(401, "invalid_client");
    let answer = asked_by(&server, "/oauth2/token", "client_secret_jwt", &second).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What is on the disk is worth nothing without the key, and the key is its owner's alone.
#[tokio::test]
async fn t37_a_sealed_secret_is_nowhere_to_be_read_and_survives_a_restart() {
    let directory = TempDir::new().unwrap();
    let options = quick().with("MIA_JWT_ISSUER", "the-issuer").in_directory(directory.path());
    let server = Server::start_with(options.clone());
    let client = client_of(&server, "client_secret_jwt").await;
    let answer = |server: &Server| {
        let assertion = hs256(&client.secret, &claims(&client.id, "the-issuer"));
        let (url, http) = (server.at("/oauth2/token"), server.http.clone());
        async move {
            let form = [GRANT, JWT_BEARER, ("client_assertion", assertion.as_str())];
            Answer::to(http.post(url).form(&form)).await
        }
    };
    assert_eq!(answer(&server).await.status, 200);
    let key = directory.path().join("data/sealing.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    for entry in fs::read_dir(directory.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let secret = client.secret.as_bytes();
            let is_there = bytes.windows(secret.len()).any(|it| it == secret);
            assert!(!is_there, "{}", path.display());
        }
    }
    assert!(!server.printed().contains(&client.secret));
    // Killed, not stopped.
    drop(server);

    let server = Server::start_with(options.clone());
    assert_eq!(answer(&server).await.status, 200);
    drop(server);

    // Without its key the secret is lost, and that is told as what it is: a fault of ours.
    fs::remove_file(&key).unwrap();
    let server = Server::start_with(options);
    answer(&server).await.assert_error(500, "server_error");
    eventually(
        "the reason in the log",
        || server.printed().contains("sealed with another key").then_some(()),
        || server.printed(),
    );
}

/// Nodes that share a store share the key, or have not the method.
#[tokio::test]
async fn without_a_sealing_key_the_method_is_off_and_says_what_is_missing() {
    let database = Database::empty().await;
    let without = Server::start_with(database.options());
    let with = database.options().with("TOKENWRIGHT__SECRETS__SEALING_KEY", &"k".repeat(32));
    let (one, other) = (Server::start_with(with.clone()), Server::start_with(with));

    let document = without.get("/.well-known/oauth-authorization-server").await;
    assert!(!document.text.contains("client_secret_jwt") && !document.text.contains("HS256"));
    let body = json!({"client_name": "a", "token_endpoint_auth_method": "client_secret_jwt"});
    let refused = without.post_json("/register", &body).await;
    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text.contains("secrets.sealing_key"), "{refused:?}");

    let client = client_of(&one, "client_secret_jwt").await;
    for server in [&one, &other] {
        let answer = asked_by(server, "/oauth2/token", "client_secret_jwt", &client).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // A node that was started without the key knows that it is its own fault.
    let answer = asked_by(&without, "/oauth2/token", "client_secret_jwt", &client).await;
    answer.assert_error(500, "server_error");
    let unknown = Client { id: "nobody".to_owned(), ..client };
    let answer = asked_by(&without, "/oauth2/token", "client_secret_jwt", &unknown).await;
    answer.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_secrets_does_not_change_how_they_are_kept() {
    let server = Server::start_with(quick());
    let client = client_of(&server, "client_secret_basic").await;
    let path = format!("/clients/{}", client.id);
    let changing = || {
        let to_signing = json!({"token_endpoint_auth_method": "client_secret_jwt"});
        server.manage("PATCH", &path).header("if-match", "*").json(&to_signing)
    };

    let refused = Answer::to(changing()).await;
    refused.assert_error(400, "invalid_client_metadata");
    assert!(refused.text.contains("revoke them"), "{refused:?}");
    let answer = asked_by(&server, "/oauth2/token", "client_secret_basic", &client).await;
    assert_eq!(answer.status, 200, "it is what it was: {answer:?}");

    let secrets = Answer::to(server.manage("GET", &format!("{path}/secrets"))).await;
    let id = secrets.text_at("/secrets/0/secret_id");
    Answer::to(server.manage("DELETE", &format!("{path}/secrets/{id}"))).await;
    assert_eq!(Answer::to(changing()).await.status, 200);
    let added = Answer::to(server.manage("POST", &format!("{path}/secrets"))).await;
    let client = Client { secret: added.text_at("/client_secret"), ..client };
    let answer = asked_by(&server, "/oauth2/token", "client_secret_jwt", &client).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
