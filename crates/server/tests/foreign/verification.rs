//! Tokens of every algorithm and kind, checked by JOSE libraries that nobody here wrote, with the keys
//! that the server publishes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::ground::{CURITY, IDSERVICE, MIA, RESOURCE, SCOPE, STANDARD, options, with};
use crate::scripts::{Library, python};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Server};

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
const VERIFIERS: [Library; 3] = [Library::PyJwt, Library::AuthlibVerifier, Library::Jose];

async fn signer(server: &Server, alg: &str) -> Client {
    let body = json!({
        "access_token_signing_alg": alg, "scope": SCOPE, "audience": [RESOURCE],
        "capabilities": ["client_credentials", "introspection"],
    });
    server.create_client(body).await
}

async fn issued(server: &Server, client: &Client, path: &str) -> String {
    let form = [GRANT, ("resource", RESOURCE), ("scope", SCOPE)];
    let request = server.http.post(server.at(path)).form(&form);
    let answer = Answer::to(request.header("authorization", client.basic())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text_at("/access_token")
}

/// What introspection says of a token, in a form that is signed.
async fn signed_answer(
    server: &Server,
    client: &Client,
    path: &str,
    token: &str,
    accept: &str,
) -> String {
    let request = server.http.post(server.at(path)).form(&[("token", token)]);
    let request = request.header("authorization", client.basic()).header("accept", accept);
    let answer = Answer::to(request).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, accept),
        "{answer:?}"
    );
    answer.text
}

/// A step of verification, for a token that is good.
fn good(server: &Server, token: &str, alg: &str, typ: &str) -> Value {
    json!({
        "do": "verify", "token": token, "alg": alg, "typ": typ, "issuer": server.url,
        "audience": RESOURCE, "scope": SCOPE, "jwks_uri": server.at(STANDARD.jwks),
        "insecure": true,
    })
}

/// The token with another payload under the same signature.
fn with_claim(token: &str, name: &str, value: &str) -> String {
    let mut claims = crate::support::claims(token);
    claims[name] = value.into();
    let parts: Vec<_> = token.split('.').collect();
    let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{}.{payload}.{}", parts[0], parts[2])
}

