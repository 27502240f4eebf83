//! How clients authenticate: exactly one way in a request, and the registered one only.

use serde_json::{Value, json};

use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient, OTHER_RSA, RSA};
use crate::support::methods::{
    DIALECTS, METHODS, asked, asked_by, asked_with, claims, client_of, hs256, quick,
};
use crate::support::{Answer, Server, basic};

/// A way to sign, and what signs for a client id in that way.
type Kind<'a> = (&'a str, &'a dyn Fn(&str) -> String);

#[tokio::test]
async fn t20_two_methods_in_one_request_are_refused_in_every_dialect() {
    let server = Server::start_with(quick());
    for registered in METHODS {
        let client = client_of(&server, registered).await;
        let (id, secret) = (client.id.as_str(), client.secret.as_str());
        for (name, path) in DIALECTS {
            let mac = hs256(secret, &claims(id, &server.url));
            let signed = RSA.jwt(KeyClient::KID, &claims(id, &server.url));
            let header = client.basic();
            let in_form = [("client_id", id), ("client_secret", secret)];
            for assertion in [mac.as_str(), signed.as_str()] {
                let as_assertion = [JWT_BEARER, ("client_assertion", assertion)];
                for (what, header, form) in [
                    ("header and form", header.as_str(), [&[GRANT][..], &in_form].concat()),
                    ("header and assertion", &header, [&[GRANT][..], &as_assertion].concat()),
                    ("form and assertion", "", [&[GRANT][..], &in_form, &as_assertion].concat()),
                    ("all", &header, [&[GRANT][..], &in_form, &as_assertion].concat()),
                ] {
                    let answer = asked(&server, path, header, &form).await;
                    answer.assert_error(400, "invalid_request");
                    assert!(!answer.text.contains("access_token"), "{name} {registered}: {what}");
                }
            }
            // None of them was burned, and the one way still works.
            let answer = asked_by(&server, path, registered, &client).await;
            assert_eq!(answer.status, 200, "{name} {registered}: {answer:?}");
        }
    }
}

/// Every registered method with every one that is used: only the pair lets in, and the two that send
/// the secret stand for each other unless the client is strict.
#[tokio::test]
async fn t21_only_the_registered_method_lets_in_in_every_dialect() {
    let server = Server::start_with(quick());
    for registered in METHODS {
        for is_strict in [false, true] {
            let client = client_of(&server, registered).await;
            if is_strict {
                let path = format!("/clients/{}", client.id);
                let strict = json!({"strict_auth_method": true});
                let request = server.manage("PATCH", &path).header("if-match", "*").json(&strict);
                assert_eq!(Answer::to(request).await.status, 200);
            }
            for used in METHODS {
                let sends =
                    |method: &str| matches!(method, "client_secret_basic" | "client_secret_post");
                let is_family = !is_strict && sends(registered) && sends(used);
                for (name, path) in DIALECTS {
                    let answer = asked_by(&server, path, used, &client).await;

                    let what = format!("{name}: {registered} by {used}, strict: {is_strict}");
                    if used == registered || is_family {
                        assert_eq!(answer.status, 200, "{what}: {answer:?}");
                        continue;
                    }
                    // The Mia-Platform service tells who signs.
                    let signs = !sends(registered) && !sends(used);
                    let status = if name == "mia" && signs { 403 } else { 401 };
                    assert_eq!(answer.status, status, "{what}: {answer:?}");
                    answer.assert_error(status, "invalid_client");
                }
            }
        }
    }
}

fn without_what_varies(answer: &Answer) -> (u16, String, Vec<String>) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    (answer.status.as_u16(), answer.text.clone(), headers)
}