/// The token with one bit of its signature turned over.
fn with_other_signature(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    signature[7] ^= 1;
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Everything that makes a good step a bad one.
fn spoilt(step: &Value, alg: &str) -> Vec<Value> {
    let token = step["token"].as_str().unwrap();
    let other = if alg == "RS256" { "ES256" } else { "RS256" };
    [
        json!({"token": with_claim(token, "sub", "somebody-else")}),
        json!({"token": with_other_signature(token)}),
        json!({"audience": "https://elsewhere.example/"}),
        json!({"issuer": "https://elsewhere.example"}),
        json!({"alg": other}),
        json!({"typ": "another+jwt"}),
    ]
    .iter()
    .map(|it| with(step.clone(), it))
    .collect()
}

#[tokio::test]
async fn foreign_libraries_verify_every_algorithm_and_believe_nothing_that_was_changed() {
    let server = Server::start_with(options());
    let mut good_steps = Vec::new();
    let mut bad_steps = Vec::new();
    for alg in ALGORITHMS {
        let client = signer(&server, alg).await;
        for (dialect, typ) in [(STANDARD, "at+jwt"), (MIA, "jwt")] {
            let token = issued(&server, &client, dialect.token).await;
            let step = good(&server, &token, alg, typ);
            bad_steps.extend(spoilt(&step, alg));
            good_steps.push(step);
        }
    }

    for library in VERIFIERS {
        for (outcome, step) in library.takes(&good_steps).iter().zip(&good_steps) {
            let claims = crate::support::claims(step["token"].as_str().unwrap());
            assert_eq!(outcome.told(&format!("{library:?}: {step}")), &claims, "{library:?}");
        }
        for outcome in library.takes(&bad_steps) {
            outcome.error();
        }
    }
    let jwks = server.get(STANDARD.jwks).await.json();
    for step in &good_steps {
        let claims = crate::support::claims(step["token"].as_str().unwrap());
        assert_eq!(jsonwebtoken_verifies(&jwks, step), Ok(claims), "{step}");
    }
    for step in &bad_steps {
        jsonwebtoken_verifies(&jwks, step).unwrap_err();
    }
}

/// Rust's jsonwebtoken; `typ` is for the caller to look at.
fn jsonwebtoken_verifies(jwks: &Value, step: &Value) -> Result<Value, String> {
    let jwks: JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let token = step["token"].as_str().unwrap();
    let header = decode_header(token).map_err(|it| it.to_string())?;
    if !header.typ.is_some_and(|it| it.eq_ignore_ascii_case(step["typ"].as_str().unwrap())) {
        return Err("another kind of token".to_owned());
    }
    let jwk = jwks.find(&header.kid.unwrap()).ok_or("an unknown key")?;
    let alg: Algorithm = step["alg"].as_str().unwrap().parse().unwrap();
    let mut validation = Validation::new(alg);
    validation.set_audience(&[step["audience"].as_str().unwrap()]);
    validation.set_issuer(&[step["issuer"].as_str().unwrap()]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    let key = DecodingKey::from_jwk(jwk).map_err(|it| it.to_string())?;
    decode(token, &key, &validation).map(|it| it.claims).map_err(|it| it.to_string())
}

/// RFC 9068 section 4, by two who implement it.
#[tokio::test]
async fn foreign_resource_servers_accept_our_access_tokens_and_no_other_jwt_of_ours() {
    let server = Server::start_with(options());
    for alg in ALGORITHMS {
        let client = signer(&server, alg).await;
        let token = issued(&server, &client, STANDARD.token).await;
        let accept = "application/token-introspection+jwt";
        let answer = signed_answer(&server, &client, STANDARD.introspection, &token, accept).await;
        let step = |token: &str| {
            with(good(&server, token, alg, "at+jwt"), &json!({"do": "verify_access_token"}))
        };
        let changed = with_claim(&token, "scope", "everything");
        let steps = [step(&token), step(&changed), step(&answer)];
        // Authlib's validator knows the algorithms alone that joserfc recommends.
        let is_known = ["RS256", "ES256"].contains(&alg);
        let authlib = is_known.then_some(Library::AuthlibVerifier);
        for library in authlib.into_iter().chain([Library::Oauth4webapi]) {
            let outcomes = library.takes(&steps);
            assert_eq!(outcomes[0].told(&format!("{library:?}, {alg}"))["client_id"], client.id);
            for outcome in &outcomes[1..] {
                outcome.error();
            }
        }
    }
}

/// The token itself, signed, where it is a reference (Curity's phantom token).
#[tokio::test]
async fn foreign_libraries_verify_phantom_tokens() {
    let server = Server::start_with(options());
    let client = server.create_client(json!({"scope": SCOPE, "audience": [RESOURCE]})).await;
    let mut steps = Vec::new();
    for dialect in [CURITY, IDSERVICE] {
        let token = issued(&server, &client, dialect.token).await;
        assert!(!token.contains('.'), "{token} is a reference");
        let path = dialect.introspection;
        let phantom = signed_answer(&server, &client, path, &token, "application/jwt").await;
        steps.push(good(&server, &phantom, "ES256", "at+jwt"));
    }
    for library in VERIFIERS {
        for outcome in library.takes(&steps) {
            assert_eq!(outcome.told(&format!("{library:?}"))["sub"], client.id, "{library:?}");
        }
    }
}

/// RFC 9701 section 5: the answer is for the caller alone.
#[tokio::test]
async fn foreign_libraries_verify_signed_answers_of_introspection() {
    let server = Server::start_with(options());
    let client = signer(&server, "ES256").await;
    let accept = "application/token-introspection+jwt";
    let mut steps = Vec::new();
    for dialect in [STANDARD, CURITY, IDSERVICE] {
        let token = issued(&server, &client, dialect.token).await;
        let path = dialect.introspection;
        let answer = signed_answer(&server, &client, path, &token, accept).await;
        let audience = json!({"audience": client.id});
        steps.push(with(good(&server, &answer, "ES256", "token-introspection+jwt"), &audience));
    }
    for library in [Library::AuthlibVerifier, Library::Jose] {
        for (outcome, step) in library.takes(&steps).iter().zip(&steps) {
            let told = outcome.told(&format!("{library:?}: {step}"));
            assert_eq!(told["token_introspection"]["client_id"], client.id, "{library:?}");
            assert_eq!(told.get("sub"), None, "it is no access token: RFC 9701 section 5");
        }
        let for_another: Vec<_> =
            steps.iter().map(|it| with(it.clone(), &json!({"audience": "another"}))).collect();
        for outcome in library.takes(&for_another) {
            outcome.error();
        }
    }
}

/// The third way of the page, as it stands there.
#[tokio::test]
async fn the_page_on_checking_tokens_shows_how_to_check_one_with_the_published_keys() {
    let page = include_str!("../../../../docs/checking-tokens.md");
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let server = Server::start_with(options());
    let client = signer(&server, "ES256").await;
    let token = issued(&server, &client, STANDARD.token).await;
    let run = |token: &str, audience: &str| {
        python(script, &[("AUTH", &server.url), ("TOKEN", token), ("AUDIENCE", audience)])
    };

    let good = run(&token, RESOURCE);
    assert!(good.status.success(), "{good:?}");
    assert_eq!(String::from_utf8(good.stdout).unwrap().trim(), client.id);
    let brief = server
        .create_client(json!({"audience": [RESOURCE], "scope": SCOPE, "access_token_lifetime": 1}))
        .await;
    let ended = issued(&server, &brief, STANDARD.token).await;
    let other_kind = issued(&server, &client, MIA.token).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for (token, audience) in [
        (with_other_signature(&token), RESOURCE),
        (with_claim(&token, "sub", "somebody-else"), RESOURCE),
        (token.clone(), "https://elsewhere.example/"),
        (other_kind, RESOURCE),
        (ended, RESOURCE),
    ] {
        let refused = run(&token, audience);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(String::from_utf8(refused.stderr).unwrap().starts_with("refused: "));
    }
}