/// Whoever cannot sign learns nothing: not whether there is such a client, not how it authenticates.
#[tokio::test]
async fn t22_no_refused_assertion_tells_which_clients_there_are() {
    let server = Server::start_with(quick());
    let keyed = server.key_client(&RSA).await;
    let secret = client_of(&server, "client_secret_basic").await;
    let mac = client_of(&server, "client_secret_jwt").await;
    let disabled = server.key_client(&RSA).await;
    let path = format!("/clients/{}/disable", disabled.id);
    assert_eq!(Answer::to(server.manage("POST", &path)).await.status, 200);
    let ids = ["nobody", &keyed.id, &secret.id, &mac.id, &disabled.id];
    keyed.assert_welcome(&server).await;

    let signed = |id: &str, header: Value| {
        let claims = claims(id, &server.url).to_string();
        OTHER_RSA.jws(&header.to_string(), &claims)
    };
    let kinds: [Kind<'_>; 8] = [
        ("a wrong signature", &|id| signed(id, json!({"alg": "RS256", "kid": KeyClient::KID}))),
        ("an unknown kid", &|id| signed(id, json!({"alg": "RS256", "kid": "other"}))),
        ("no kid", &|id| signed(id, json!({"alg": "RS256"}))),
        ("another alg", &|id| signed(id, json!({"alg": "PS256", "kid": KeyClient::KID}))),
        ("a wrong secret", &|id| hs256("wrong", &claims(id, &server.url))),
        ("not a JWT", &|_| "nonsense".to_owned()),
        ("an alg that nobody has", &|id| signed(id, json!({"alg": "HS512"}))),
        ("another typ", &|id| signed(id, json!({"alg": "RS256", "typ": "at+jwt"}))),
    ];
    for path in [
        "/oauth2/token",
        "/oauth/v2/oauth-token",
        "/openid/token",
        "/oauth2/introspect",
        "/oauth2/revoke",
        "/oauth/v2/oauth-introspect",
        "/oauth/v2/oauth-revoke",
        "/openid/introspect",
    ] {
        for (what, make) in kinds {
            let mut told = Vec::new();
            for id in ids {
                let assertion = make(id);
                let form = [
                    GRANT,
                    JWT_BEARER,
                    ("client_id", id),
                    ("client_assertion", assertion.as_str()),
                    ("token", "x"),
                ];
                let answer = asked(&server, path, "", &form).await;
                answer.assert_error(401, "invalid_client");
                told.push(without_what_varies(&answer));
            }
            assert!(told.iter().all(|it| *it == told[0]), "{path}, {what}: {told:#?}");
        }
        // Whoever can sign is told what is wrong: the aud that is expected, above all.
        let wrong = keyed.changed(&json!({"aud": server.at(path)}));
        let form = [GRANT, JWT_BEARER, ("client_assertion", wrong.as_str()), ("token", "x")];
        let answer = asked(&server, path, "", &form).await;
        answer.assert_error(401, "invalid_client");
        assert!(answer.text.contains(&format!("must be exactly {}", server.url)), "{answer:?}");
    }
    // The Mia-Platform service tells a client that uses keys.
    for (id, status) in [("nobody", 401), (keyed.id.as_str(), 403), (secret.id.as_str(), 401)] {
        let forged = signed(id, json!({"alg": "RS256", "kid": KeyClient::KID}));
        asked_with(&server, "/oauth/token", id, &forged)
            .await
            .assert_error(status, "invalid_client");
    }
}

/// RFC 8414 section 2: what is said is what is on.
#[tokio::test]
async fn the_metadata_names_the_methods_and_algorithms_that_are_on() {
    let all = quick().with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "ES256,EdDSA");
    let server = Server::start_with(all);
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/oauth/v2/oauth-anonymous/.well-known/openid-configuration",
        "/openid/.well-known/openid-configuration",
    ] {
        let document = server.get(path).await.json();
        for endpoint in ["token", "revocation", "introspection"] {
            let methods = &document[format!("{endpoint}_endpoint_auth_methods_supported")];
            assert_eq!(*methods, json!(METHODS), "{path} {endpoint}");
            let algorithms =
                &document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
            assert_eq!(
                *algorithms,
                json!(["ES256", "EdDSA", "Ed25519", "HS256"]),
                "{path} {endpoint}"
            );
        }
    }
    let wrong = json!({"client_name": "a", "token_endpoint_auth_method": "tls_client_auth"});
    let refused = server.post_json("/register", &wrong).await;
    assert!(refused.text.contains(&METHODS.join(", ")), "{refused:?}");
}

/// Not all that is strange is refused: the same id beside an assertion is no second way.
#[tokio::test]
async fn the_client_id_beside_any_method_is_no_second_method() {
    let server = Server::start_with(quick());
    let client = client_of(&server, "client_secret_basic").await;
    let form = [GRANT, ("client_id", client.id.as_str())];
    let answer = asked(&server, "/oauth2/token", &client.basic(), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let other = [GRANT, ("client_id", "other")];
    let answer = asked(&server, "/oauth2/token", &client.basic(), &other).await;
    answer.assert_error(400, "invalid_request");
    let nobody = basic("nobody", &client.secret);
    asked(&server, "/oauth2/token", &nobody, &[GRANT]).await.assert_error(401, "invalid_client");
}

/// Every example of the page runs as it stands.
#[tokio::test]
async fn the_page_on_authenticating_clients_runs_as_it_stands() {
    let server = Server::start_with(quick());
    let page = include_str!("../../../../docs/authenticating-clients.md");
    let blocks = page.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    let script = blocks.collect::<Vec<_>>().join("\n");
    let run = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("AUTH", &server.url)
        .env("ISSUER", &server.url)
        .output()
        .unwrap();

    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{printed} {}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(printed.matches("access_token").count(), 4, "{printed}");
}
